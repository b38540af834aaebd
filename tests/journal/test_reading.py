"""Segments as they come from a disk: cut, flipped, foreign; and checksums of many records at once."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import StoreError
from plusone.journal import Journal
from plusone.journal.reading import checksums, read, read_bytes, scan

RECORDS = [b"first", b"", b"\x00" * 20, b"PLUSJRN1", b"x" * 300]


def written(folder: Path, records: list[bytes]) -> bytes:
    """Return a segment with these records, without the room behind them."""
    journal = Journal(folder)
    for record in records:
        journal.append(record)
    [segment] = journal.segments()
    journal.close()
    return segment.path.read_bytes()[: segment.end]


def test_a_segment_cut_at_any_byte_keeps_every_record_before_the_cut(tmp_path: Path) -> None:
    data = written(tmp_path / "j", RECORDS)
    ends = [8]
    for record in RECORDS:
        ends.append(ends[-1] + 8 + len(record))
    path = tmp_path / "cut"
    for length in range(len(data) + 1):
        for room in (0, 5000):
            path.write_bytes(data[:length] + bytes(room if length >= 8 else 0))
            found = read(path)
            whole = [record for record, end in zip(RECORDS, ends[1:], strict=True) if end <= length]
            # A record of which only zeros are missing is whole when there is room behind it.
            assert found.records[: len(whole)] == whole
            assert found.records == RECORDS[: len(found.records)]
            assert found.torn_bytes <= length - (ends[len(whole)] if length >= 8 else 0)
            if len(found.records) == len(whole) and data[:length].endswith((b"x", b"s", b"t", b"1")) and length > 8:
                assert found.torn_bytes == length - ends[len(whole)]


@pytest.mark.parametrize("count", [5, 60])
def test_a_flipped_bit_loses_its_own_record_and_no_other(tmp_path: Path, count: int) -> None:
    records = [b"%03d-some-words" % number for number in range(count)]
    data = written(tmp_path / "j", records)
    size = 8 + len(records[0])
    for place in range(8, len(data), 1 if count == 5 else 7):
        for bit in (0, 3, 7):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            hit = (place - 8) // size
            found = scan(bytes(damaged) + bytes(100))
            rows = [row.tobytes() for block in found.blocks for row in block.rows]
            assert rows == records[:hit] + records[hit + 1 :], (place, bit)
            assert found.torn_bytes == size


def test_zeros_behind_the_last_record_are_room_and_zeros_between_records_are_damage(tmp_path: Path) -> None:
    data = written(tmp_path / "j", [b"one"])
    second = data[8:]
    assert scan(data + bytes(5000)).torn_bytes == 0
    found = scan(data + bytes(5000) + second)
    assert [row.tobytes() for block in found.blocks for row in block.rows] == [b"one", b"one"]
    assert found.torn_bytes == 5000
    assert scan(b"PLUSJRN1" + bytes(8 << 20)) == ([], 0)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.segment"
    path.write_bytes(b"PLUSJRN1" + data)
    found = read(path)
    used = sum(8 + len(record) for record in found.records) + found.torn_bytes
    assert len(data.rstrip(b"\0")) <= used <= len(data)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=12), st.integers(0, 2**32))
def test_runs_of_equal_and_other_lengths_come_back(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]], seed: int
) -> None:
    chance = random.Random(seed)
    records = [chance.randbytes(length) for length, count in runs for _ in range(count)]
    if not records:
        return
    data = written(tmp_path_factory.mktemp("runs"), records)
    found = scan(data + bytes(chance.randrange(100)))
    assert [row.tobytes() for block in found.blocks for row in block.rows] == records
    assert found.torn_bytes == 0
    for block in found.blocks:
        assert data[block.place + 8 : block.place + 8 + block.rows.shape[1]] == block.rows[0].tobytes()


def test_many_equal_records_are_one_block(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    records = [os.urandom(28) for _ in range(40_000)]
    for record in records:
        journal.append(record)
    blocks = [scan(read_bytes(segment.path)).blocks for segment in journal.segments()]
    assert [len(found) for found in blocks] == [1] * len(blocks)
    assert np.concatenate([found[0].rows for found in blocks]).tobytes() == b"".join(records)
    journal.close()


@given(st.integers(0, 70), st.integers(0, 50), st.integers(0, 2**32))
def test_checksums_are_those_of_zlib(length: int, count: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 256, (count, length), np.uint8)
    assert checksums(rows).tolist() == [zlib.crc32(row.tobytes()) for row in rows]


def test_checksums_of_more_rows_than_are_done_at_once() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (20_000, 3), np.uint8)
    assert checksums(rows).tolist() == [zlib.crc32(row.tobytes()) for row in rows]


@pytest.mark.parametrize("head", [b"PLUSJRN2", b"SQLite format 3", b"x", b"PLUSJRX"])
def test_what_is_no_journal_is_refused(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(head)
    with pytest.raises(StoreError, match="is no journal"):
        read(path)
    assert path.read_bytes() == head


def test_what_can_not_be_read_is_said_and_what_is_gone_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be read"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone")


def test_a_part_of_a_segment_is_read(tmp_path: Path) -> None:
    data = written(tmp_path, [b"one", b"two"])
    [path] = tmp_path.iterdir()
    assert read_bytes(path, 19, 30) == data[19:30]
    assert [row.tobytes() for block in scan(read_bytes(path, 19), 0).blocks for row in block.rows] == [b"two"]
