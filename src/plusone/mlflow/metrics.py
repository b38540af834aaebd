"""Metrics, as MLflow's clients log and read them.

A point is acknowledged when it is in the journal of its run; no transaction of the store waits for it. It is in the
store before anybody reads it here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..app.app import App
from ..base.records import as_number
from ..mlflow_wire.endpoint import Endpoint, Tag, Taken
from ..mlflow_wire.errors import invalid
from ..mlflow_wire.wire import as_dict, check_key, offset_of
from ..recording.series import Series, read_series
from ..tracking.logged_models import Logged, log_model_metrics
from .recorders import Batch, Recorders
from .runs import OfRun, active_run, find_run, log_params, log_tags

__all__ = ["Metrics"]

_MOST_METRICS = 1000
_MOST_PARAMS = 100
_MOST_HISTORY = 25_000
_MOST_RUNS = 100
_MOST_SAMPLED = 2500

Integer = Annotated[int, msgspec.Meta(ge=-(2**63) + 1, le=2**63 - 1)]
Time = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class LogMetric(OfRun, frozen=True, kw_only=True):
    """One point of one metric; its time in milliseconds."""

    key: str
    value: float
    timestamp: Time
    step: Integer = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class Point(msgspec.Struct, frozen=True):
    """One point of a batch; its time in milliseconds."""

    key: str
    value: float
    timestamp: Time
    step: Integer = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogBatch(OfRun, frozen=True, kw_only=True):
    """Points, parameters and tags of one run."""

    metrics: tuple[Point, ...] = ()
    params: tuple[Tag, ...] = ()
    tags: tuple[Tag, ...] = ()


class History(OfRun, frozen=True, kw_only=True):
    """A metric of a run, a page of it or all."""

    metric_key: str
    max_results: Annotated[int, msgspec.Meta(ge=1)] | None = None
    page_token: str = ""


class HistoryOfMany(Taken, frozen=True, kw_only=True):
    """A metric of several runs."""

    run_id: list[str]
    metric_key: str
    max_results: Annotated[int, msgspec.Meta(ge=1)] = _MOST_HISTORY


class Sampled(Taken, frozen=True, kw_only=True):
    """A metric of several runs between two steps, in at most `max_results` points for each run."""

    run_ids: list[str]
    metric_key: str
    start_step: int | None = None
    end_step: int | None = None
    max_results: Annotated[int, msgspec.Meta(ge=1, le=_MOST_SAMPLED)] = _MOST_SAMPLED


class Metrics:
    """The endpoints of metrics, over the recorders of this process."""

    def __init__(self, recorders: Recorders) -> None:
        self._recorders = recorders
        self.endpoints = (
            Endpoint("POST", "runs/log-metric", LogMetric, self._log_metric),
            Endpoint("POST", "runs/log-batch", LogBatch, self._log_batch),
            Endpoint("GET", "metrics/get-history", History, self._history),
            Endpoint("GET", "metrics/get-history-bulk", HistoryOfMany, self._history_of_many),
            Endpoint("GET", "metrics/get-history-bulk-interval", Sampled, self._sampled),
        )

    def log_at_once(self, asked: LogMetric | LogBatch) -> bool:
        """Log points to a run whose recorder is open, and nothing that needs the store; say whether that was all."""
        if isinstance(asked, LogMetric):
            return not asked.model_id and self._recorders.log_if_open(asked.id, (_batch(asked),))
        if asked.params or asked.tags or not asked.metrics or any(point.model_id for point in asked.metrics):
            return False
        return self._recorders.log_if_open(asked.id, _batches(asked.metrics))

    def _log_metric(self, app: App, asked: LogMetric) -> dict[str, Any]:
        run = active_run(app.store, asked.id)
        batch = _batch(asked)
        _log_of_models(app, run.id, (asked,))
        self._recorders.log(run.id, (batch,))
        return {}

    def _log_batch(self, app: App, asked: LogBatch) -> dict[str, Any]:
        run = active_run(app.store, asked.id)
        batches = _batches(asked.metrics)
        for what, most, count in (
            ("params", _MOST_PARAMS, len(asked.params)),
            ("tags", _MOST_PARAMS, len(asked.tags)),
            ("metrics, params, and tags", _MOST_METRICS, len(asked.metrics) + len(asked.params) + len(asked.tags)),
        ):
            _check_count(what, most, count)
        params = as_dict(asked.params)
        if len(params) != len(asked.params):
            keys = [one.key for one in asked.params]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise invalid(
                f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one "
                "param value per param key."
            )
        if params:
            log_params(app.store, run.id, params)
        if asked.tags:
            log_tags(app.store, run.id, as_dict(asked.tags))
        _log_of_models(app, run.id, asked.metrics)
        if batches:
            self._recorders.log(run.id, batches)
        return {}

    def _read(self, app: App, run_id: str, key: str) -> Series:
        find_run(app.store, run_id)
        self._recorders.flush(run_id)
        return read_series(app.store, run_id, key)

    def _history(self, app: App, asked: History) -> dict[str, Any]:
        first = offset_of(asked.page_token)
        series = self._read(app, asked.id, asked.metric_key)
        order = np.lexsort((series.values, series.steps, series.times))
        last = len(order) if asked.max_results is None else first + asked.max_results
        answer: dict[str, Any] = {"metrics": list(_points(asked.metric_key, series, order[first:last]))}
        if last < len(order):
            answer["next_page_token"] = str(last)
        return answer

    def _history_of_many(self, app: App, asked: HistoryOfMany) -> dict[str, Any]:
        _check_runs(asked.run_id)
        most = min(asked.max_results, _MOST_HISTORY)
        found: list[dict[str, Any]] = []
        for run_id in sorted(set(asked.run_id)):
            series = self._read(app, run_id, asked.metric_key)
            order = np.lexsort((series.values, series.steps, series.times))[: most - len(found)]
            found += [{**point, "run_id": run_id} for point in _points(asked.metric_key, series, order)]
        return {"metrics": found}

    def _sampled(self, app: App, asked: Sampled) -> dict[str, Any]:
        _check_runs(asked.run_ids)
        if (asked.start_step is None) != (asked.end_step is None):
            raise invalid("If either start step or end step are specified, both must be specified.")
        first, last = asked.start_step, asked.end_step
        if first is not None and last is not None and first > last:
            raise invalid(f"end_step must be greater than start_step. Found start_step={first} and end_step={last}.")
        found: list[dict[str, Any]] = []
        for run_id in dict.fromkeys(asked.run_ids):
            series = self._read(app, run_id, asked.metric_key)
            order = np.lexsort((series.values, series.times, series.steps))
            if first is not None and last is not None:
                steps = series.steps[order]
                order = order[(steps >= _clamped(first)) & (steps <= _clamped(last))]
            order = order[_evenly(len(order), asked.max_results)]
            found += [{**point, "run_id": run_id} for point in _points(asked.metric_key, series, order)]
        return {"metrics": found}


def _log_of_models(app: App, run_id: str, points: Sequence[LogMetric | Point]) -> None:
    """Keep with the logged models what of these points says that it is of one."""
    log_model_metrics(
        app.store,
        run_id,
        [
            Logged(
                one.model_id, one.key, one.value, one.step, one.timestamp / 1000, one.dataset_name, one.dataset_digest
            )
            for one in points
            if one.model_id
        ],
    )


def _batch(asked: LogMetric) -> Batch:
    return Batch({_name(asked.key): asked.value}, asked.step, asked.timestamp / 1000)


def _batches(points: Sequence[Point]) -> list[Batch]:
    """Put neighbours of one step and time together, in the order in which they came."""
    _check_count("metrics", _MOST_METRICS, len(points))
    found: list[Batch] = []
    step = timestamp = None
    metrics: dict[str, float] = {}
    for point in points:
        key = _name(point.key)
        if point.step != step or point.timestamp != timestamp or key in metrics:
            step, timestamp, metrics = point.step, point.timestamp, {}
            found.append(Batch(metrics, step, timestamp / 1000))
        metrics[key] = point.value
    return found


@functools.lru_cache(8192)
def _name(key: str) -> str:
    # A training loop logs the same few names again and again; one that is refused is not kept here.
    return check_key(key, "name")


def _check_count(what: str, most: int, count: int) -> None:
    if count > most:
        raise invalid(
            f"A batch logging request can contain at most {most} {what}. Got {count} {what}. Please split up {what} "
            "across multiple requests and try again."
        )


def _check_runs(run_ids: list[str]) -> None:
    if not run_ids:
        raise invalid("The request must specify at least one run_id.")
    if len(run_ids) > _MOST_RUNS:
        raise invalid(f"The request cannot specify more than {_MOST_RUNS} run_ids. Received {len(run_ids)} run_ids.")


def _clamped(step: int) -> int:
    return max(-(2**63), min(step, 2**63 - 1))


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` places of 0 to count - 1, evenly, the first and the last among them; of one the last."""
    if count <= most:
        return np.arange(count)
    if most == 1:
        return np.array([count - 1])
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def _points(key: str, series: Series, order: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    times = np.rint(series.times[order] * 1000).tolist()
    for step, value, at in zip(series.steps[order].tolist(), series.values[order].tolist(), times, strict=True):
        yield {"key": key, "value": as_number(value), "timestamp": int(at), "step": step}
