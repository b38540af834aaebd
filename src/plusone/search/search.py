"""Searching runs and experiments: MLflow's filters and orders, page by page."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any, Literal

from ..base import clock
from ..base.errors import UsageError
from ..base.records import Experiment, Record, Run
from ..store import Store
from ..store.rows import from_row
from ..store.search import Place, Search, find_runs, get_runs
from ..tracking import experiments as all_experiments
from .filter import EXPERIMENTS, Condition, Order, parse_filter, parse_order
from .matching import is_like
from .paging import check_count, page_of, question, read_token, write_token

__all__ = [
    "COLUMNS",
    "MLFLOW_STATUS",
    "ExperimentPage",
    "RunPage",
    "View",
    "milliseconds",
    "search_experiments",
    "search_runs",
]

View = Literal["active", "deleted", "all"]
MLFLOW_STATUS = {
    "running": "RUNNING",
    "done": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
    "scheduled": "SCHEDULED",
}
"""What MLflow calls our statuses: a filter may use either word."""

COLUMNS = {
    "run_id": "id",
    "run_name": "name",
    "start_time": "started_at",
    "end_time": "finished_at",
    "user_id": "by",
    "experiment_id": "experiment",
}
"""The fields of a run that MLflow has other names for."""
_MOST_EXPERIMENTS = 10_000
_DELETED = {"active": False, "deleted": True, "all": None}
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - times are UTC in text, and years 1 and 9999 have no room for zones
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999


class RunPage(Record, frozen=True):
    """A page of runs, and the token of the next one; None when this is the last."""

    runs: tuple[Run, ...]
    next_page: str | None


class ExperimentPage(Record, frozen=True):
    """A page of experiments, and the token of the next one; None when this is the last."""

    experiments: tuple[Experiment, ...]
    next_page: str | None


def search_runs(
    store: Store,
    *,
    filter: str = "",
    order_by: Sequence[str] = (),
    experiments: Sequence[str] | None = None,
    view: View = "active",
    count: int = 100,
    page: str | None = None,
) -> RunPage:
    """Return the next `count` runs that fulfil a filter.

    They are sorted by `order_by`, what is NaN or missing last, and where that leaves them equal the one that began
    last comes first. A page goes on behind the last run of the page before: what is added, taken away or changed
    meanwhile shifts nothing.

    Args:
        filter: in MLflow's grammar: `metrics.auc > 0.9 and params.depth = '3'`.
        order_by: for example `["metrics.auc DESC", "start_time"]`. Texts are compared by their first 300 characters.
        experiments: the ids of those whose runs are meant; None for all.
        page: `next_page` of the page before, from the same question.

    Raises:
        UsageError: when the filter, the order, the count or the page can't be used.
    """
    conditions, orders = parse_filter(filter), parse_order(order_by)
    ids = None if experiments is None else sorted(set(experiments))
    if ids is not None and len(ids) > _MOST_EXPERIMENTS:
        raise UsageError(f"{len(ids)} experiments are asked for: expected at most {_MOST_EXPERIMENTS}.")
    asked = question("runs", conditions, orders, ids, view)
    after = Place(*read_token(page, asked, orders, _is_metric, int)) if page else None
    places = find_runs(
        store.db,
        Search(
            conditions=[column for condition in conditions for column in _columns(condition)],
            orders=[
                (one.kind, COLUMNS.get(one.key, one.key) if one.kind == "attribute" else one.key, one.descending)
                for one in orders
            ],
            experiments=ids,
            deleted=_DELETED[view],
            after=after,
            # One more tells whether there is a page behind this one.
            most=check_count(count) + 1,
        ),
    )
    shown = places[:count]
    runs = _fetched(store, [place.number for place in shown])
    last = shown[-1] if len(places) > count else None
    return RunPage(runs=runs, next_page=write_token(asked, last.keys, last.started_at, last.number) if last else None)


def search_experiments(
    store: Store,
    *,
    filter: str = "",
    order_by: Sequence[str] = (),
    view: View = "active",
    count: int = 100,
    page: str | None = None,
) -> ExperimentPage:
    """Return the next `count` experiments that fulfil a filter on `name`, times and tags; the newest first by default.

    Raises:
        UsageError: when the filter, the order, the count or the page can't be used.
    """
    found, token = page_of(
        [one for one in all_experiments.list_experiments(store) if view in ("all", one.status)],
        parse_filter(filter, fields=EXPERIMENTS),
        # Ids sort as they were made, also those of one millisecond.
        parse_order(order_by or ["creation_time DESC", "experiment_id DESC"], fields=EXPERIMENTS),
        lambda one: {
            "attribute": {
                "name": one.name,
                "experiment_id": one.id,
                "creation_time": milliseconds(one.created_at),
                "last_update_time": milliseconds(one.updated_at),
            },
            "tag": one.tags,
        },
        lambda one: one.id,
        noun=f"experiments {view}",
        count=count,
        page=page,
        numbers=lambda order: EXPERIMENTS.attributes.get(order.key) == "number" and order.kind == "attribute",
    )
    return ExperimentPage(experiments=tuple(found), next_page=token)


def milliseconds(text: str) -> int:
    """Return a time as MLflow writes it: whole milliseconds since 1970, rounded down."""
    return (clock.parse(text).replace(tzinfo=None) - _EPOCH) // dt.timedelta(milliseconds=1)


def _fetched(store: Store, numbers: Sequence[int]) -> tuple[Run, ...]:
    """Return these runs in this order: one query for the page. One that was removed a moment ago is left out."""
    rows = {row["number"]: row for row in get_runs(store.db, numbers)}
    return tuple(from_row(Run, rows[number]) for number in numbers if number in rows)


def _is_metric(order: Order) -> bool:
    return order.kind == "metric"


def _columns(condition: Condition) -> list[tuple[str, str, str, Any]]:
    """Return a condition as the store is asked it: attributes by their column, times and statuses as they are kept."""
    if condition.kind != "attribute":
        return [condition]
    key, comparator, value = condition[1:]
    if key in ("start_time", "end_time"):
        return [("attribute", COLUMNS[key], *one) for one in _times(comparator, value)]
    if key == "status":
        return [("attribute", "status", "IN", _statuses(comparator, value))]
    return [("attribute", COLUMNS.get(key, key), comparator, value)]


def _statuses(comparator: str, value: Any) -> tuple[str, ...]:
    """Return the statuses that fulfil a condition by our word or by MLflow's."""
    if comparator in ("LIKE", "ILIKE"):
        return tuple(
            status
            for status, other in MLFLOW_STATUS.items()
            if any(is_like(word, value, ignore_case=comparator == "ILIKE") for word in (status, other))
        )
    wanted: tuple[str, ...] = (value,) if isinstance(value, str) else value
    known = {*MLFLOW_STATUS, *MLFLOW_STATUS.values()}
    if unknown := [word for word in wanted if word not in known]:
        raise UsageError(f"{unknown[0]!r} is no status of a run: expected one of {', '.join(sorted(known))}.")
    named = {status for status, other in MLFLOW_STATUS.items() if status in wanted or other in wanted}
    return tuple(status for status in MLFLOW_STATUS if (status in named) == (comparator in ("=", "IN")))


def _times(comparator: str, value: Any) -> list[tuple[str, Any]]:
    """Return a comparison of whole milliseconds as comparisons of the text that a time is kept as."""
    at = math.floor(value)
    begin, end = _moment(at), _moment(at + 1)
    if at != value:  # between two milliseconds: nothing is equal to it
        begin = end
    if comparator in ("=", "!="):
        return [(">=", begin), ("<", end)] if comparator == "=" else [("OUTSIDE", (begin, end))]
    return [{">": (">=", end), ">=": (">=", begin), "<": ("<", begin), "<=": ("<", end)}[comparator]]


def _moment(ms: int) -> str:
    """Return a time in milliseconds as `clock.now` writes it; out of its years, a text that sorts before or behind."""
    if ms < _FIRST_MS:
        return ""
    if ms > _LAST_MS:
        return "~"
    return (_EPOCH + dt.timedelta(milliseconds=ms)).isoformat(timespec="microseconds") + "Z"
