"""What was acknowledged is in the store once, whatever is killed, forked, full or busy meanwhile."""

from __future__ import annotations

import contextlib
import math
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from plusone.base.errors import NotFound, StoreError, UsageError
from plusone.base.ids import new_id
from plusone.base.records import Latest, Run
from plusone.journal import is_held, list_segments
from plusone.recording import recorder as recording
from plusone.recording.recorder import Recorder, journal_of, recover_points
from plusone.recording.series import list_keys, read_series
from plusone.store import Store, open_store
from plusone.store.sqlite import SqliteDatabase
from plusone.tracking.runs import add_run, get_run
from tests.nursery import Nursery

_WRITER = """
import sys
from pathlib import Path
from plusone.store import open_store
from plusone.recording import recorder as recording
from plusone.recording.recorder import Recorder
recording._BUSY_S = float(sys.argv[4])
recorder = Recorder(open_store(Path(sys.argv[1])), sys.argv[2])
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
for number in range(int(sys.argv[5])):
    recorder.log({sys.argv[3]: number, "shared": number}, step=number)
    if len(sys.argv) == 7:
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
recorder.close()
"""


def sqlite_of(store: Store) -> SqliteDatabase:
    """The database of a store on disk, whose own connection a test holds up or asks."""
    assert isinstance(store.db, SqliteDatabase)
    return store.db


def begin(store: Store, source: str = "script") -> str:
    run = Run(id=new_id(), name="r", status="running", started_at="", source=source)  # type: ignore[arg-type]  text
    add_run(store, run)
    return run.id


def writer(
    store: Store, run_id: str, key: str, *, interval_s: float, count: int, said: bool
) -> subprocess.Popen[bytes]:
    words = [str(store.folder), run_id, key, str(interval_s), str(count), *(["said"] if said else [])]
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def chunks(store: Store, run_id: str, key: str) -> list[int]:
    return [row["count"] for row in store.db.all("series_chunk_list", run_id=run_id, key=key)]


def left_on_disk(store: Store) -> list[Path]:
    return sorted((store.folder / "runs").rglob("*.segment"))


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---------------------------------------------------------------------------------------------- one process


def test_what_was_logged_is_in_the_store_when_it_is_closed_and_nothing_is_left(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    for number in range(20_000):
        recorder.log({"loss": number / 2, "acc": -number}, at=1000.0 + number)
    recorder.close()
    recorder.close()
    found = read_series(store, run_id, "loss")
    assert found.steps.tolist() == list(range(20_000))
    assert (found.values == np.arange(20_000) / 2).all()
    assert (found.times == 1000.0 + np.arange(20_000)).all()
    assert get_run(store, run_id).metrics == {
        "acc": Latest(value=-19_999.0, step=19_999, at=20_999.0),
        "loss": Latest(value=9999.5, step=19_999, at=20_999.0),
    }
    assert left_on_disk(store) == []
    assert store.db.all("journal_position_list", run_id=run_id) == []
    assert not journal_of(store, run_id).exists()
    with pytest.raises(StoreError, match="closed by this process"):
        recorder.log({"loss": 1.0})


def test_flush_moves_what_was_logged_before_and_logging_goes_on(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    for number in range(30):
        recorder.log({"loss": number})
        recorder.flush()
        assert sum(chunks(store, run_id, "loss")) == number + 1
    assert len(chunks(store, run_id, "loss")) <= 6, "a slow logger does not leave one chunk for each point"
    assert read_series(store, run_id, "loss").steps.tolist() == list(range(30))
    recorder.close()


def test_small_chunks_are_merged_and_large_ones_left_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_BUSY_S", 3600.0)
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    counts = [5000, 10, 900, 1, 1, 1]
    for count in counts:
        for _ in range(count):
            recorder.log({"loss": 1.0})
        recorder.flush()
    recorder.close()
    assert read_series(store, run_id, "loss").steps.tolist() == list(range(sum(counts)))
    assert chunks(store, run_id, "loss") == [5000, 910, 3]


def test_points_come_to_the_store_by_themselves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_BUSY_S", 0.01)
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"loss": 1.0})
    deadline = time.monotonic() + 90
    while not chunks(store, run_id, "loss"):
        assert time.monotonic() < deadline
    recorder.close()


def test_where_no_thread_can_be_started_it_is_logged_and_moved_at_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    run_id = begin(store)
    recorder = Recorder(store, run_id)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder.log({"loss": 1.0})
    recorder.log({"loss": 2.0})
    recorder.close()
    assert read_series(store, run_id, "loss").values.tolist() == [1.0, 2.0]


def test_a_recorder_goes_on_behind_the_largest_step(store: Store) -> None:
    run_id = begin(store)
    first = Recorder(store, run_id)
    first.log({"loss": 1.0}, step=7)
    first.log({"loss": 1.0}, step=3)
    first.log({"end": 1.0}, step=2**63 - 1)
    first.close()
    second = Recorder(store, run_id)
    second.log({"loss": 2.0, "new": 1.0, "end": 2.0})
    second.close()
    assert read_series(store, run_id, "loss").steps.tolist() == [7, 3, 8]
    assert read_series(store, run_id, "new").steps.tolist() == [0]
    assert read_series(store, run_id, "end").steps.tolist() == [2**63 - 1] * 2


def test_the_latest_is_searchable_and_a_nan_is_found_by_nothing(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"a": 1.0, "b": math.nan, "c": math.inf}, step=5)
    recorder.log({"a": 9.0}, step=4)
    recorder.close()
    metrics = get_run(store, run_id).metrics
    assert {key: (one.value, one.step) for key, one in metrics.items()} == {
        "a": (1.0, 5),
        "b": ("NaN", 5),
        "c": ("Infinity", 5),
    }
    rows = sqlite_of(store)._writer.execute("SELECT key, value FROM run_metric ORDER BY key").fetchall()
    assert [(row["key"], row["value"]) for row in rows] == [("a", 1.0), ("b", None), ("c", math.inf)]


def test_a_run_that_is_not_there_is_said(store: Store) -> None:
    with pytest.raises(NotFound, match="no run 'nothing'"):
        Recorder(store, "nothing")


def test_a_time_that_is_no_number_is_refused(store: Store) -> None:
    recorder = Recorder(store, begin(store))
    with pytest.raises(UsageError, match="unix time"):
        recorder.log({"x": 1.0}, at="now")  # type: ignore[arg-type]  that is the test
    recorder.close()


def test_several_segments_and_many_series_come_back(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    for step in range(400):
        recorder.log({f"layer{number}": step * number for number in range(100)}, step=step)
    assert len(recorder._journal.segments()) > 1
    recorder.close()
    assert len(list_keys(store, run_id)) == 100
    for number in (0, 57, 99):
        assert read_series(store, run_id, f"layer{number}").values.tolist() == [step * number for step in range(400)]


def test_what_is_logged_while_it_is_moved_is_moved_later(store: Store) -> None:
    # A segment that is retired in the middle of its move must not be removed with what came behind.
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    stopped = threading.Event()

    def flush() -> None:
        while not stopped.is_set():
            recorder.flush()

    mover = threading.Thread(target=flush)
    mover.start()
    for _ in range(60_000):
        recorder.log({"loss": 1.0})
    stopped.set()
    mover.join()
    recorder.close()
    assert read_series(store, run_id, "loss").steps.tolist() == list(range(60_000))


def test_threads_share_a_recorder(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda who: [recorder.log({f"t{who}": n, "all": n}) for n in range(500)], range(8)))
    recorder.close()
    assert sorted(read_series(store, run_id, "all").steps.tolist()) == list(range(4000))
    assert all(read_series(store, run_id, f"t{who}").values.tolist() == list(range(500)) for who in range(8))


def test_a_fork_logs_on_in_its_own_journal_and_moves_it_itself(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"both": 0.0})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            recorder.log({"both": 1.0, "child": 1.0})
            recorder.flush()
            recorder.log({"left": 1.0})
            code = 0
        finally:
            os._exit(code)
    recorder.log({"both": 2.0, "parent": 1.0})
    assert os.waitpid(child, 0)[1] == 0
    assert read_series(open_store(store.folder), run_id, "child").values.tolist() == [1.0]
    recorder.close()
    assert [one.points for one in recover_points(store)] == [1]
    assert sorted(read_series(store, run_id, "both").values.tolist()) == [0.0, 1.0, 2.0]
    assert list_keys(store, run_id) == ["both", "child", "left", "parent"]
    assert left_on_disk(store) == []


# ---------------------------------------------------------------------------------------------- trouble


def test_a_busy_store_stops_no_loop_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_BUSY_S", 0.01)
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    other = sqlite3.connect(store.folder / "plusone.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(20_000):
        recorder.log({"loss": number})
    assert read_series(store, run_id, "loss").values.tolist() == list(range(20_000)), "readers never wait"
    other.execute("COMMIT")
    other.close()
    recorder.close()
    assert read_series(store, run_id, "loss").values.tolist() == list(range(20_000))


def test_a_store_that_can_not_be_written_keeps_the_points_in_the_journal(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"loss": 1.0})
    pages = int(sqlite_of(store)._writer.execute("PRAGMA page_count").fetchone()["page_count"])
    sqlite_of(store)._writer.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(30_000):
        recorder.log({"loss": random.random()})
    with pytest.raises(StoreError, match="full"):
        recorder.flush()
    with pytest.raises(StoreError, match="full"):
        recorder.close()
    assert not is_held(journal_of(store, run_id))
    assert len(read_series(store, run_id, "loss").steps) == 30_001
    sqlite_of(store)._writer.execute("PRAGMA max_page_count = 1000000")
    assert sum(one.points for one in recover_points(store)) == 30_001
    assert read_series(store, run_id, "loss").steps.tolist() == list(range(30_001))


def test_a_loop_waits_only_when_the_journal_is_over_its_bound(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_MOST_JOURNAL_BYTES", 600_000)
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    for number in range(100_000):
        recorder.log({"loss": number})
    recorder.close()
    assert read_series(store, run_id, "loss").steps.tolist() == list(range(100_000))


def test_a_journal_over_its_bound_says_why_the_store_does_not_take_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_MOST_JOURNAL_BYTES", 600_000)
    monkeypatch.setattr(recording, "_BUSY_S", 0.01)
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    pages = int(sqlite_of(store)._writer.execute("PRAGMA page_count").fetchone()["page_count"])
    sqlite_of(store)._writer.execute(f"PRAGMA max_page_count = {pages}")
    logged = 0

    def log() -> None:
        nonlocal logged
        while True:
            logged += 1
            recorder.log({"loss": random.random()})

    with pytest.raises(StoreError, match=r"that the store does not take.*full"):
        log()
    sqlite_of(store)._writer.execute("PRAGMA max_page_count = 1000000")
    recorder.close()
    assert read_series(store, run_id, "loss").steps.tolist() == list(range(logged))


def test_a_full_disk_is_said_and_what_was_acknowledged_is_kept(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"loss": 0.0})
    acknowledged = 1

    def fill() -> None:
        nonlocal acknowledged
        while True:
            recorder.log({"loss": acknowledged})
            acknowledged += 1

    with files_of_at_most(300_000):
        with pytest.raises(StoreError, match="no room for"):
            fill()
        # A name that could not be written must not be taken for written.
        with pytest.raises(StoreError, match="no room for"):
            recorder.log({"x" * 4000: 1.0})
    recorder.log({"x" * 4000: 2.0})
    recorder.close()
    assert read_series(store, run_id, "loss").values.tolist() == list(range(acknowledged))
    assert read_series(store, run_id, "x" * 4000).values.tolist() == [2.0]


def test_a_move_whose_commit_was_not_seen_is_not_made_again(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"loss": 1.0})
    recorder.flush()
    recorder.log({"loss": 2.0})
    recorder._positions.clear()  # as if the commit had been lost on its way back
    recorder.close()
    assert read_series(store, run_id, "loss").values.tolist() == [1.0, 2.0]


# ---------------------------------------------------------------------------------------------- several processes


def test_recovery_leaves_the_living_alone_and_runs_that_are_not_there(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    recorder.log({"loss": 1.0})
    (store.folder / "runs" / "strange" / "journal").mkdir(parents=True)
    (store.folder / "runs" / "strange" / "journal" / "x.segment").write_bytes(b"PLUSJRN1")
    assert recover_points(store) == []
    assert recover_points(store, run_id) == []
    recorder._journal.close()
    assert [(one.run_id, one.points, one.torn_bytes) for one in recover_points(store)] == [(run_id, 1, 0)]
    assert recover_points(store) == []


@pytest.mark.slow
def test_processes_log_to_one_run_at_once(store: Store) -> None:
    run_id = begin(store)
    count = 5000
    writers = [writer(store, run_id, f"w{n}", interval_s=0.02, count=count, said=False) for n in range(3)]
    for process in writers:
        assert process.stdout
        process.stdout.readline()
    for process in writers:
        _, error = process.communicate(b"go\n", timeout=60)
        assert (process.returncode, error) == (0, b"")
    for number in range(3):
        assert read_series(store, run_id, f"w{number}").values.tolist() == list(range(count))
    assert Counter(read_series(store, run_id, "shared").steps.tolist()) == dict.fromkeys(range(count), 3)
    assert get_run(store, run_id).metrics["shared"].step == count - 1
    assert left_on_disk(store) == []


_RECOVERER = """
import os, signal, sys, threading
from pathlib import Path
from plusone.recording.recorder import recover_points
from plusone.store import open_store
store = open_store(Path(sys.argv[1]))
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
threading.Timer(float(sys.argv[2]), kill).start()
recover_points(store)
kill()
"""


def killed(nursery: Nursery, store: Store, chance: random.Random) -> None:
    """Kill a process that logs at a random moment; every point that it acknowledged must be in the store, once."""
    run_id = begin(store)
    interval_s = chance.choice(["0.001", "0.01"])
    process = nursery.start(_WRITER, str(store.folder), run_id, "loss", interval_s, str(10**9), "said")
    process.stdout.readline()
    process.stdin.write(b"go\n")
    process.stdin.flush()
    for _ in range(chance.choice([1, 10, 1000, 8000]) * chance.randrange(1, 4)):
        process.stdout.readline()
    process.kill()
    rest = process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    last = [int(line) for line in rest.split(b"\n")[:-1]]  # what stands behind the last line end may be half a number
    if chance.random() < 0.3:
        # Whoever recovers is killed, too.
        assert nursery.start(_RECOVERER, str(store.folder), str(chance.random() * 0.1)).wait() == -signal.SIGKILL
    recover_points(store)
    for key in ("loss", "shared"):
        steps = read_series(store, run_id, key).steps.tolist()
        assert steps == list(range(len(steps))), "none is missing, none is there twice"
        assert not last or len(steps) > last[-1]
    assert left_on_disk(store) == []


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """Where processes that log are forked off."""
    with Nursery(["plusone.recording.recorder", "plusone.store.sqlite"]) as nursery:
        yield nursery


def test_acknowledged_points_outlive_kill_9_at_random_moments(nursery: Nursery, store: Store) -> None:
    chance = random.Random(3)
    for _ in range(6):
        killed(nursery, store, chance)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_acknowledged_points_outlive_200_kills(nursery: Nursery, store: Store) -> None:
    chance = random.Random(time.time_ns())
    for _ in range(200):
        killed(nursery, store, chance)


@pytest.mark.slow
def test_eight_processes_log_into_one_store_and_lose_nothing(store: Store) -> None:
    count = 100_000
    runs = [begin(store) for _ in range(8)]
    writers = [writer(store, run_id, "loss", interval_s=0.05, count=count, said=False) for run_id in runs]
    for process in writers:
        assert process.stdout
        process.stdout.readline()
    for process in writers:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in writers:
        _, error = process.communicate(timeout=300)
        assert (process.returncode, error) == (0, b"")
    for run_id in runs:
        assert read_series(store, run_id, "loss").values.tolist() == list(range(count))
    assert not [path for run_id in runs for path in list_segments(journal_of(store, run_id))]
