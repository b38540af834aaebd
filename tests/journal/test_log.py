"""What was appended is read back, whatever happens to the files or to the process."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import StoreError
from plusone.journal import Journal, claim, is_held, list_segments
from plusone.journal.log import sweep
from plusone.journal.reading import read

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


def records_in(folder: Path) -> list[bytes]:
    found: list[bytes] = []
    for path in list_segments(folder):
        reading = read(path)
        assert reading.torn_bytes == 0
        found += reading.records
    return found


def start(folder: Path, who: str, size: int, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), who, str(size), str(count)], stdout=subprocess.PIPE
    )


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@settings(max_examples=40)
@given(st.lists(st.one_of(st.binary(max_size=100), st.just(bytes(70_000))), max_size=10))
def test_records_come_back_in_order(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("journal") / "deep" / "folder"
    journal = Journal(folder)
    for record in records:
        journal.append(record)
    journal.close()
    assert records_in(folder) == records


def test_nothing_is_made_before_the_first_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    assert journal.segments() == []
    journal.close()
    assert not (tmp_path / "j").exists()


def test_each_segment_begins_with_the_head_and_whoever_waits_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    journal = Journal(tmp_path, head=lambda: [b"a", b"", b"c" * 5000], on_segment=lambda: told.append(1))
    for number in range(40):
        journal.append(b"%05d" % number + bytes(100_000))
    written = [read(segment.path).records for segment in journal.segments()]
    assert len(written) > 2
    assert len(told) == len(written) - 1
    assert all(records[:3] == [b"a", b"", b"c" * 5000] for records in written)
    assert [int(record[:5]) for records in written for record in records[3:]] == list(range(40))
    journal.close()


def test_a_record_longer_than_a_segment_gets_one_of_its_size(tmp_path: Path) -> None:
    records = [b"small", os.urandom(9 * 1024 * 1024), b"small again"]
    journal = Journal(tmp_path)
    for record in records:
        journal.append(record)
    with pytest.raises(StoreError, match="too long"):
        journal.append(bytes(64 * 1024 * 1024 + 1))
    journal.append(b"last")
    journal.close()
    assert records_in(tmp_path) == [*records, b"last"]


def test_the_end_of_a_segment_is_where_the_next_record_would_be(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"12345")
    assert [segment.end for segment in journal.segments()] == [8 + 8 + 5]
    assert journal.size_bytes() == 21
    journal.close()


def test_a_segment_is_held_until_its_journal_lets_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"x")
    [path] = list_segments(tmp_path)
    assert is_held(tmp_path)
    with claim(path) as ours:
        assert not ours
    journal.seal()
    assert is_held(tmp_path)
    journal.close()
    assert not is_held(tmp_path)
    with claim(path) as ours, claim(path) as second:
        assert ours
        assert not second
    with claim(tmp_path / "gone") as ours:
        assert not ours


def test_a_segment_is_removed_when_all_of_it_was_seen_and_it_is_not_written_any_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"x")
    [(path, early)] = journal.segments()
    assert not journal.remove(path, early), "it is written to"
    journal.append(b"y")
    journal.append(bytes(300_000))
    assert not journal.remove(path, early), "it was written on since"
    assert path.exists()
    (_, end), (second, _) = journal.segments()
    assert journal.remove(path, end)
    assert list_segments(tmp_path) == [second]
    journal.seal()
    [(second, end)] = journal.segments()
    assert journal.remove(second, end)
    assert list_segments(tmp_path) == []
    journal.close()


def test_what_was_left_while_a_segment_was_begun_is_swept_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "j"
    journal = Journal(folder)
    journal.append(b"x")
    (folder / ".new-left").write_bytes(b"PLU")
    sweep(folder)
    assert list(folder.iterdir()) == list_segments(folder)
    journal.seal()
    [(path, end)] = journal.segments()
    assert journal.remove(path, end)
    journal.close()
    sweep(folder)
    assert not folder.exists()
    sweep(folder)


def test_a_folder_that_is_swept_meanwhile_is_made_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    (tmp_path / "j").mkdir()
    sweep(tmp_path / "j")
    journal.append(b"x")
    journal.close()
    assert records_in(tmp_path / "j") == [b"x"]


def test_a_closed_journal_says_so_and_closes_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"x")
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="closed by this process"):
        journal.append(b"x")
    assert records_in(tmp_path) == [b"x"]


def test_a_folder_that_can_not_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="can't be written"):
        Journal(tmp_path / "file" / "j").append(b"x")


def test_threads_append_whole_records(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda who: [journal.append(b"%d:%04d" % (who, n) * 40) for n in range(500)], range(8)))
    found = records_in(tmp_path)
    for who in range(8):
        assert [r for r in found if r[:1] == b"%d" % who] == [b"%d:%04d" % (who, n) * 40 for n in range(500)]
    journal.close()


def test_a_signal_handler_may_append_at_any_moment(tmp_path: Path) -> None:
    def head() -> list[bytes]:
        if len(nested) < 5:
            nested.append(1)
            signal.raise_signal(signal.SIGUSR1)  # in the middle of beginning a segment
        return [b"head"]

    def handle(number: int, frame: FrameType | None) -> None:
        handled.append(1)
        journal.append(b"handler%d" % len(handled))

    nested: list[int] = []
    handled: list[int] = []
    journal = Journal(tmp_path, head=head)
    before = [signal.signal(number, handle) for number in (signal.SIGALRM, signal.SIGUSR1)]
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        for number in range(30_000):
            journal.append(b"%06d" % number * 20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before[0])
        signal.signal(signal.SIGUSR1, before[1])
    found = [record for record in records_in(tmp_path) if record != b"head"]
    assert sorted(record for record in found if record.startswith(b"handler")) == sorted(
        b"handler%d" % number for number in range(1, len(handled) + 1)
    )
    assert len(nested) == 5
    assert [record[:6] for record in found if record[:1] != b"h"] == [b"%06d" % number for number in range(30_000)]
    journal.close()


def test_a_fork_goes_on_in_a_segment_of_its_own_and_does_not_keep_the_parents(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"parent")
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            journal.append(b"child")
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        finally:
            os._exit(0)
    os.read(ready[0], 1)
    journal.append(b"parent again")
    mine = [segment.path for segment in journal.segments()]
    journal.close()
    for path in list_segments(tmp_path):
        with claim(path) as ours:
            assert ours == (path in mine), "the child holds its own segment, and not the one of its parent"
    os.write(done[1], b"x")
    os.waitpid(child, 0)
    assert not is_held(tmp_path)
    assert [read(path).records for path in list_segments(tmp_path)] == [[b"parent", b"parent again"], [b"child"]]
    for descriptor in (*ready, *done):
        os.close(descriptor)


@pytest.mark.slow
def test_every_acknowledged_record_outlives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged: dict[bytes, int] = {}
    for life in range(20):
        process = start(tmp_path, str(life), chance.choice([0, 50, 9000]), 10**9)
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
    assert not is_held(tmp_path)
    seen: dict[bytes, list[int]] = {}
    for path in list_segments(tmp_path):
        for record in read(path).records:
            who, number, rest = record.split(b":", 2)
            assert set(rest) <= {ord(".")}
            seen.setdefault(who, []).append(int(number))
    for who, last in acknowledged.items():
        assert seen[who][: last + 1] == list(range(last + 1)), who
        assert seen[who] == list(range(len(seen[who])))


def test_several_processes_append_to_one_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "j"
    processes = [start(folder, who, 3000, 150) for who in "abc"]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = records_in(folder)
    by_process = [[r.split(b":")[1] for r in found if r[:1] == who] for who in (b"a", b"b", b"c")]
    assert by_process == [[str(number).encode() for number in range(150)]] * 3


def test_a_full_disk_is_said_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    acknowledged = 0

    def fill() -> None:
        nonlocal acknowledged
        while True:
            journal.append(b"%06d" % acknowledged + b"." * 1000)
            acknowledged += 1

    with files_of_at_most(500_000):
        for _ in range(2):
            with pytest.raises(StoreError, match="no room for"):
                fill()
    assert acknowledged > 250
    journal.append(b"there is room again")
    journal.close()
    assert [r[:6] for r in records_in(tmp_path)] == [b"%06d" % n for n in range(acknowledged)] + [b"there "]


def test_a_full_disk_at_the_first_byte_is_a_store_error_and_leaks_no_file(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal = Journal(tmp_path)
    with files_of_at_most(4):
        for _ in range(2):
            with pytest.raises(StoreError, match="no room for"):
                journal.append(b"x")
    assert list(tmp_path.iterdir()) == []
    journal.append(b"room again")
    journal.close()
    assert records_in(tmp_path) == [b"room again"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_let_go_of_can_be_claimed_while_its_writer_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.let_go()
    journal.append(b"one")
    (first,) = list_segments(tmp_path)
    with claim(first) as ours:
        assert not ours
    journal.let_go()
    journal.let_go()
    assert journal.segments() == []
    assert first.stat().st_size == len(b"PLUSJRN1") + 8 + 3, "room that was not used is given back"
    with claim(first) as ours:
        assert ours
        assert read(first).records == [b"one"]
        first.unlink()
    journal.append(b"two")
    journal.close()
    assert records_in(tmp_path) == [b"two"]


def test_several_segments_are_let_go_of_at_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(10):
        journal.append(bytes([number + 1]) * 200_000)
    count = len(list_segments(tmp_path))
    assert count > 1
    journal.let_go()
    for path in list_segments(tmp_path):
        with claim(path) as ours:
            assert ours
    assert len(records_in(tmp_path)) == 10
    journal.close()
