"""A file of checksummed records. What `append` returned from is in the kernel: it outlives `kill -9` of the writer.

Format: the 8 bytes `PLUSJRN1`, then per record its length, a CRC-32 (both little-endian, 32 bits) and its bytes. The
checksum is over the length and the bytes, so that a stretch of zeros is no record. Nothing that was written is ever cut
off: bytes that are no record (the torn end of a killed writer, a flipped bit) are stepped over by the reader, and the
records behind them are found again.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from ..base.errors import StoreError

__all__ = ["Journal", "Reading", "read"]

_MAGIC = b"PLUSJRN1"
_HEAD = struct.Struct("<II")
_MOST_BYTES = 64 * 1024 * 1024


class Journal:
    """A journal to append to; threads and processes may append to one file at once.

    Raises:
        StoreError: when the file can't be opened, or is no journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            # Only while it is begun: of two processes that open a new file, one writes its first bytes.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._begin()
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        except OSError as error:
            self.close()
            raise StoreError(f"{path} can't be written: {error}.") from error
        except StoreError:
            self.close()
            raise

    def _begin(self) -> None:
        head = os.pread(self._descriptor, len(_MAGIC), 0)
        _check_magic(self.path, head)
        if len(head) < len(_MAGIC):
            os.ftruncate(self._descriptor, 0)
            if os.write(self._descriptor, _MAGIC) < len(_MAGIC):
                raise StoreError(f"{self.path} can't be written: the disk is full.", mend="free some space")

    def append(self, record: bytes) -> None:
        """Add one record. When this returns it survives the death of this process.

        Raises:
            StoreError: when the disk is full, or the record is over 64 MiB.
        """
        if len(record) > _MOST_BYTES:
            raise StoreError(
                f"A record of {len(record)} bytes is too long for {self.path}: expected at most {_MOST_BYTES}."
            )
        data = _HEAD.pack(len(record), _checksum(record)) + record
        try:
            # One write call: with O_APPEND the kernel puts it at the end, whole.
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise StoreError(f"{self.path} can't be written: {error}.") from error
        if written != len(data):
            # What was written of it stays: another process may have appended behind it, and readers step over it.
            raise StoreError(f"{self.path} can't be written: the disk is full.", mend="free some space")

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Reading(NamedTuple):
    """What a journal holds: its whole records, and how many bytes in it belong to none."""

    records: list[bytes]
    torn_bytes: int


def read(path: Path) -> Reading:
    """Return the whole records of a journal, in order; torn or damaged ones are left out and their bytes counted.

    Raises:
        StoreError: when the file is no journal.
    """
    data = path.read_bytes()
    _check_magic(path, data[: len(_MAGIC)])
    if len(data) < len(_MAGIC):
        return Reading([], len(data))
    records: list[bytes] = []
    place, whole = len(_MAGIC), len(_MAGIC)
    while place + _HEAD.size <= len(data):
        record = _record_at(data, place)
        if record is None:
            place += 1
        else:
            records.append(record)
            place += _HEAD.size + len(record)
            whole += _HEAD.size + len(record)
    return Reading(records, len(data) - whole)


def _record_at(data: bytes, place: int) -> bytes | None:
    length, checksum = _HEAD.unpack_from(data, place)
    begin = place + _HEAD.size
    if length > min(_MOST_BYTES, len(data) - begin):
        return None
    record = data[begin : begin + length]
    return record if _checksum(record) == checksum else None


def _checksum(record: bytes) -> int:
    return zlib.crc32(record, zlib.crc32(len(record).to_bytes(4, "little")))


def _check_magic(path: Path, head: bytes) -> None:
    if not _MAGIC.startswith(head):
        raise StoreError(f"{path} is no journal: it begins with {head!r}, expected {_MAGIC!r}.")
