"""A sign of life that a worker's event loop gives, by a pipe: no disk, no clock and no thread stands between.

A process that lives and whose loop stands still answers nobody. Its supervisor reads the pipe, and ends a worker from
which nothing came for too long.
"""

from __future__ import annotations

import contextlib
import os
import time

__all__ = ["Pulse", "beat"]

_GAP_S = 2.0
_FIRST_S = 60.0
_MANY = 4096


def beat(descriptor: int | None) -> None:
    """Give a sign of life; never waits, and never fails: without a supervisor nobody reads it."""
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.write(descriptor, b".")


class Pulse:
    """The supervisor's end of the pipe of one worker.

    Args:
        limit_s: after how long without a sign the worker counts as hung. The first one may take a minute: until then
            it imports.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._reading, self.writing = os.pipe()
        """`writing` is the end for the worker."""
        os.set_blocking(self._reading, False)
        os.set_blocking(self.writing, False)
        self._seen_at = self._looked_at = time.monotonic()
        self._begun = False

    def started(self) -> None:
        """The worker has its end: close ours, so that the pipe does not outlive it."""
        os.close(self.writing)

    def is_over(self) -> bool:
        """Return whether the worker hangs. Ask often.

        Time in which nobody asked does not count: this process, or the whole machine, was held up or suspended, and
        the worker with it.
        """
        present = time.monotonic()
        if present > self._looked_at + _GAP_S:
            self._seen_at = present
        self._looked_at = present
        with contextlib.suppress(OSError):  # nothing to read: EAGAIN
            if os.read(self._reading, _MANY):
                self._seen_at = present
                self._begun = True
        return present > self._seen_at + (self._limit_s if self._begun else max(self._limit_s, _FIRST_S))

    def close(self) -> None:
        """Close our end."""
        os.close(self._reading)
