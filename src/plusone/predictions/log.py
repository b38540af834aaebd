"""Logs predictions beside the event loop: handing them over is an append, and a thread writes them to the journal.

Nothing here waits for a disk, raises into an answer or grows without bound. Whatever has no room, in memory or on disk,
is dropped and counted. A worker that is killed loses the tenth of a second that was not written yet; labels have
another law, and another file.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.errors import StoreError
from ..journal import Journal, list_segments
from .layout import Entry, encode_batches

__all__ = ["MOST_BODY_BYTES", "PredictionLog"]

MOST_BODY_BYTES = 1024 * 1024
"""Requests and answers that are larger are not logged; the prediction is, without them."""
_MOST_QUEUED_BYTES = 32 * 1024 * 1024
_ENTRY_BYTES = 100
# The interpreter's lock is not given up while a record is put together, so records are short.
_RECORD_BYTES = 64 * 1024
_WRITE_S = 0.1
_ROTATE_S = 1.0
_LOOK_S = 0.5
_BROKEN_S = 1.0
_CLOSE_S = 10.0


class PredictionLog:
    """The prediction log of one worker, in a folder that all workers share.

    Args:
        folder: where segments are written; whoever collects claims them there, a second after their first record.
        max_bytes: how much may lie there that is not collected yet, of all workers.

    Attributes:
        logged: how many predictions are in the journal.
        dropped: how many were left out because there was no room for them.
        bytes: how many bytes of records were written.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.logged = 0
        self.dropped = 0
        self.bytes = 0
        self._max_bytes = max_bytes
        self._journal = Journal(folder)
        self._queue: deque[tuple[int, tuple[Any, ...]]] = deque()
        # Each counted by one thread alone, so that neither needs a lock: what is queued is the difference.
        self._bytes_in = 0
        self._bytes_out = 0
        self._dropped_in = 0
        self._dropped_out = 0
        self._idle = True
        self._closed = False
        self._awake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._begun_at: float | None = None
        self._others_bytes = 0
        self._look_at = 0.0
        self._try_at = 0.0

    def log(self, model: str, release: int, package: str, entries: Sequence[Entry], at: float) -> None:
        """Hand over the predictions of one batch. They are written a tenth of a second later; nothing is copied.

        To be called by one thread, that of the loop. Neither `entries` nor a body in it may change any more.

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
        if self._closed or self._bytes_in - self._bytes_out + size > _MOST_QUEUED_BYTES:
            self._dropped_in += len(entries)
            self.dropped = self._dropped_in + self._dropped_out
            return
        self._bytes_in += size
        self._queue.append((size, (model, release, package, at, entries)))
        if self._idle:
            self._wake()

    def close(self) -> None:
        """Write what was handed over, take no more and let go of the segments; safe to call twice."""
        self._closed = True
        self._ended.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        if self._thread is None or not self._thread.is_alive():
            self._write()
        self._journal.let_go()
        self._journal.close()

    def _wake(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="plusone-predictions", daemon=True)
            self._idle = False
            try:
                thread.start()
            except RuntimeError:  # there are too many threads: it is tried again with the next batch
                self._idle = True
                return
            self._thread = thread
            return
        self._idle = False
        self._awake.set()

    # -------------------------------------------------------------------------------------------- in the background

    def _work(self) -> None:
        while not self._ended.wait(_WRITE_S):
            self._write()
            if self._begun_at is not None and time.monotonic() - self._begun_at >= _ROTATE_S:
                self._journal.let_go()
                self._begun_at = None
            if self._begun_at is None and not self._queue:
                self._sleep()

    def _sleep(self) -> None:
        """Wait for a batch; whoever handed one over before it could see that we do is seen here."""
        self._idle = True
        if not self._queue and not self._closed:
            self._awake.wait()
        self._idle = False
        self._awake.clear()

    def _write(self) -> None:
        """Write what is queued at this moment, several batches to a record."""
        queue = self._queue
        batches: list[tuple[Any, ...]] = []
        size = 0
        for _ in range(len(queue)):
            one, batch = queue.popleft()
            batches.append(batch)
            size += one
            if size >= _RECORD_BYTES:
                self._put(batches, size)
                batches, size = [], 0
        if batches:
            self._put(batches, size)

    def _put(self, batches: list[tuple[Any, ...]], size: int) -> None:
        count = sum(len(batch[4]) for batch in batches)
        now = time.monotonic()
        if now >= self._try_at and self._has_room(now, size):
            try:
                record = encode_batches(batches)
                self._journal.append(record)
            except (StoreError, TypeError, ValueError):
                # The disk is full, or what was handed over is no prediction: the next second may be better.
                self._try_at = now + _BROKEN_S
                self._drop(count)
            else:
                self.logged += count
                self.bytes += len(record)
                if self._begun_at is None:
                    self._begun_at = now
        else:
            self._drop(count)
        self._bytes_out += size

    def _drop(self, count: int) -> None:
        self._dropped_out += count
        self.dropped = self._dropped_in + self._dropped_out

    def _has_room(self, now: float, size: int) -> bool:
        """Say whether the folder may hold so many more bytes; what others have in it is looked at twice a second."""
        own = self._journal.segments()
        if now >= self._look_at:
            mine = {segment.path for segment in own}
            self._others_bytes = sum(_size(path) for path in list_segments(self._journal.folder) if path not in mine)
            self._look_at = now + _LOOK_S
        return self._others_bytes + sum(segment.end for segment in own) + size <= self._max_bytes


def _short(body: Any) -> Any:
    return body if body is None or len(body) <= MOST_BODY_BYTES else None


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # it was collected just now
        return 0
