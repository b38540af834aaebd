"""Tells that something in a folder changed, without looking there over and over.

A thread that looks 50 times a second asks 50 times for the interpreter's lock, and the event loop beside it waits each
time: a third of a millisecond, in nearly two of a hundred turns of a loaded loop. A thread that waits for the kernel's
word (inotify) asks when there is something.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import threading
from pathlib import Path

__all__ = ["Changes"]

# Of linux/inotify.h.
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x08, 0x40, 0x80, 0x100, 0x200
_MASK = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_READ_BYTES = 64 * 1024
_UNTOLD_S = 0.02
_TOLD_S = 0.5


class Changes:
    """Waits for changes of what is directly in `folder`: files renamed to or from it, written, made, removed.

    Attributes:
        is_told: the kernel tells of changes here. Where it does not, each wait is a short pause.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = _watch(folder)
        self.is_told = self._descriptor is not None
        self._bell, self._push = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when something changed since the last time, at `wake`, or after half a second.

        A folder on a network, or one that was put in the place of this one, changes without a word: whoever waits looks
        for himself each time.
        """
        watched = [self._bell] if self._descriptor is None else [self._bell, self._descriptor]
        ready, _, _ = select.select(watched, (), (), _TOLD_S if self.is_told else _UNTOLD_S)
        for descriptor in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(descriptor, _READ_BYTES)

    def wake(self) -> None:
        """Let a wait return now; from any thread, also when it is closed already."""
        with self._lock:
            if self._push >= 0:
                with contextlib.suppress(BlockingIOError):  # it is full: it will be read
                    os.write(self._push, b"x")

    def close(self) -> None:
        """Wait for nothing any more."""
        with self._lock:
            for descriptor in (self._descriptor, self._bell, self._push):
                if descriptor is not None and descriptor >= 0:
                    os.close(descriptor)
            self._descriptor, self._bell, self._push = None, -1, -1


def _watch(folder: Path) -> int | None:
    """Return a descriptor that can be read when the folder changed; None where the system has none to give."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        descriptor: int = library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, AttributeError):  # another system than Linux
        return None
    if descriptor < 0:
        return None
    if library.inotify_add_watch(descriptor, os.fsencode(folder), _MASK) < 0:
        os.close(descriptor)
        return None
    return descriptor
