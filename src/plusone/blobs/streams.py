"""Streams that digest what goes through: copied in one reading, hashed and written at once; or checked at the end."""

from __future__ import annotations

import hashlib
import io
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

__all__ = ["Checked", "Counted", "copy_digesting"]

_PIECE_BYTES = 1 << 20
_PIECES = 8
_SYNC_BYTES = 32 << 20


def copy_digesting(reader: BinaryIO, writer: BinaryIO, *, durable: bool) -> str:
    """Copy all of `reader` to `writer` and return the sha256 of it.

    Args:
        durable: begin early to bring it to the disk, so that the caller's fsync at the end is short.

    Raises:
        OSError: when reading or writing fails.
    """
    free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
    first = bytearray(_PIECE_BYTES)
    count = reader.readinto(first)  # type: ignore[attr-defined]  # a file opened unbuffered or buffered has it
    if count < _PIECE_BYTES:
        # Most files are small: threads would cost more than they save.
        piece = bytes(memoryview(first)[:count])
        digest = hashlib.sha256(piece)
        writer.write(piece)
        while piece := reader.read(_PIECE_BYTES):
            digest.update(piece)
            writer.write(piece)
        return digest.hexdigest()
    for _ in range(_PIECES - 1):
        free.put(bytearray(_PIECE_BYTES))
    with _Hasher(free) as hasher, _Syncer(writer, durable) as syncer:
        piece = first
        while count:
            part = memoryview(piece)[:count]
            hasher.add(part, piece)
            writer.write(part)
            syncer.written(count)
            piece = free.get()
            count = reader.readinto(piece)  # type: ignore[attr-defined]  # as above
    return hasher.digest.hexdigest()


class Counted:
    """A stream that tells of each piece that is read from it."""

    def __init__(self, reader: io.FileIO, on_bytes: Callable[[int], object]) -> None:
        self._reader = reader
        self._on_bytes = on_bytes

    def readinto(self, buffer: bytearray) -> int:
        """Fill the buffer as far as there are bytes, and return how many there were."""
        count = self._reader.readinto(buffer) or 0
        self._on_bytes(count)
        return count

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes."""
        piece = self._reader.read(size) or b""
        self._on_bytes(len(piece))
        return piece


class _Hasher(threading.Thread):
    """Digests pieces in the order in which they were added and gives their buffers back."""

    def __init__(self, free: queue.SimpleQueue[bytearray]) -> None:
        super().__init__(daemon=True)
        self.digest = hashlib.sha256()
        self._free = free
        self._pieces: queue.SimpleQueue[tuple[memoryview, bytearray] | None] = queue.SimpleQueue()

    def add(self, part: memoryview, buffer: bytearray) -> None:
        self._pieces.put((part, buffer))

    def run(self) -> None:
        while (item := self._pieces.get()) is not None:
            self.digest.update(item[0])
            self._free.put(item[1])

    def __enter__(self) -> _Hasher:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.put(None)
        self.join()


class _Syncer(threading.Thread):
    """Brings to the disk what was written so far, while more is written."""

    def __init__(self, writer: BinaryIO, durable: bool) -> None:
        super().__init__(daemon=True)
        self._writer = writer
        self._durable = durable
        self._waiting = 0
        self._due = threading.Event()
        self._ended = False
        self._error: OSError | None = None

    def written(self, count: int) -> None:
        self._waiting += count
        if self._durable and self._waiting >= _SYNC_BYTES:
            self._waiting = 0
            self._due.set()
        if self._error:
            raise self._error

    def run(self) -> None:
        while self._due.wait() and not self._ended:
            self._due.clear()
            try:
                os.fdatasync(self._writer.fileno())
            except OSError as error:
                # The kernel tells of a lost page once: whoever waits for the end must hear it.
                self._error = error

    def __enter__(self) -> _Syncer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._due.set()
        self.join()
        if self._error:
            raise self._error


class Checked(io.RawIOBase):
    """A stream of pieces that gives its last bytes only when all of them have the digest that is expected.

    Args:
        changed: makes the error for another digest.
        on_close: called when the stream is closed.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        size: int,
        digest: str,
        changed: Callable[[str], Exception],
        on_close: Callable[[], None],
    ) -> None:
        self._pieces = pieces
        self._left = size
        self._expected = digest
        self._changed = changed
        self._on_close = on_close
        self._digest = hashlib.sha256()
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there are bytes, and return how many there were; 0 at the end."""
        room = memoryview(buffer).cast("B")
        if not self._piece:
            piece = next(self._pieces, b"")
            self._digest.update(piece)
            self._left -= len(piece)
            # Looked at before the last piece is given: nobody gets all bytes of a blob that is damaged.
            if self._left <= 0 or not piece:
                self._digest.update(next(self._pieces, b""))
                if self._digest.hexdigest() != self._expected:
                    raise self._changed(self._digest.hexdigest())
            self._piece = memoryview(piece)
        count = min(len(room), len(self._piece))
        room[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        """Close what the pieces come from."""
        if not self.closed:
            self._on_close()
        super().close()
