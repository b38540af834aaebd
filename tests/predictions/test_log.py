"""Predictions are written beside the loop, bounded in memory and on disk, and never at the cost of an answer."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plusone.journal import claim, list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import Entry, decode_batches
from plusone.predictions.log import MOST_BODY_BYTES, PredictionLog
from plusone.predictions.ring import RING_BYTES, Ring
from tests.predictions.written import predictions_in, until

BIG = 1 << 30


NOBODY = (sys.executable, "-c", "import os; os.read(int(__import__('sys').argv[4]), 1)")
"""A process that writes nothing, and ends as the real one does."""


def ring_of(log: PredictionLog) -> Ring:
    assert log._ring is not None
    return log._ring


def is_asleep(log: PredictionLog) -> bool:
    return ring_of(log).asleep


def entries(*ids: str, size: int = 10) -> list[Entry]:
    return [(one, "json", 1, b"q" * size, b"a" * size) for one in ids]


def test_what_was_handed_over_is_in_the_folder_in_order(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    ids = [f"{number:05d}" for number in range(3000)]
    for begin in range(0, len(ids), 10):
        log.log("flights", 3, "digest", entries(*ids[begin : begin + 10]), 12.5)
    log.close()
    log.close()
    assert predictions_in(tmp_path) == ids
    assert (log.logged, log.dropped) == (3000, 0)
    first = decode_batches(read(list_segments(tmp_path)[0]).records[0])[0]
    assert first[:4] == ("flights", 3, "digest", 12.5)
    assert first[4][0] == ("00000", "json", 1, b"q" * 10, b"a" * 10)
    assert sum(len(record) for path in list_segments(tmp_path) for record in read(path).records) == log.bytes


def test_nothing_is_on_disk_while_nothing_is_logged(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "p", max_bytes=BIG)
    log.close()
    assert not (tmp_path / "p").exists()


@pytest.mark.slow
def test_a_segment_can_be_claimed_while_the_worker_lives_and_it_wakes_again(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    seen: list[str] = []
    for one in ("a", "b"):
        log.log("m", 1, "d", entries(one), 0.0)

        def claimed() -> bool:
            for path in list_segments(tmp_path):
                with claim(path) as ours:
                    if ours:
                        seen.extend(entry[0] for r in read(path).records for b in decode_batches(r) for entry in b[4])
                        path.unlink()
            return one in seen  # noqa: B023  called in this turn of the loop

        until(claimed)
        until(lambda: is_asleep(log))
    assert seen == ["a", "b"]
    log.close()


def test_a_segment_takes_no_more_room_than_it_needs_when_it_is_let_go_of(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    log.log("m", 1, "d", entries("a"), 0.0)
    log.close()
    (path,) = list_segments(tmp_path)
    assert path.stat().st_size < 200


def test_bodies_that_are_too_big_are_left_out_and_the_prediction_is_kept(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    most = b"x" * MOST_BODY_BYTES
    log.log("m", 1, "d", [("a", "arrow", 9, most + b"x", b"y"), ("b", "json", 1, most, most + b"x")], 0.0)
    log.close()
    (record,) = read(list_segments(tmp_path)[0]).records
    found = [entry for batch in decode_batches(record) for entry in batch[4]]
    assert found == [("a", "arrow", 9, None, b"y"), ("b", "json", 1, most, None)]


def test_what_has_no_room_in_memory_is_dropped_and_counted(tmp_path: Path) -> None:
    # Nobody takes anything out, as if the process hung in a write.
    log = PredictionLog(tmp_path, max_bytes=BIG, command=NOBODY)
    for number in range(100):
        log.log("m", 1, "d", entries(str(number), size=MOST_BODY_BYTES // 2), 0.0)
    room = RING_BYTES // MOST_BODY_BYTES
    assert log.dropped == 100 - room + 1
    log.close()
    assert log.logged + log.dropped == 100
    assert len(predictions_in(tmp_path)) == log.logged == room - 1


def test_what_has_no_room_on_disk_is_dropped_until_it_is_collected(tmp_path: Path) -> None:
    other = tmp_path / "00000000000000000000000000.segment"
    other.write_bytes(b"x" * 900_000)
    log = PredictionLog(tmp_path, max_bytes=1_000_000)
    for number in range(20):
        log.log("m", 1, "d", entries(str(number), size=50_000), 0.0)
    until(lambda: log.logged + log.dropped == 20)
    assert log.dropped > 10
    other.unlink()
    dropped = log.dropped

    def logs_again() -> bool:
        log.log("m", 1, "d", entries("later"), 0.0)
        return log.logged + dropped > 20

    until(logs_again)
    log.close()


@pytest.mark.slow
def test_a_full_disk_drops_and_never_raises(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    log.log("m", 1, "d", entries("first"), 0.0)
    until(lambda: log.logged == 1)
    until(lambda: is_asleep(log))  # its segment is full, so to say
    assert log.pid is not None
    soft, hard = resource.prlimit(log.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(log.pid, resource.RLIMIT_FSIZE, (1000, hard))
    log.log("m", 1, "d", entries("lost"), 0.0)
    until(lambda: log.dropped == 1)
    resource.prlimit(log.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def logs_again() -> bool:
        log.log("m", 1, "d", entries("later"), 0.0)
        return log.logged > 1

    until(logs_again)
    log.close()
    assert "lost" not in predictions_in(tmp_path)
    assert log.restarts == 0


def test_what_is_no_prediction_is_dropped_and_the_rest_is_written(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    log.log("m", 1, "d", [(object(), "json", 1, b"", b"")], 0.0)  # type: ignore[list-item]  what must not be, to see it
    assert log.dropped == 1
    log.log("m", 1, "d", entries("good"), 0.0)
    log.close()
    log.log("m", 1, "d", entries("late"), 0.0)
    assert (log.logged, log.dropped) == (1, 2)
    assert predictions_in(tmp_path) == ["good"]


@pytest.mark.slow
def test_a_batch_handed_over_at_any_moment_is_written(tmp_path: Path) -> None:
    # The process falls asleep and is woken over and over: no batch is left lying.
    log = PredictionLog(tmp_path, max_bytes=BIG)
    for number in range(4):
        log.log("m", 1, "d", entries(str(number)), 0.0)
        until(lambda n=number: log.logged == n + 1)
        until(lambda: is_asleep(log))
    log.close()
    assert predictions_in(tmp_path) == ["0", "1", "2", "3"]


def test_a_batch_that_is_too_big_for_one_frame_is_handed_over_in_pieces(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    log.log("m", 1, "d", entries("a", "b", "c", size=MOST_BODY_BYTES), 0.0)
    log.close()
    assert predictions_in(tmp_path) == ["a", "b", "c"]


@pytest.mark.slow
def test_a_process_that_is_killed_is_started_again_and_what_it_lost_is_counted(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    ids = [f"{number:07d}" for number in range(1000)]

    def kill(number: int) -> None:
        until(lambda: log.pid is not None)
        assert log.pid is not None
        os.kill(log.pid, signal.SIGKILL)
        until(lambda: log.restarts == number)

    for number in range(1, 6):
        before = log.logged
        for begin in range(0, 1000, 20):
            log.log("m", 1, "d", entries(*(f"{number}-{one}" for one in ids[begin : begin + 20]), size=200), 0.0)
        if number % 2:
            until(lambda before=before: log.logged > before)
        kill(number)
    sent = 5000
    log.close()
    assert log.logged + log.dropped == sent
    found = predictions_in(tmp_path)
    assert len(set(found)) == len(found), "none twice"
    # One that was written when its process was killed is perhaps counted as lost, and never the other way round.
    assert log.logged <= len(found) <= sent
    assert log.dropped < sent


def test_a_process_that_can_not_be_started_costs_nothing_but_its_log(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "p", max_bytes=BIG, command=(str(tmp_path / "nothing"),))
    log.log("m", 1, "d", entries("a"), 0.0)
    log.close()
    # It is written at the end, by the one who closes it.
    assert predictions_in(tmp_path / "p") == ["a"]
    assert (log.logged, log.dropped, log.restarts) == (1, 0, 0)


_WORKER = """
import sys
from pathlib import Path
from plusone.predictions.log import PredictionLog
log = PredictionLog(Path(sys.argv[1]), max_bytes=1 << 30)
for number in range(10**9):
    log.log("m", 1, "d", [(f"{number:07d}-{part}", "json", 1, b"q" * 100, b"a" * 100) for part in range(3)], 0.0)
    sys.stdout.write(f"{number} {log.dropped} {log.pid}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 40, 3000])
def test_what_was_handed_over_outlives_the_worker(tmp_path: Path, lines: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    while said[-1].split()[2] == b"None":  # it is being started; a worker that dies before that loses what it has
        said.append(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()
    handed = [line.split() for line in said if line.endswith(b"\n")]
    assert handed[-1][1] == b"0", "nothing was dropped"
    # The one who writes ends when it has written all, and then its segments can be claimed.
    writer = Path("/proc", handed[-1][2].decode())
    until(lambda: not writer.exists())
    found = predictions_in(tmp_path)
    expected = [f"{int(line[0]):07d}-{part}" for line in handed for part in range(3)]
    assert found[: len(expected)] == expected
    assert len(found) <= len(expected) + 3, "nor more than one that it died in"
    for path in list_segments(tmp_path):
        with claim(path) as ours:
            assert ours


@pytest.mark.slow
def test_handing_over_costs_about_a_microsecond(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    batch = entries(*(f"{number:026d}" for number in range(8)), size=200)
    times: list[float] = []
    log.log("m", 1, "d", batch, 0.0)
    for _ in range(50):
        until(lambda: ring_of(log).free > RING_BYTES // 2)
        began = time.perf_counter()
        for _ in range(100):
            log.log("m", 1, "d", batch, 0.0)
        times.append((time.perf_counter() - began) / 800)
    log.close()
    assert sorted(times)[len(times) // 2] < 20e-6, "twenty times what it takes: this is no benchmark"
