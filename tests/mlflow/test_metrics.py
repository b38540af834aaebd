"""Metrics over MLflow's API: kept as they were logged, read at once, and with MLflow's limits."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.mlflow.metrics import _evenly
from tests.mlflow.asking import Asking


def _log(mlflow: Asking, run_id: str, value: Any, step: int = 0, at: int = 1, key: str = "m") -> None:
    mlflow.post("runs/log-metric", run_id=run_id, key=key, value=value, timestamp=at, step=step)


def _history(mlflow: Asking, run_id: str, **values: Any) -> list[tuple[int, int, Any]]:
    found = mlflow.get("metrics/get-history", run_id=run_id, metric_key="m", **values)["metrics"]
    return [(one["timestamp"], one["step"], one["value"]) for one in found]


def test_points_are_read_at_once_and_as_they_were_logged(mlflow: Asking):
    run_id = mlflow.run()
    for value, step, at in ((1.5, 0, 10), ("NaN", 1, 20), ("Infinity", -3, 30), ("-Infinity", 2**62, 30), (1.5, 0, 40)):
        _log(mlflow, run_id, value, step, at)
    assert _history(mlflow, run_id) == [
        (10, 0, 1.5),
        (20, 1, "NaN"),
        (30, -3, "Infinity"),
        (30, 2**62, "-Infinity"),
        (40, 0, 1.5),
    ]
    latest = mlflow.get("runs/get", run_id=run_id)["run"]["data"]["metrics"]
    assert latest == [{"key": "m", "value": "-Infinity", "timestamp": 30, "step": 2**62}]


def test_a_history_has_pages(mlflow: Asking):
    run_id = mlflow.run()
    points = [{"key": "m", "value": float(n), "timestamp": n, "step": n} for n in range(25)]
    mlflow.post("runs/log-batch", run_id=run_id, metrics=points)
    seen: list[float] = []
    token = ""
    while True:
        page = mlflow.get("metrics/get-history", run_id=run_id, metric_key="m", max_results=10, page_token=token)
        seen += [one["value"] for one in page["metrics"]]
        token = page.get("next_page_token")
        if not token:
            break
    assert seen == [float(n) for n in range(25)]
    for wrong in ("x", "-1", "9" * 30, "٣"):
        code, _ = mlflow.refused("GET", "metrics/get-history", run_id=run_id, metric_key="m", page_token=wrong)
        assert code == "INVALID_PARAMETER_VALUE"
    code, _ = mlflow.refused("GET", "metrics/get-history", run_id=run_id, metric_key="m", max_results=0)
    assert code == "INVALID_PARAMETER_VALUE"


def test_histories_of_several_runs(mlflow: Asking):
    runs = sorted(mlflow.run() for _ in range(3))
    for number, run_id in enumerate(runs):
        for step in range(10):
            _log(mlflow, run_id, float(number), step, step)
    found = mlflow.get("metrics/get-history-bulk", run_id=runs, metric_key="m", max_results=15)["metrics"]
    assert [one["run_id"] for one in found] == [runs[0]] * 10 + [runs[1]] * 5
    sampled = {"run_ids": runs[:2], "metric_key": "m"}
    found = mlflow.get("metrics/get-history-bulk-interval", **sampled, max_results=3)["metrics"]
    assert [(one["run_id"], one["step"]) for one in found] == [(run, step) for run in runs[:2] for step in (0, 4, 9)]
    found = mlflow.get("metrics/get-history-bulk-interval", **sampled, start_step=2, end_step=4)["metrics"]
    assert [one["step"] for one in found] == [2, 3, 4] * 2
    for wrong in ({"start_step": 1}, {"start_step": 5, "end_step": 1}, {"max_results": 0}, {"max_results": 2501}):
        assert mlflow.refused("GET", "metrics/get-history-bulk-interval", **sampled, **wrong)[0]
    assert mlflow.refused("GET", "metrics/get-history-bulk", run_id=["x"] * 101, metric_key="m")[0]
    assert mlflow.refused("GET", "metrics/get-history-bulk", run_id=[runs[0], "none"], metric_key="m")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": True},
        {"value": None},
        {"value": "much"},
        {"value": [1]},
        {"timestamp": -1},
        {"timestamp": 2**63},
        {"timestamp": 1.5},
        {"step": 2**63},
        {"step": "x"},
        {"key": ""},
        {"key": "a" * 251},
        {"key": "../a"},
        {"key": "a\0"},
        {"key": 5},
    ],
)
def test_a_point_that_is_none_is_refused_and_nothing_is_logged(mlflow: Asking, wrong: dict[str, Any]):
    run_id = mlflow.run()
    _log(mlflow, run_id, 1.0)
    good: dict[str, Any] = {"key": "m", "value": 2.0, "timestamp": 2, "step": 1}
    assert mlflow.refused("POST", "runs/log-metric", run_id=run_id, **{**good, **wrong})[0] == "INVALID_PARAMETER_VALUE"
    code, _ = mlflow.refused("POST", "runs/log-batch", run_id=run_id, metrics=[good, {**good, **wrong}])
    assert code == "INVALID_PARAMETER_VALUE"
    assert _history(mlflow, run_id) == [(1, 0, 1.0)]


def test_a_number_may_come_as_text_as_protobuf_writes_it(mlflow: Asking):
    run_id = mlflow.run()
    mlflow.post("runs/log-metric", run_id=run_id, key="m", value="0.5", timestamp="7", step="9007199254740993")
    assert _history(mlflow, run_id) == [(7, 9007199254740993, 0.5)]


def test_a_batch_has_limits(mlflow: Asking):
    run_id = mlflow.run()
    point = {"key": "m", "value": 1.0, "timestamp": 1}
    tag = [{"key": f"k{n}", "value": "v"} for n in range(101)]
    for too_many in (
        {"metrics": [point] * 1001},
        {"params": tag},
        {"tags": tag},
        {"metrics": [point] * 1000, "tags": tag[:1]},
    ):
        code, message = mlflow.refused("POST", "runs/log-batch", run_id=run_id, **too_many)
        assert code == "INVALID_PARAMETER_VALUE"
        assert "can contain at most" in message
    twice = [{"key": "a", "value": "1"}, {"key": "a", "value": "1"}]
    assert "Duplicate parameter keys" in mlflow.refused("POST", "runs/log-batch", run_id=run_id, params=twice)[1]
    assert _history(mlflow, run_id) == []


def test_one_metric_several_times_in_a_batch_is_kept_each_time(mlflow: Asking):
    run_id = mlflow.run()
    points = [{"key": "m", "value": float(n), "timestamp": 5, "step": 1} for n in (3, 1, 2)]
    mlflow.post("runs/log-batch", run_id=run_id, metrics=[*points, {**points[0], "key": "n"}])
    assert [value for _, _, value in _history(mlflow, run_id)] == [1.0, 2.0, 3.0]


def test_a_run_that_is_not_there_is_not_made(mlflow: Asking):
    for path in ("runs/log-metric", "runs/log-batch"):
        values: dict[str, Any] = {"run_id": "none", "key": "m", "value": 1.0, "timestamp": 1}
        assert mlflow.refused("POST", path, **values)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert mlflow.refused("GET", "metrics/get-history", run_id="none", metric_key="m")[0] == "RESOURCE_DOES_NOT_EXIST"


@given(st.integers(0, 5000), st.integers(1, 3000))
def test_what_is_sampled_evenly_has_both_ends(count: int, most: int):
    places = _evenly(count, most).tolist()
    assert len(places) == min(count, most)
    assert places == sorted(set(places))
    if count and most > 1:
        assert (places[0], places[-1]) == (0, count - 1)
        gaps = [b - a for a, b in itertools.pairwise(places)]
        assert not gaps or max(gaps) - min(gaps) <= 1 + math.ceil(count / most) // count
