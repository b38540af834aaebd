"""Logs predictions beside the event loop: handing them over is a copy into memory, and a process writes them.

Nothing here waits for a disk, raises into an answer or grows without bound. Whatever has no room, in memory or on disk,
is dropped and counted. A worker that is killed loses nothing that was handed over; a writing process that is killed is
started again, and loses the record that it had taken. Only both together lose the tenth of a second that was not
written yet; labels have another law, and another file.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .layout import Entry, encode_batch
from .ring import Ring
from .writer import Writer

__all__ = ["MOST_BODY_BYTES", "PredictionLog"]

MOST_BODY_BYTES = 1024 * 1024
"""Requests and answers that are larger are not logged; the prediction is, without them."""
_FRAME_BYTES = 1024 * 1024
_ENTRY_BYTES = 100
_MODULE = "plusone.predictions.writer"
_COMMAND = (sys.executable, "-P", "-m", _MODULE)
_CLOSE_S = 10.0
_FIRST_DELAY_S = 0.1
_MOST_DELAY_S = 5.0
_LIVED_S = 10.0


class PredictionLog:
    """The prediction log of one worker, in a folder that all workers share.

    Args:
        folder: where segments are written; whoever collects claims them there, a second after their first record.
        max_bytes: how much may lie there that is not collected yet, of all workers.
        command: what starts the process that writes; its arguments are added.
    """

    def __init__(self, folder: Path, *, max_bytes: int, command: Sequence[str] = _COMMAND) -> None:
        self.restarts = 0
        """How often the process that writes died and was started again."""
        self.pid: int | None = None
        """The process that writes, while there is one."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._command = tuple(command)
        self._dropped = 0
        self._ring: Ring | None = None
        self._pipe = (-1, -1)
        self._try_at = 0.0
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def logged(self) -> int:
        """How many predictions are in the journal."""
        return 0 if self._ring is None else self._ring.logged

    @property
    def dropped(self) -> int:
        """How many were left out because there was no room for them, or were lost with a process that was killed."""
        return self._dropped if self._ring is None else self._dropped + self._ring.dropped

    @property
    def bytes(self) -> int:
        """How many bytes of records were written."""
        return 0 if self._ring is None else self._ring.bytes

    def log(self, model: str, release: int, package: str, entries: Sequence[Entry], at: float) -> None:
        """Hand over the predictions of one batch: a copy of them. They are written a tenth of a second later.

        To be called by one thread, that of the loop.

        Args:
            package: the digest of the package that answered.
            at: unix time in seconds.
        """
        size = 0
        is_big = False
        for _, _, _, request, answer in entries:
            one, other = len(request or b""), len(answer or b"")
            size += one + other + _ENTRY_BYTES
            is_big = is_big or one > MOST_BODY_BYTES or other > MOST_BODY_BYTES
        if is_big:
            entries = [(*entry[:3], _short(entry[3]), _short(entry[4])) for entry in entries]
            size = sum(len(entry[3] or b"") + len(entry[4] or b"") + _ENTRY_BYTES for entry in entries)
        ring = self._ring or self._begin()
        if ring is None or self._closed.is_set():
            self._dropped += len(entries)
        elif size <= _FRAME_BYTES:
            self._put(ring, (model, release, package, at, entries), len(entries))
        else:
            for entry in entries:
                self._put(ring, (model, release, package, at, [entry]), 1)

    def close(self) -> None:
        """Have what was handed over written, take no more and let go of the segments; safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        ring = self._ring
        if ring is None or self._keeper is None:
            return
        os.close(self._pipe[1])
        self._keeper.join(_CLOSE_S)
        if self._keeper.is_alive():  # it hangs in a write; it ends by itself when that is over
            return
        os.close(self._pipe[0])
        # Nothing, unless the process died meanwhile, or never began.
        Writer(ring, self._folder, max_bytes=self._max_bytes).close()
        ring.settle(ring.given)
        ring.close()

    def _put(self, ring: Ring, batch: tuple[Any, ...], count: int) -> None:
        try:
            data = encode_batch(batch)
        except (TypeError, ValueError, OverflowError):  # it is no prediction
            self._dropped += count
            return
        if not ring.put(data, count):
            self._dropped += count
        elif ring.asleep:
            ring.asleep = False
            with contextlib.suppress(OSError):  # it is full of calls, or its other end is being started again
                os.write(self._pipe[1], b".")

    def _begin(self) -> Ring | None:
        """Make the ring, and have the process started; None when the system has no room for it."""
        now = time.monotonic()
        if now < self._try_at or self._closed.is_set():
            return None
        self._try_at = now + _FIRST_DELAY_S
        try:
            ring = Ring()
        except OSError:
            return None
        try:
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            keeper = threading.Thread(target=self._keep, args=(ring,), name="plusone-predictions", daemon=True)
            keeper.start()
        except (OSError, RuntimeError):  # no descriptor, or too many threads: it is tried again with a later batch
            for descriptor in self._pipe:
                if descriptor >= 0:
                    os.close(descriptor)
            self._pipe = (-1, -1)
            ring.close()
            return None
        self._keeper = keeper
        self._ring = ring
        return ring

    # ---------------------------------------------------------------------------------------------- in the background

    def _keep(self, ring: Ring) -> None:
        """Have the process run until the log is closed; this thread does nothing but wait for its end."""
        delay_s = 0.0
        while not self._closed.wait(delay_s):
            began = time.monotonic()
            with contextlib.suppress(OSError):  # the system can't start it now
                with self._start(ring) as process:
                    self.pid = process.pid
                    process.wait()
                self.pid = None
                self.restarts += not self._closed.is_set()
            lived = time.monotonic() - began >= _LIVED_S
            delay_s = _FIRST_DELAY_S if lived else min(max(_FIRST_DELAY_S, 2 * delay_s), _MOST_DELAY_S)

    def _start(self, ring: Ring) -> subprocess.Popen[bytes]:
        pipe = self._pipe[0]
        arguments = [str(self._folder), str(self._max_bytes), str(ring.descriptor), str(pipe)]
        return subprocess.Popen(
            [*self._command, *arguments], stdin=subprocess.DEVNULL, pass_fds=(ring.descriptor, pipe)
        )


def _short(body: Any) -> Any:
    return body if body is None or len(body) <= MOST_BODY_BYTES else None
