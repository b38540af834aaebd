"""Predictions are written beside the loop, bounded in memory and on disk, and never at the cost of an answer."""

from __future__ import annotations

import resource
import threading
import time
from pathlib import Path

import pytest

from plusone.journal import claim, list_segments
from plusone.journal.reading import read
from plusone.predictions.layout import Entry, decode_batches
from plusone.predictions.log import MOST_BODY_BYTES, PredictionLog
from tests.predictions.written import predictions_in, until

BIG = 1 << 30


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
        until(lambda: log._idle)
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
    found = decode_batches(read(list_segments(tmp_path)[0]).records[0])[0][4]
    assert found == [("a", "arrow", 9, None, b"y"), ("b", "json", 1, most, None)]


def test_what_has_no_room_in_memory_is_dropped_and_counted(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    log._idle = False  # as if the thread hung in a write
    for number in range(100):
        log.log("m", 1, "d", entries(str(number), size=MOST_BODY_BYTES // 2), 0.0)
    assert log._bytes_in < 33 << 20
    assert log.dropped > 60
    log.close()
    assert log.logged + log.dropped == 100
    assert len(predictions_in(tmp_path)) == log.logged


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


def test_a_full_disk_drops_and_never_raises(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        log.log("m", 1, "d", entries("lost"), 0.0)
        until(lambda: log.dropped == 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def logs_again() -> bool:
        log.log("m", 1, "d", entries("later"), 0.0)
        return log.logged > 0

    until(logs_again)
    log.close()
    assert "lost" not in predictions_in(tmp_path)


def test_what_is_no_prediction_is_dropped_and_the_thread_lives(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    log.log("m", 1, "d", [(object(), "json", 1, b"", b"")], 0.0)  # type: ignore[list-item]  what must not be, to see it
    until(lambda: log.dropped == 1)
    assert log._thread is not None
    assert log._thread.is_alive()
    log.close()
    log.log("m", 1, "d", entries("late"), 0.0)
    assert log.dropped == 2


def test_a_batch_handed_over_at_any_moment_is_written(tmp_path: Path) -> None:
    # The thread falls asleep and is woken over and over: no batch is left lying.
    log = PredictionLog(tmp_path, max_bytes=BIG)
    for number in range(30):
        log.log("m", 1, "d", entries(str(number)), 0.0)
        until(lambda n=number: log.logged == n + 1)
        log._begun_at = None  # as if it had been rotated: it sleeps at once
        until(lambda: log._idle)
    log.close()
    assert sorted(map(int, predictions_in(tmp_path))) == list(range(30))


@pytest.mark.slow
def test_handing_over_costs_about_a_microsecond(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=BIG)
    batch = entries(*(f"{number:026d}" for number in range(8)), size=200)
    times: list[float] = []
    for _ in range(50):
        until(lambda: not log._queue)
        began = time.perf_counter()
        for _ in range(100):
            log.log("m", 1, "d", batch, 0.0)
        times.append((time.perf_counter() - began) / 800)
    log.close()
    assert threading.active_count() < 20
    assert sorted(times)[len(times) // 2] < 20e-6, "twenty times what it takes: this is no benchmark"
