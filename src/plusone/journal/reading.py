"""Reads segments of a journal. Records of one length that follow each other are checked and returned as one array.

The checksum of many equally long messages at once: CRC-32 is affine over the bits of a message, so it is the checksum
of as many zeros, XORed for each byte with a number that depends on that byte and on its distance from the end alone
(Williams, "A painless guide to CRC error detection algorithms", 1993, for the table). One table of 256 numbers for each
distance makes it one look-up per byte, done for all messages in one call of numpy.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..base.errors import StoreError
from .log import HEAD_BYTES, MAGIC, MOST_BYTES

__all__ = ["Block", "Reading", "Scan", "checksums", "read", "read_bytes", "scan"]

_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_NOT_ZERO = re.compile(rb"[^\0]")
_POLYNOMIAL = 0xEDB88320
# As much at once as stays in the processor's cache; the table of longer records would not.
_WINDOW_BYTES = 512 * 1024
_MOST_TOGETHER = 1024
# Below it, going record by record is as fast.
_FEW = 4


class Block(NamedTuple):
    """Records of one length that follow each other: uint8, one row each, a view of the bytes that were read."""

    rows: npt.NDArray[np.uint8]
    place: int
    """Where the first of them begins, with its head."""


class Scan(NamedTuple):
    """What a stretch of a segment holds: its whole records, and how many bytes of it belong to none."""

    blocks: list[Block]
    torn_bytes: int


class Reading(NamedTuple):
    """What a segment holds: its whole records, and how many bytes in it belong to none."""

    records: list[bytes]
    torn_bytes: int


def read(path: Path) -> Reading:
    """Return the whole records of a segment, in order; torn or damaged ones are left out and their bytes counted.

    Raises:
        StoreError: when the file can't be read, or is no segment of a journal.
    """
    found = scan(read_bytes(path))
    return Reading([row.tobytes() for block in found.blocks for row in block.rows], found.torn_bytes)


def read_bytes(path: Path, begin: int = 0, end: int | None = None) -> bytes:
    """Return the bytes of a segment from `begin` to `end`, or to the end of the file.

    Raises:
        FileNotFoundError: when it is not there (any more).
        StoreError: when it can't be read, or is no segment of a journal.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(len(MAGIC))
            if not MAGIC.startswith(head):
                raise StoreError(f"{path} is no journal: it begins with {head!r}, expected {MAGIC!r}.")
            size = os.fstat(stream.fileno()).st_size if end is None else end
            stream.seek(begin)
            return stream.read(max(0, size - begin))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"The journal {path} can't be read: {error}.") from error


def scan(data: bytes, begin: int = len(MAGIC)) -> Scan:
    """Return the records in `data` from `begin` on. Zeros behind the last one are room that was not used.

    Bytes that are no record (the torn end of a killed writer, a flipped bit) are stepped over, and the records behind
    them are found again.
    """
    blocks: list[Block] = []
    written = len(data.rstrip(b"\0"))
    place = min(begin, len(data))
    torn = min(place, written) if len(data) < begin else 0
    while place + HEAD_BYTES <= len(data):
        if _is_record(data, place):
            rows = _rows_at(data, place)
            blocks.append(Block(rows, place))
            place += rows.shape[0] * (HEAD_BYTES + rows.shape[1])
        elif place < written:
            after = min(_next_place(data, place), len(data))
            torn += min(after, written) - place
            place = after
        else:
            break
    return Scan(blocks, torn + max(0, written - place))


def checksums(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return the CRC-32 of each row, as `zlib.crc32` gives it."""
    count, length = rows.shape
    found = np.full(count, zlib.crc32(bytes(length)), np.uint32)
    if length:
        table = _table_of(length)
        offsets = np.arange(0, 256 * length, 256)
        window = _WINDOW_BYTES // length
        for begin in range(0, count, window):
            places = rows[begin : begin + window] + offsets
            found[begin : begin + window] ^= np.bitwise_xor.reduce(np.take(table, places), axis=1)
    return found


@cache
def _table_of(length: int) -> npt.NDArray[np.uint32]:
    """Return what each value of a byte does to the checksum: 256 numbers for each position in a message."""
    numbers = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        numbers = np.where(numbers & 1, (numbers >> 1) ^ np.uint32(_POLYNOMIAL), numbers >> 1).astype(np.uint32)
    lines = [numbers]
    while len(lines) < length:
        lines.append((numbers[lines[-1] & 0xFF] ^ (lines[-1] >> 8)).astype(np.uint32))
    return np.concatenate(lines[::-1])


def _is_record(data: bytes, place: int) -> bool:
    length, checksum = _HEAD.unpack_from(data, place)
    begin = place + HEAD_BYTES
    if length > MOST_BYTES or length > len(data) - begin:
        return False
    seed = zlib.crc32(_LENGTH.pack(length))
    return zlib.crc32(memoryview(data)[begin : begin + length], seed) == checksum


def _next_place(data: bytes, place: int) -> int:
    """Return the next place at which a record can begin: its head is not all zeros."""
    found = _NOT_ZERO.search(data, place + 1)
    return len(data) if found is None else max(place + 1, found.start() - HEAD_BYTES + 1)


def _rows_at(data: bytes, place: int) -> npt.NDArray[np.uint8]:
    """Return the record at `place`, which is whole, and those of its length behind it."""
    (length,) = _LENGTH.unpack_from(data, place)
    stride = HEAD_BYTES + length
    most = (len(data) - place) // stride
    ahead = place + _FEW * stride
    if most <= _FEW or _LENGTH.unpack_from(data, ahead)[0] != length or length > _MOST_TOGETHER:
        return _rows(data, place, 1, stride)[:, HEAD_BYTES:]
    count = 1
    while count < most:
        window = _rows(data, place + count * stride, min(_WINDOW_BYTES // stride, most - count), stride)
        good = _count_whole(window, length)
        count += good
        if good < window.shape[0]:
            break
    return _rows(data, place, count, stride)[:, HEAD_BYTES:]


def _count_whole(window: npt.NDArray[np.uint8], length: int) -> int:
    """Return how many of these records, from the first on, have this length and the checksum that they say."""
    heads = np.ascontiguousarray(window[:, :HEAD_BYTES]).view("<u4")
    other = np.flatnonzero(heads[:, 0] != length)
    count = int(other[0]) if len(other) else window.shape[0]
    if count == 0:
        return 0
    # The checksum is over the length and the bytes: of the length alone it is a number that the bytes' own is moved by.
    nothing = bytes(length)
    moved = zlib.crc32(nothing, zlib.crc32(_LENGTH.pack(length))) ^ zlib.crc32(nothing)
    wrong = np.flatnonzero(checksums(window[:count, HEAD_BYTES:]) ^ np.uint32(moved) != heads[:count, 1])
    return int(wrong[0]) if len(wrong) else count


def _rows(data: bytes, place: int, count: int, stride: int) -> npt.NDArray[Any]:
    return np.frombuffer(data, np.uint8, count * stride, place).reshape(count, stride)
