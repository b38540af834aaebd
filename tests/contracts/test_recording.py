"""What is logged comes to every backend, once and as it was, and is found there."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import pytest

from plusone.recording.recorder import Recorder, recover_points
from plusone.recording.series import plot_series, read_series
from plusone.search.search import search_runs
from plusone.store import Store
from plusone.tracking.changing import add_settings, set_tags
from plusone.tracking.runs import get_run, start_run


@pytest.fixture
def run_id(store: Store) -> Iterator[str]:
    run = start_run(store, name="contract", source="script", settings={"depth": 3})
    yield run.record.id
    run.finish("done")


@pytest.mark.slow
def test_points_come_to_the_store_as_they_were_and_are_found(
    store: Store, run_id: str, open_again: Callable[[], Store]
) -> None:
    recorder = Recorder(store, run_id)
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324, *(1 / (number + 1) for number in range(70_000))]
    for step, value in enumerate(values):
        recorder.log({"loss": value}, step=step if step != 3 else -(2**63) + 1, at=1e9 + step)
    recorder.close()
    set_tags(store, run_id, {"team": "a"})
    add_settings(store, run_id, {"rate": 0.1})
    other = open_again()
    found = read_series(other, run_id, "loss")
    assert [str(value) for value in found.values.tolist()] == [str(value) for value in values]
    assert found.steps[3] == -(2**63) + 1
    assert found.times.tolist() == [1e9 + step for step in range(len(values))]
    assert get_run(other, run_id).metrics["loss"].step == len(values) - 1
    plot = plot_series(other, run_id, "loss", count=100)
    assert math.inf in plot.values.tolist()
    for question in ("metrics.loss < 0.1", "params.depth = '3'", "tags.team LIKE 'a%'", "params.rate = '0.1'"):
        assert [run.id for run in search_runs(other, filter=question).runs] == [run_id], question


def test_a_fork_logs_to_the_same_store_by_connections_of_its_own(store: Store, run_id: str) -> None:
    recorder = Recorder(store, run_id)
    recorder.log({"parent": 1.0})
    recorder.flush()
    child = os.fork()
    if child == 0:
        try:
            recorder.log({"child": 2.0})
            recorder.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    recorder.log({"parent": 3.0})
    recorder.close()
    assert recover_points(store) == [], "the child has moved its own"
    assert read_series(store, run_id, "child").values.tolist() == [2.0]
    assert read_series(store, run_id, "parent").values.tolist() == [1.0, 3.0]
