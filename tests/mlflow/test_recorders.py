"""Recorders that stay open between requests: closed when they are many or idle, and never in the way of a point."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.base.errors import NotFound
from plusone.mlflow import recorders as module
from plusone.mlflow.recorders import Batch, Recorders
from plusone.recording.series import read_series
from tests.mlflow.asking import Asking


@pytest.fixture
def recorders(mlflow: Asking) -> Iterator[Recorders]:
    made = Recorders(mlflow.app.store)
    yield made
    made.close_all()


def _point(value: float, step: int = 0) -> list[Batch]:
    return [Batch({"m": value}, step, 1.0)]


def test_only_a_recorder_that_is_open_logs_at_once(mlflow: Asking, recorders: Recorders):
    run_id = mlflow.run()
    assert not recorders.log_if_open(run_id, _point(1.0))
    recorders.log(run_id, _point(2.0))
    assert recorders.log_if_open(run_id, _point(3.0))
    recorders.close(run_id)
    assert not recorders.log_if_open(run_id, _point(4.0))
    assert read_series(mlflow.app.store, run_id, "m").values.tolist() == [2.0, 3.0]


def test_what_was_flushed_is_in_the_store(mlflow: Asking, recorders: Recorders):
    run_id = mlflow.run()
    recorders.flush(run_id)
    recorders.log(run_id, _point(1.0))
    recorders.flush_all()
    assert mlflow.app.store.db.one("run_get", id=run_id)["metrics"] != "{}"  # pyright: ignore[reportOptionalSubscript]  # it is there


def test_a_run_that_is_not_there_has_no_recorder(recorders: Recorders):
    with pytest.raises(NotFound):
        recorders.log("none", _point(1.0))


def test_the_least_used_are_closed_first(mlflow: Asking, recorders: Recorders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_OPEN", 2)
    first, second, third = (mlflow.run() for _ in range(3))
    recorders.log(first, _point(1.0))
    recorders.log(second, _point(1.0))
    assert recorders.log_if_open(first, _point(2.0))
    recorders.log(third, _point(1.0))
    assert [recorders.log_if_open(run_id, _point(3.0)) for run_id in (second, first, third)] == [False, True, True]
    monkeypatch.setattr(module, "_IDLE_S", -1.0)
    recorders.log(second, _point(4.0))
    assert [recorders.log_if_open(run_id, _point(5.0)) for run_id in (second, first, third)] == [True, False, False]
    assert read_series(mlflow.app.store, first, "m").values.tolist() == [1.0, 2.0, 3.0]


def test_no_point_is_lost_while_recorders_are_closed_and_read(mlflow: Asking, recorders: Recorders, tmp_path: Path):
    run_id = mlflow.run()
    faults: list[BaseException] = []

    def log(first: int) -> None:
        try:
            for step in range(first, first + 500):
                recorders.log(run_id, _point(float(step), step))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=log, args=(first,)) for first in range(0, 2000, 500)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        recorders.close(run_id)
        recorders.flush(run_id)
    for thread in threads:
        thread.join()
    recorders.close(run_id)
    assert faults == []
    assert sorted(read_series(mlflow.app.store, run_id, "m").values.tolist()) == [float(n) for n in range(2000)]
