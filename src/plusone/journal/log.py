"""A file of checksummed records. What `append` returned from is in the kernel: it outlives `kill -9` of the writer.

Format: the 8 bytes `PLUSJRN1`, then per record its length and its CRC-32 (both little-endian, 32 bits) and its bytes.
"""

from __future__ import annotations

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
    """A journal that one process appends to.

    Opening one that ends in a torn record (its writer was killed in the middle) cuts the torn end off first.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        if path.exists() and (found := read(path)).torn_bytes:
            os.truncate(path, found.whole_bytes)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if os.fstat(self._descriptor).st_size == 0:
            os.write(self._descriptor, _MAGIC)

    def append(self, record: bytes) -> None:
        """Add one record. When this returns it survives the death of this process.

        Raises:
            StoreError: when the disk is full, or the record is over 64 MiB.
        """
        if len(record) > _MOST_BYTES:
            raise StoreError(
                f"A record of {len(record)} bytes is too long for {self.path}: expected at most {_MOST_BYTES}."
            )
        data = _HEAD.pack(len(record), zlib.crc32(record)) + record
        try:
            # One write call: with O_APPEND the kernel puts it at the end, whole.
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise StoreError(f"{self.path} can't be written: {error}.") from error
        if written != len(data):
            os.truncate(self.path, os.fstat(self._descriptor).st_size - written)
            raise StoreError(f"{self.path} can't be written: the disk is full.", mend="free some space")

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Reading(NamedTuple):
    """What a journal holds: its whole records, where they end, and how many bytes of a torn end follow."""

    records: list[bytes]
    whole_bytes: int
    torn_bytes: int


def read(path: Path) -> Reading:
    """Return the whole records of a journal; a torn or damaged end is left out and counted.

    Raises:
        StoreError: when the file is no journal.
    """
    data = path.read_bytes()
    if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
        raise StoreError(f"{path} is no journal: it begins with {data[:8]!r}, expected {_MAGIC!r}.")
    place = min(len(_MAGIC), len(data))
    records: list[bytes] = []
    if place < len(_MAGIC):
        return Reading(records, 0, place)
    while place + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, place)
        record = data[place + _HEAD.size : place + _HEAD.size + length]
        if len(record) != length or zlib.crc32(record) != checksum:
            break
        records.append(record)
        place += _HEAD.size + length
    return Reading(records, place, len(data) - place)
