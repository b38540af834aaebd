"""What workers wrote comes to the store once, whoever is killed, and when."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plusone.base.errors import StoreError
from plusone.journal import Journal, list_segments
from plusone.predictions import collecting
from plusone.predictions.collecting import Collected, collect
from plusone.predictions.labels import LabelLog
from plusone.predictions.layout import JSON, labels_folder, predictions_folder
from plusone.predictions.log import PredictionLog
from plusone.predictions.reading import chunks_of
from plusone.store import Store
from tests.nursery import Nursery
from tests.predictions.killing import WRITES, kill_a_writer
from tests.predictions.written import (
    labels_kept,
    log_predictions,
    predictions_kept,
    send_labels,
    until,
)


def nothing_is_left(serving: Path, store: Store) -> None:
    for folder in (labels_folder(serving), predictions_folder(serving)):
        assert list_segments(folder) == []
    assert store.db.select("SELECT name FROM taken_segment", {}) == []


def test_what_dead_workers_left_comes_to_the_store_once(serving: Path, store: Store):
    log_predictions(serving, ["a", "b"])
    log_predictions(serving, ["c"], release=2)
    log_predictions(serving, ["d"], model="n")
    send_labels(serving, ("a", "1.0"), ("x", "2.0"))
    assert collect(store, serving) == Collected(predictions=4, labels=2, segments=4)
    assert (predictions_kept(store), predictions_kept(store, "n")) == (["a", "b", "c"], ["d"])
    assert {chunk["release"] for chunk in chunks_of(store, "m")} == {1, 2}
    assert labels_kept(store) == {"a": ["1.0"], "x": ["2.0"]}
    nothing_is_left(serving, store)
    assert collect(store, serving) == Collected()
    assert collect(store, serving / "nowhere") == Collected()


def test_living_workers_lose_nothing_and_are_collected_while_they_write(serving: Path, store: Store):
    logs = [PredictionLog(predictions_folder(serving), max_bytes=1 << 30) for _ in range(2)]
    labels = [LabelLog(labels_folder(serving)) for _ in range(2)]
    for number in range(50):
        for who in range(2):
            logs[who].log("m", 1, "d", [(f"{who}-{number}", JSON, 1, b"{}", b"{}")], 1e9)
            labels[who].append("m", [(f"{who}-{number}", "1.0", None)])

    def all_there() -> bool:
        collect(store, serving)
        return len(predictions_kept(store)) == len(labels_kept(store)) == 100

    until(all_there)
    for one in (*logs, *labels):
        one.close()
    collect(store, serving)
    assert len(predictions_kept(store)) == len(labels_kept(store)) == 100
    nothing_is_left(serving, store)


def test_who_must_end_leaves_the_rest_for_later(serving: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    for one in "abc":
        send_labels(serving, (one, "1.0"))
    monkeypatch.setattr(collecting, "_AT_ONCE", 1)
    asked = iter([False, False, True])
    assert collect(store, serving, is_over=lambda: next(asked, True)).labels == 2
    assert collect(store, serving).labels == 1
    nothing_is_left(serving, store)


def test_a_label_sent_twice_is_one_and_another_one_corrects_it(serving: Path, store: Store):
    for values in (["1.0", "1.0"], ["2.0"], ["2.0"], ["1.0"]):
        send_labels(serving, *(("a", value) for value in values))
        collect(store, serving)
    assert labels_kept(store) == {"a": ["1.0", "2.0", "1.0"]}


def test_labels_that_are_collected_out_of_their_order_end_as_those_in_order(serving: Path, store: Store):
    folder = labels_folder(serving)
    values = ["1.0", "1.0", "2.0", "2.0", "3.0"]
    for dice in range(10):
        for value in values:
            send_labels(serving, (str(dice), value))
        aside = {path: serving / path.name for path in list_segments(folder)}
        for path, place in aside.items():
            path.rename(place)
        order = list(aside.items())
        random.Random(dice).shuffle(order)
        for path, place in order:
            folder.mkdir(exist_ok=True)
            place.rename(path)
            collect(store, serving)
        assert labels_kept(store)[str(dice)] == ["1.0", "2.0", "3.0"], dice


def test_small_chunks_are_merged_and_a_big_one_is_a_blob(serving: Path, store: Store):
    ids = [f"{number:04d}" for number in range(60)]
    for one in ids:
        log_predictions(serving, [one], at=1e9 + int(one))
        collect(store, serving)
    assert len(list(chunks_of(store, "m"))) <= 7
    assert predictions_kept(store) == ids
    assert not list(store.blobs.list())
    dice = random.Random(1)
    request = dice.randbytes(100_000).hex().encode()
    log_predictions(serving, [f"big{number}" for number in range(50)], request=request, size=50_000)
    log_predictions(serving, [f"large{number:03d}" for number in range(12)], release=2, request=request)
    for number in range(30):
        log_predictions(serving, [f"huge{number}"], release=2, request=dice.randbytes(100_000))
    collect(store, serving)
    blobs = {chunk["blob"] for chunk in chunks_of(store, "m")} - {""}
    assert blobs == {blob.digest for blob in store.blobs.list()} != set()
    assert len(predictions_kept(store)) == 60 + 50 + 12 + 30


def test_a_merge_that_another_process_did_first_is_done_again(
    serving: Path, store: Store, monkeypatch: pytest.MonkeyPatch
):
    log_predictions(serving, ["a"])
    collect(store, serving)
    (row,) = chunks_of(store, "m")
    made, stolen = collecting._made, [False]

    def made_too_late(*values: Any, **named: Any) -> Any:
        found = made(*values, **named)
        if not stolen[0]:
            stolen[0] = True
            with store.db.write() as tx:
                whole = tx.one("prediction_chunk_data", id=row["id"])
                assert whole
                tx.execute("prediction_chunk_remove", id=row["id"])
                tx.execute("prediction_chunk_add", **{**row, **whole, "id": "another"})
        return found

    monkeypatch.setattr(collecting, "_made", made_too_late)
    log_predictions(serving, ["b"])
    collect(store, serving)
    assert predictions_kept(store) == ["a", "b"]


def test_torn_and_foreign_bytes_are_counted_and_stop_nothing(serving: Path, store: Store):
    folder = labels_folder(serving)
    send_labels(serving, ("a", "1.0"))
    (torn,) = list_segments(folder)
    torn.write_bytes(torn.read_bytes() + b"\x20\0\0\0 torn")
    foreign = folder / "00000000000000000000000000.segment"
    foreign.write_bytes(b"no journal")
    journal = Journal(folder)
    journal.append(b"no labels")
    journal.close()
    send_labels(serving, ("b", "1.0"))
    found = collect(store, serving)
    assert (found.labels, found.segments) == (2, 3)
    assert found.torn_bytes == len(b"\x20\0\0\0 torn") + len(b"no labels")
    assert labels_kept(store) == {"a": ["1.0"], "b": ["1.0"]}
    assert [path.name for path in folder.iterdir()] == [foreign.name + ".damaged"]
    assert collect(store, serving) == Collected()


def test_while_the_store_can_not_be_written_nothing_is_lost(serving: Path, store: Store):
    log_predictions(serving, ["a"])
    send_labels(serving, ("a", "1.0"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreError):
            collect(store, serving)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert collect(store, serving) == Collected(predictions=1, labels=1, segments=2)


# ---------------------------------------------------------------------------------------------- kills

_COLLECTOR = """
import sys
from pathlib import Path
from plusone.predictions.collecting import collect
from plusone.store import open_store
store = open_store(Path(sys.argv[1]), create=False)
print("ready", flush=True)
while True:
    collect(store, Path(sys.argv[2]))
"""


@contextlib.contextmanager
def profiled(look: Callable[..., None]) -> Iterator[None]:
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)


def die_at(number: int, store: Store, serving: Path) -> bool:
    """Collect in a fork that is killed at its call of C of that number; say whether it was."""
    child = os.fork()
    if child == 0:
        seen = 0

        def look(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            if event == "c_call":
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        code = 3
        try:
            own = store.again()
            with profiled(look):
                collect(own, serving)
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.slow
def test_a_collector_killed_at_any_call_loses_nothing_and_doubles_nothing(serving: Path, store: Store):
    dice = random.Random(1)
    number, expected = 0, list[str]()
    # The module for tables is loaded before: its threads are no part of what is killed.
    log_predictions(serving, ["first"])
    collect(store, serving)
    killed = True
    while killed:
        # Every call near the end, where files and rows come and go; of the thousands before it some.
        number += dice.randint(1, 40)
        one = f"{number:06d}"
        expected.append(one)
        log_predictions(serving, [one])
        send_labels(serving, (one, "1.0"))
        killed = die_at(number, store, serving)
        if dice.random() < 0.5:
            collect(store, serving)
    collect(store, serving)
    assert predictions_kept(store) == sorted([*expected, "first"])
    assert labels_kept(store) == {one: ["1.0"] for one in expected}
    nothing_is_left(serving, store)


@pytest.mark.slow
def test_labels_acknowledged_before_kill_9_are_all_there_and_none_twice(serving: Path, store: Store):
    dice = random.Random(2)
    acknowledged: set[str] = set()
    with Nursery([WRITES]) as nursery:
        for number in range(50):
            acknowledged |= kill_a_writer(nursery, labels_folder(serving), f"w{number}", dice)
            if dice.random() < 0.3:
                collect(store, serving)
    collect(store, serving)
    kept = labels_kept(store)
    assert acknowledged <= kept.keys()
    assert all(len(values) == 1 for values in kept.values())
    # Of each writer at most the one request whose answer was under way.
    assert len(kept) - len(acknowledged) <= 3 * 50


@pytest.mark.slow
def test_collectors_that_are_killed_beside_each_other_and_beside_workers(serving: Path, store: Store):
    dice = random.Random(3)
    logs = [PredictionLog(predictions_folder(serving), max_bytes=1 << 30) for _ in range(2)]
    labels = [LabelLog(labels_folder(serving)) for _ in range(2)]
    ended = threading.Event()
    sent: list[str] = []

    def work() -> None:
        number = 0
        while not ended.wait(0.002):
            number += 1
            for who in range(2):
                one = f"{who}-{number:06d}"
                logs[who].log("m", 1, "d", [(one, JSON, 1, b"{}", b"{}")], 1e9 + number)
                labels[who].append("m", [(one, "1.0", None)])
                sent.append(one)

    worker = threading.Thread(target=work)
    worker.start()
    command = [sys.executable, "-c", _COLLECTOR, str(store.folder), str(serving)]
    for _ in range(12):
        some = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        for one in some:
            assert one.stdout is not None
            one.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            some[0].wait(dice.random() * 0.5)
        for one in some:
            one.kill()
            assert one.stdout is not None
            one.stdout.close()
            assert one.wait() == -signal.SIGKILL
    ended.set()
    worker.join()
    for one in (*logs, *labels):
        one.close()
    collect(store, serving)
    assert predictions_kept(store) == sorted(sent)
    assert labels_kept(store) == {one: ["1.0"] for one in sent}
    nothing_is_left(serving, store)
