"""What was appended is read back, whatever happens to the file or to the process."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import StoreError
from plusone.journal import Journal, read

RECORDS = [b"first", b"", b"\x00" * 20, b"PLUSJRN1", b"x" * 300]

_WRITER = """
import sys
from pathlib import Path
from plusone.journal import Journal
journal = Journal(Path(sys.argv[1]))
who, size = sys.argv[2].encode(), int(sys.argv[3])
for number in range(int(sys.argv[4])):
    journal.append(b"%s:%d:" % (who, number) + b"." * size)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def written(path: Path, records: list[bytes]) -> bytes:
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()
    return path.read_bytes()


def start(path: Path, who: str, size: int, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), who, str(size), str(count)], stdout=subprocess.PIPE
    )


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=100), max_size=10))
def test_records_come_back_in_order(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("journal") / "deep" / "log.journal"
    written(path, records)
    assert read(path) == (records, 0)


def test_a_file_cut_at_any_byte_keeps_every_record_before_the_cut_and_can_be_appended_to(tmp_path: Path) -> None:
    data = written(tmp_path / "whole", RECORDS)
    ends = [8]
    for record in RECORDS:
        ends.append(ends[-1] + 8 + len(record))
    path = tmp_path / "cut"
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        kept = max((place for place, end in enumerate(ends) if end <= length), default=0)
        found = read(path)
        assert found.records == RECORDS[:kept]
        assert found.torn_bytes == length - (ends[kept] if length >= 8 else 0)
        journal = Journal(path)
        journal.append(b"after the cut")
        journal.close()
        assert read(path).records == [*RECORDS[:kept], b"after the cut"]


def test_a_flipped_bit_loses_its_own_record_and_no_other(tmp_path: Path) -> None:
    records = [b"%03d-some-words" % number for number in range(5)]
    data = written(tmp_path / "whole", records)
    path = tmp_path / "flipped"
    for place in range(8, len(data)):
        for bit in (0, 3, 7):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            hit = (place - 8) // (8 + len(records[0]))
            found = read(path)
            assert found.records == records[:hit] + records[hit + 1 :], (place, bit)
            assert found.torn_bytes == 8 + len(records[0])


def test_opening_never_cuts_off_what_was_written(tmp_path: Path) -> None:
    data = bytearray(written(tmp_path / "j", RECORDS))
    data[10] ^= 1
    (tmp_path / "j").write_bytes(data)
    written(tmp_path / "j", [b"new"])
    assert (tmp_path / "j").read_bytes()[: len(data)] == data
    assert read(tmp_path / "j").records == [*RECORDS[1:], b"new"]


def test_a_stretch_of_zeros_holds_no_records(tmp_path: Path) -> None:
    data = written(tmp_path / "j", [b"one"])
    (tmp_path / "j").write_bytes(data + bytes(5000))
    assert read(tmp_path / "j") == ([b"one"], 5000)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.journal"
    path.write_bytes(b"PLUSJRN1" + data)
    found = read(path)
    assert sum(8 + len(record) for record in found.records) + found.torn_bytes == len(data)


@pytest.mark.parametrize("head", [b"PLUSJRN2", b"SQLite format 3", b"x", b"PLUSJRX"])
def test_what_is_no_journal_is_refused_and_not_written_to(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(head)
    for use in (read, Journal):
        with pytest.raises(StoreError, match="is no journal"):
            use(path)
    assert path.read_bytes() == head


def test_a_record_of_over_64_mib_is_refused_and_the_journal_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(StoreError, match="too long"):
        journal.append(bytes(64 * 1024 * 1024 + 1))
    journal.append(b"small")
    journal.close()
    assert read(tmp_path / "j").records == [b"small"]


def test_a_closed_journal_says_so_and_closes_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="can't be written"):
        journal.append(b"x")


def test_every_acknowledged_record_outlives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(7)
    path = tmp_path / "j"
    acknowledged: dict[bytes, int] = {}
    for life in range(20):
        process = start(path, str(life), chance.choice([0, 50, 9000]), 10**9)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 200)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        lines = rest.splitlines(keepends=True)
        # The last line may be torn; it was printed after its record was appended, so any part of it counts as well.
        acknowledged[str(life).encode()] = (
            int(lines[-2] if lines[-1:] and lines[-1][-1:] != b"\n" else lines[-1]) if lines[1:] else 0
        )
    found = read(path)
    seen: dict[bytes, list[int]] = {}
    for record in found.records:
        who, number, rest = record.split(b":", 2)
        assert set(rest) <= {ord(".")}
        seen.setdefault(who, []).append(int(number))
    for who, last in acknowledged.items():
        assert seen[who][: last + 1] == list(range(last + 1)), who
        assert seen[who] == list(range(len(seen[who])))


def test_several_processes_append_to_one_new_file(tmp_path: Path) -> None:
    path = tmp_path / "j"
    processes = [start(path, who, 3000, 150) for who in "abc"]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = read(path)
    assert found.torn_bytes == 0
    by_process = [[r.split(b":")[1] for r in found.records if r[:1] == who] for who in (b"a", b"b", b"c")]
    assert by_process == [[str(number).encode() for number in range(150)]] * 3


def test_a_full_disk_is_said_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    acknowledged = 0

    def fill() -> None:
        nonlocal acknowledged
        while True:
            journal.append(b"%04d" % acknowledged + b"." * 100)
            acknowledged += 1

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="can't be written"):
                fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append(b"there is room again")
    journal.close()
    assert acknowledged == 8
    assert [record[:4] for record in read(path).records] == [b"%04d" % n for n in range(8)] + [b"ther"]


def test_a_full_disk_at_the_first_byte_is_a_store_error_and_leaks_no_file(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="can't be written"):
                Journal(tmp_path / "j")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(tmp_path / "j").records == []
    with pytest.raises(StoreError):
        Journal(tmp_path)
    written(tmp_path / "j", [b"room again"])
    assert read(tmp_path / "j") == ([b"room again"], 0)
    assert len(os.listdir("/proc/self/fd")) == before
