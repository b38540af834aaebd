"""A table held against the one that the live release was made with: everything that may be wrong, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..base.config import Checks
from ..base.records import Learning
from ..data.views import TableView
from . import calendar, history, parts, rows, schema, shifts, times, units, values
from .findings import Finding, Pair

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COMPARISONS", "compare", "pair_of"]

COMPARISONS: dict[str, Callable[[Pair], Iterable[Finding]]] = {
    "columns": schema.columns,
    "ranges": values.ranges,
    "nulls": values.nulls,
    "categories": values.categories,
    "units": units.units,
    "rows": times.rows,
    "gaps": times.gaps,
    "history": history.history,
    "links": lambda pair: [*history.links(pair), *calendar.calendar(pair)],
    "shift": shifts.shift,
    "label": lambda pair: [*shifts.label(pair), *parts.label_parts(pair)],
    "duplicates": lambda pair: rows.duplicates(pair.now, pair.before, pair.bounds),
}
"""What is compared, by the name of its check."""


def pair_of(
    now: pa.Table | TableView,
    before: pa.Table | TableView,
    *,
    learning: Learning | None = None,
    bounds: Checks | None = None,
) -> Pair:
    """Return two tables to be held against each other."""
    ours, theirs = (one if isinstance(one, TableView) else TableView(one) for one in (now, before))
    return Pair(ours, theirs, learning or Learning(), bounds or Checks())


def compare(
    now: pa.Table, before: pa.Table, *, learning: Learning | None = None, bounds: Checks | None = None
) -> dict[str, list[Finding]]:
    """Return what differs from before beyond its bounds, by the name of the check; empty lists where all is well.

    Args:
        learning: what the model learns from; default: every column may be a feature, none is a target.
        bounds: those of `[tool.plusone.checks]`; default: the usual ones.
    """
    pair = pair_of(now, before, learning=learning, bounds=bounds)
    return {name: list(find(pair)) for name, find in COMPARISONS.items()}
