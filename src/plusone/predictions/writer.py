"""The process beside a worker that writes its prediction log: out of the shared ring, into the journal.

It is a process, and not a thread, because a thread takes turns with the event loop at the interpreter's lock (decision
0020). It loads nothing heavy, is less urgent than the worker, and ends when the worker closes a pipe or dies, having
written what was handed over.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

from ..base.errors import StoreError
from ..journal import Journal, list_segments
from .layout import join_batches
from .ring import Frame, Reader, Ring

__all__ = ["Writer", "main"]

_RECORD_BYTES = 64 * 1024
_LOOK_S = 0.05
_ROTATE_S = 1.0
_OTHERS_S = 0.5
_BROKEN_S = 1.0
_ASLEEP_S = 1.0
_NICE = 10


class Writer:
    """Writes what is in a ring to the journal in a folder that all workers share.

    Args:
        max_bytes: how much may lie in the folder that is not collected yet, of all workers.
    """

    def __init__(self, ring: Ring, folder: Path, *, max_bytes: int) -> None:
        self._ring = ring
        self._reader = Reader(ring)
        self._max_bytes = max_bytes
        self._journal = Journal(folder)
        self._seen = self._reader.begun
        self._begun_at: float | None = None
        self._others_bytes = 0
        self._others_at = 0.0
        self._try_at = 0.0

    def look(self) -> bool:
        """Write what was published by the look before; return whether there may be something to do later."""
        published = self._reader.published()
        self._write(self._seen)
        idle = published == self._seen
        self._seen = published
        if self._begun_at is not None and time.monotonic() - self._begun_at >= _ROTATE_S:
            self._journal.let_go()
            self._begun_at = None
        return not idle or self._begun_at is not None

    def close(self) -> None:
        """Write all that was published, and let go of the segments."""
        self._write(self._reader.published())
        self._journal.let_go()
        self._journal.close()

    def _write(self, until: int) -> None:
        """Write the frames up to a place, several to a record."""
        frames: list[Frame] = []
        size = 0
        while (frame := self._reader.next(until)) is not None:
            frames.append(frame)
            size += len(frame.data)
            if size >= _RECORD_BYTES:
                self._put(frames)
                frames, size = [], 0
        if frames:
            self._put(frames)
        self._reader.take()

    def _put(self, frames: list[Frame]) -> None:
        """Write one record of what these frames hold."""
        ring = self._ring
        ring.settle(frames[0].before)
        record = join_batches([frame.data for frame in frames])
        count = sum(frame.entries for frame in frames)
        # Given back before it is written: who is killed in between loses a record, and none is written twice.
        self._reader.take()
        now = time.monotonic()
        if now < self._try_at or not self._has_room(now, len(record)):
            ring.count(dropped=count)
            return
        try:
            self._journal.append(record)
        except StoreError:  # the disk is full: the next second may be better
            self._try_at = now + _BROKEN_S
            ring.count(dropped=count)
            return
        ring.count(logged=count, size=len(record))
        if self._begun_at is None:
            self._begun_at = now

    def _has_room(self, now: float, size: int) -> bool:
        """Say whether the folder may hold so many more bytes; what others have in it is looked at twice a second."""
        own = self._journal.segments()
        if now >= self._others_at:
            mine = {segment.path for segment in own}
            self._others_bytes = sum(_size(path) for path in list_segments(self._journal.folder) if path not in mine)
            self._others_at = now + _OTHERS_S
        return self._others_bytes + sum(segment.end for segment in own) + size <= self._max_bytes


def main(arguments: list[str]) -> int:
    """Write until the other end of the pipe is closed; return 0.

    Args:
        arguments: the folder, how many bytes it may hold, the descriptors of the ring and of the pipe.
    """
    folder, max_bytes, descriptor, pipe = Path(arguments[0]), *map(int, arguments[1:4])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The worker that drains still logs: the end of this process is the end of the pipe.
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        # What comes in bursts never takes the core from a thread that answers.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    ring = Ring(descriptor)
    _follow(ring, Writer(ring, folder, max_bytes=max_bytes), pipe)
    return 0


def _follow(ring: Ring, writer: Writer, pipe: int) -> None:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        wait_s = _LOOK_S
        if not writer.look():
            ring.asleep = True
            # Whoever put something in before it could see that is found by one more look, or in a second.
            wait_s = _LOOK_S if writer.look() else _ASLEEP_S
        if poll.poll(wait_s * 1000) and not os.read(pipe, 64):
            writer.close()
            return
        ring.asleep = False


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # it was collected just now
        return 0


if __name__ == "__main__":
    # The end of the interpreter would close views of the memory in the wrong order.
    os._exit(main(sys.argv[1:]))
