"""Runs as people ask for them: experiments by name, columns by what they show, series at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base.errors import NotFound, UsageError
from ..base.records import Run, as_number, finite
from ..search.filter import parse_order
from ..search.search import COLUMNS
from ..store import Store
from ..tracking.experiments import find_experiment, get_experiment
from .views import Curve, Shape

__all__ = ["cells_of", "curve_of", "experiment_ids", "shapes_of"]

_MOST_SERIES = 200
_MOST_POINTS = 60
_MOST_DRAWN = 100_000


def experiment_ids(store: Store, names: Sequence[str]) -> list[str]:
    """Return the ids of experiments that are given by name or by id.

    Raises:
        NotFound: when there is no such experiment.
    """
    found: list[str] = []
    for name in names:
        experiment = find_experiment(store, name)
        try:
            found.append(experiment.id if experiment else get_experiment(store, name).id)
        except NotFound:
            raise NotFound(
                f"There is no experiment with the name or the id {name!r}.", mend="plusone runs  shows the runs of all"
            ) from None
    return found


def cells_of(runs: Sequence[Run], columns: Sequence[str]) -> list[list[Any]]:
    """Return what each run has in each column, which is named as a filter names it: `metrics.loss`, `params.depth`.

    Raises:
        UsageError: when a column is none.
    """
    wanted = parse_order(columns)
    return [[_cell(run, one.kind, one.key) for one in wanted] for run in runs]


def _cell(run: Run, kind: str, key: str) -> Any:
    if kind == "metric":
        return run.metrics[key].value if key in run.metrics else None
    if kind == "param":
        return run.settings.get(key)
    if kind == "tag":
        return run.tags.get(key)
    if key == "artifact_uri":
        return f"mlflow-artifacts:/{run.experiment}/{run.id}/artifacts"
    return getattr(run, COLUMNS.get(key, key))


def shapes_of(store: Store, run_id: str) -> dict[str, Shape]:
    """Return what each series of a run looks like, by name; it reads summaries where a series is long."""
    from ..recording.series import list_keys, plot_series  # here: it loads numpy, and most commands need none

    found: dict[str, Shape] = {}
    for key in list_keys(store, run_id)[:_MOST_SERIES]:
        values = [finite(value) for value in plot_series(store, run_id, key, count=_MOST_POINTS).values.tolist()]
        known = [value for value in values if value is not None]
        found[key] = Shape(minimum=min(known, default=None), maximum=max(known, default=None), values=tuple(values))
    return found


def curve_of(store: Store, run_id: str, key: str, count: int, first_step: int | None, last_step: int | None) -> Curve:
    """Return a series as it is drawn: whole, or the smallest and the largest of equal spans.

    Raises:
        NotFound: when the run has no such metric.
        UsageError: for a count below 2 or over 100,000.
    """
    from ..recording.series import list_keys, plot_series  # here: it loads numpy, and most commands need none

    if not 2 <= count <= _MOST_DRAWN:
        raise UsageError(f"count = {count}: expected 2 to {_MOST_DRAWN} points.", mend="count=1000")
    found = plot_series(store, run_id, key, count=count, first_step=first_step, last_step=last_step)
    if not len(found.steps) and key not in (known := list_keys(store, run_id)):
        names = ", ".join(known[:20]) or "none"
        raise NotFound(
            f"The run {run_id} has no metric {key[:200]!r}. It has: {names}.",
            mend=f"plusone runs plot {run_id} {known[0]}" if known else f"plusone runs show {run_id}",
        )
    return Curve(
        key=key,
        steps=tuple(found.steps.tolist()),
        values=tuple(as_number(value) for value in found.values.tolist()),
        times=tuple(found.times.tolist()),
    )
