"""Writes a journal: a folder of memory-mapped segment files. What `append` returned from outlives `kill -9`.

A segment is the 8 bytes `PLUSJRN1`, then per record its length, a CRC-32 (both little-endian, 32 bits) and its bytes,
then zeros: room that was reserved and not used. The checksum is over the length and the bytes, so that a stretch of
zeros is no record. Each segment is written by one process, which holds a file lock on it until it has let go of it; a
segment that nobody holds belongs to whoever claims it first.

An append is a copy into the mapped file and no system call (a long record takes one): the kernel has the bytes when it
returns, whatever happens to the process. Room is reserved when a segment is begun, so that a full disk is an error
there, and not the end of the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..base.errors import StoreError
from ..base.ids import new_id

__all__ = ["HEAD_BYTES", "MAGIC", "MOST_BYTES", "Journal", "Segment", "claim", "is_held", "list_segments", "sweep"]

MAGIC = b"PLUSJRN1"
HEAD_BYTES = 8
"""What stands before each record: its length and its checksum."""
MOST_BYTES = 64 * 1024 * 1024
"""The longest record."""
_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_ENDING = ".segment"
_NEW = ".new-"
# Most runs log little: the first segments are small, later ones save on being begun.
_SIZES = (256 * 1024, 1024 * 1024, 4 * 1024 * 1024, 8 * 1024 * 1024)
_SHORT_BYTES = 1024
_LONG_BYTES = 8 * 1024
_ATTEMPTS = 20


class Segment(NamedTuple):
    """One file of a journal, and how far it is written."""

    path: Path
    end: int


class _File:
    """A segment that this process writes or has written: its descriptor holds the lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.end = len(MAGIC)

    def close(self) -> None:
        """Let go of it: from here on others may claim it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


_Shape = tuple[Callable[..., None], int, int]
_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


class Journal:
    """A journal of this process in `folder`. Threads may share it; a fork goes on in segments of its own.

    Nothing is made on disk before the first record.

    Args:
        head: called when a segment is begun; the records that it returns come first in it, so that each segment can be
            read without those before it.
        on_segment: called, with the journal locked, when a segment was begun behind another one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        head: Callable[[], Iterable[bytes]] = tuple,
        on_segment: Callable[[], None] | None = None,
    ) -> None:
        self.folder = folder
        self._head = head
        self._on_segment = on_segment
        self._shapes: dict[int, _Shape] = {}
        self._sealed = False
        self._begin_empty()
        _journals.add(self)

    def _begin_empty(self) -> None:
        # Re-entrant: a signal handler may append while the thread that it interrupted does.
        self._lock = threading.RLock()
        self._files: list[_File] = []
        self._begun = 0
        self._map: mmap.mmap | None = None
        self._place = 0
        self._most = 0

    def append(self, record: bytes) -> None:
        """Add one record. When this returns it survives the death of this process.

        Raises:
            StoreError: when the disk is full, the record is over 64 MiB, or the journal is closed.
        """
        length = len(record)
        with self._lock:
            shape = self._shapes.get(length)
            if shape is None:
                shape = self._shape(length)
            pack_into, seed, size = shape
            # The lock does not keep a signal handler out that appends, too. None runs before the next call of a
            # function, and by then the place is ours; it may then begin another segment, so the map is kept as well.
            while (end := (place := self._place) + size) > self._most:
                self._begin_segment(size)
            mapped, file = self._map, self._files[-1]
            self._place = end
            if size < _LONG_BYTES:
                pack_into(mapped, place, length, zlib.crc32(record, seed), record)
            else:
                _write_long(file, place, _HEAD.pack(length, zlib.crc32(record, seed)), record)

    def segments(self) -> list[Segment]:
        """Return the segments that this process holds, the oldest first, and how far each is written."""
        with self._lock:
            if self._map is not None:
                self._files[-1].end = self._place
            return [Segment(file.path, file.end) for file in self._files]

    def size_bytes(self) -> int:
        """Return how many bytes the segments hold that this process has not removed."""
        return sum(segment.end for segment in self.segments())

    def remove(self, path: Path, end: int) -> bool:
        """Remove a segment if it is not written to any more and ends there, and say so.

        What it held must be elsewhere by now, up to `end`: one that was written further meanwhile stays.
        """
        with self._lock:
            for file in self._files:
                is_current = self._map is not None and file is self._files[-1]
                if file.path == path and file.end == end and not is_current:
                    # The name goes before the lock: nobody can claim it in between.
                    path.unlink(missing_ok=True)
                    file.close()
                    self._files.remove(file)
                    return True
        return False

    def let_go(self) -> None:
        """Let go of what was written so far, cut to its length: others may claim it from here on.

        The next record begins another segment, which is small again.
        """
        with self._lock:
            self._retire()
            for file in self._files:
                # Room that was reserved and not used is given back; where that fails it stays, as zeros.
                with contextlib.suppress(OSError):
                    os.ftruncate(file.descriptor, file.end)
                file.close()
            self._files = []
            self._begun = 0

    def seal(self) -> None:
        """Take no more records. The segments stay held until `close`, so that what they hold can be moved."""
        with self._lock:
            self._sealed = True
            self._retire()

    def close(self) -> None:
        """Take no more records and let go of the segments; safe to call twice."""
        self.seal()
        with self._lock:
            for file in self._files:
                file.close()
            self._files = []

    def _shape(self, length: int) -> _Shape:
        """Return how a record of this length is written: a function, the checksum of the length, and the size."""
        if length > MOST_BYTES:
            raise StoreError(
                f"A record of {length} bytes is too long for the journal {self.folder}: expected at most {MOST_BYTES}."
            )
        packer = struct.Struct(f"<II{length}s")
        shape = (packer.pack_into, zlib.crc32(_LENGTH.pack(length)), packer.size)
        if length <= _SHORT_BYTES:
            self._shapes[length] = shape
        return shape

    def _begin_segment(self, size: int) -> None:
        if self._sealed:
            raise StoreError(f"The journal {self.folder} can't be written: it was closed by this process.")
        head = b"".join(_framed(record) for record in self._head())
        need = len(MAGIC) + len(head) + size
        file, mapped = _make(self.folder, max(need, _SIZES[min(self._begun, len(_SIZES) - 1)]))
        begin = file.end = len(MAGIC) + len(head)
        mapped[:begin] = MAGIC + head
        most = len(mapped)
        # From here on no function is called, so that no signal handler sees half of it.
        if self._map is not None:
            self._files[-1].end = self._place
        self._files = [*self._files, file]
        # The map of before is closed when the last append that knows it has ended.
        self._map, self._place, self._most = mapped, begin, most
        self._begun += 1
        if self._on_segment is not None and self._begun > 1:
            self._on_segment()

    def _retire(self) -> None:
        if self._map is not None:
            self._files[-1].end = self._place
            self._map = None
            self._place = self._most = 0

    def after_fork(self) -> None:
        """Let go, in a forked child, of what belongs to its parent: the child begins with segments of its own."""
        files = self._files
        self._begin_empty()
        for file in files:
            # The lock is the parent's as long as the parent holds the file open; closing our copy leaves it alone.
            file.close()


def _write_long(file: _File, place: int, head: bytes, record: bytes) -> None:
    """Write a record by the kernel's own way. It is as safe from the death of this process as the map is.

    The first touch of a mapped page costs as much as writing several, and other threads wait meanwhile.
    """
    left = memoryview(head + record)
    while left:
        done = os.pwrite(file.descriptor, left, place)
        left, place = left[done:], place + done


def list_segments(folder: Path) -> list[Path]:
    """Return the segments in a journal's folder, those of one process in the order in which they were written."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(_ENDING))
    return []


def is_held(folder: Path) -> bool:
    """Say whether a living process holds a segment in this folder."""
    for path in list_segments(folder):
        with claim(path) as claimed:
            if not claimed and path.exists():
                return True
    return False


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Give whether the segment is ours while the block runs: its writer is gone, and nobody else has claimed it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that another claimed before us, and removed, is gone.
            ours = os.fstat(descriptor).st_nlink > 0
        except BlockingIOError:
            ours = False
        yield ours
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what a process left that was killed while it began a segment, and the folder when it is empty."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.glob(f"{_NEW}*"):
            with claim(path) as claimed:
                if claimed:
                    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it is not there, or not empty
        folder.rmdir()


def _framed(record: bytes) -> bytes:
    length = _LENGTH.pack(len(record))
    return length + _LENGTH.pack(zlib.crc32(record, zlib.crc32(length))) + record


def _make(folder: Path, size: int) -> tuple[_File, mmap.mmap]:
    for _ in range(_ATTEMPTS):
        try:
            return _make_once(folder, size)
        except FileNotFoundError:  # somebody swept it, or its folder, while it was not locked yet
            continue
        except OSError as error:
            raise StoreError(
                f"The journal {folder} can't be written: there is no room for {size} more bytes ({error.strerror}).",
                mend="free some space on that disk; what was logged before is kept",
            ) from error
    raise StoreError(f"The journal {folder} can't be written: its files are removed as they are made.")


def _make_once(folder: Path, size: int) -> tuple[_File, mmap.mmap]:
    folder.mkdir(parents=True, exist_ok=True)
    name = new_id()
    hidden, path = folder / f"{_NEW}{name}", folder / f"{name}{_ENDING}"
    descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        # Locked and reserved under another name: whoever sees a segment sees it held and whole.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(descriptor, 0, size)
        mapped = mmap.mmap(descriptor, size)
        mapped[: len(MAGIC)] = MAGIC
        os.rename(hidden, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise FileNotFoundError(hidden) from error
        raise
    return _File(path, descriptor), mapped


def _after_fork() -> None:
    for journal in list(_journals):
        journal.after_fork()


os.register_at_fork(after_in_child=_after_fork)
