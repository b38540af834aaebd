"""`plusone.log`: what it keeps, what it refuses, and nothing outside of a run."""

from __future__ import annotations

import contextvars
import decimal
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import plusone
from plusone.base.errors import UsageError
from plusone.recording import active
from plusone.recording.recorder import Recorder
from plusone.store import Store
from plusone.tracking.runs import list_metrics, start_run


class Logged:
    """A run under way, and the points that were logged to it so far."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run = start_run(store, name="r")
        self.recorder = Recorder(store, self.run.record.id)

    def points(self) -> list[tuple[str, int, float]]:
        self.recorder.flush()
        return [(point.key, point.step, point.value) for point in list_metrics(self.store, self.run.record.id)]


@pytest.fixture
def run(store: Store) -> Iterator[Logged]:
    opened = Logged(store)
    active.start(opened.recorder)
    yield opened
    active.stop()
    opened.recorder.close()
    opened.run.finish("done")


def test_outside_of_a_run_nothing_happens() -> None:
    plusone.log(loss=0.1)
    hostile: Any = object()
    plusone.log(step=hostile, loss=hostile)
    active.stop()


def test_each_metric_counts_its_own_steps_and_goes_on_from_a_given_one(run: Logged) -> None:
    plusone.log(loss=3.0)
    plusone.log(loss=2.0, accuracy=0.5)
    plusone.log(step=10, loss=1.0)
    plusone.log(loss=0.5)
    plusone.log(step=-4, loss=0.25)
    assert run.points() == [
        ("accuracy", 0, 0.5),
        ("loss", 0, 3.0),
        ("loss", 1, 2.0),
        ("loss", 10, 1.0),
        ("loss", 11, 0.5),
        ("loss", -4, 0.25),
    ]


def test_what_a_number_can_be(run: Logged) -> None:
    values: list[Any] = [
        math.nan,
        math.inf,
        -math.inf,
        True,
        7,
        np.float32(0.5),
        np.int64(2),
        np.array(1.5),
        decimal.Decimal("2.5"),
    ]
    for value in values:
        plusone.log(x=value)
    found = [value for _, _, value in run.points()]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1.0, 7.0, 0.5, 2.0, 1.5, 2.5]


@pytest.mark.parametrize("value", ["0.5", b"1", None, [1], {"a": 1}, 1j, 10**400, np.array([1, 2]), object])
def test_what_is_no_number_is_refused_and_nothing_of_that_call_is_kept(run: Logged, value: Any) -> None:
    with pytest.raises(UsageError, match=r"plusone\.log\(wrong="):
        plusone.log(right=1.0, wrong=value)
    plusone.log(right=2.0)
    assert run.points() == [("right", 0, 2.0)]


@pytest.mark.parametrize("step", [1.0, "1", 2**63, -(2**63) - 1, [1], np.array([1, 2])])
def test_a_step_that_is_no_integer_of_64_bits_is_refused(run: Logged, step: Any) -> None:
    with pytest.raises(UsageError, match="expected an integer"):
        plusone.log(step=step, loss=1.0)
    five: Any = np.int8(5)
    plusone.log(step=five, loss=1.0)
    plusone.log(step=2**63 - 1, loss=1.0)
    plusone.log(loss=1.0)
    assert [step for _, step, _ in run.points()] == [5, 2**63 - 1, 2**63 - 1]


@pytest.mark.parametrize("key", ["\ud800", "a\0b", "x" * 5000])
def test_a_name_that_is_no_text_is_refused(run: Logged, key: str) -> None:
    log: Any = plusone.log
    with pytest.raises(UsageError, match="can't name a metric"):
        log(**{key: 1.0})
    log(**{"any text / will do é": 1.0})
    assert run.points() == [("any text / will do é", 0, 1.0)]


def test_threads_never_share_a_step(run: Logged) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [plusone.log(loss=1.0) for _ in range(50)], range(8)))
    assert sorted(step for _, step, _ in run.points()) == list(range(400))


def test_a_step_of_a_small_type_does_not_overflow(run: Logged) -> None:
    small: Any = np.int8(127)
    plusone.log(step=small, loss=1.0)
    plusone.log(loss=2.0)
    assert run.points() == [("loss", 127, 1.0), ("loss", 128, 2.0)]


def test_each_thread_logs_to_the_run_that_it_began_and_others_to_the_newest(store: Store) -> None:
    runs = [Logged(store) for _ in range(3)]
    begun, looked = threading.Barrier(2), threading.Barrier(2)

    def work(run: Logged) -> None:
        active.start(run.recorder)
        begun.wait()
        plusone.log(mine=1.0)
        looked.wait()
        active.stop()

    threads = [threading.Thread(target=work, args=(run,)) for run in runs[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    active.start(runs[2].recorder)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(plusone.log, theirs=2.0).result()
    copied = contextvars.copy_context()
    active.stop(runs[2].recorder)
    copied.run(plusone.log, late=3.0)
    assert [run.points() for run in runs] == [[("mine", 0, 1.0)], [("mine", 0, 1.0)], [("theirs", 0, 2.0)]]
    for run in runs:
        run.recorder.close()
        run.run.finish("done")


def test_runs_inside_of_each_other_and_stopped_in_any_order(store: Store) -> None:
    outer, inner = Logged(store), Logged(store)
    active.start(outer.recorder)
    active.start(inner.recorder)
    plusone.log(x=1.0)
    active.stop(outer.recorder)
    plusone.log(x=2.0)
    active.stop(outer.recorder)
    active.stop()
    active.stop()
    plusone.log(x=3.0)
    assert outer.points() == []
    assert inner.points() == [("x", 0, 1.0), ("x", 1, 2.0)]
    for run in (outer, inner):
        run.recorder.close()
        run.run.finish("done")
