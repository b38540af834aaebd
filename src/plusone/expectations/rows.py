"""Rows that are there twice, and rows that are both learned from and tested on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..base.config import Checks
from ..base.records import Learning
from ..data.views import TableView
from ..statistics.drift import share_difference
from .findings import Finding, fail, percent, warning
from .times import day_text

__all__ = ["duplicates", "find_key", "overlap", "repeated"]

_ALMOST = 0.001
_KEY_ROWS = 100


def repeated(table: TableView, names: list[str] | None = None) -> int | None:
    """Return how many rows are equal to an earlier one in the columns `names` (default: all); None: can't be told."""
    hashed = table.hashes(names)
    return None if hashed is None else len(hashed) - len(np.unique(hashed))


def duplicates(now: TableView, before: TableView | None, bounds: Checks) -> Iterator[Finding]:
    """Find rows that are there twice, and values of what was a key that are."""
    twice = repeated(now) if now.columns else None
    if twice is None or not now.rows:
        return
    share = twice / now.rows
    said = f"{twice:,} rows ({percent(share)}) are equal to another one in all columns"
    measured = {"rows": twice, "share": share, "bound": bounds.duplicates}
    was = repeated(before) if before is not None and before.rows else None
    if before is None or was is None:
        if share > bounds.duplicates:
            yield warning("", said, **measured)
        return
    rise = share_difference((was, before.rows), (twice, now.rows), alpha=bounds.data_alpha)
    said += f"; it was {percent(was / before.rows)}"
    if rise.low > bounds.duplicates and rise.value > was / before.rows / 4:
        yield fail("", said, **measured)
    elif rise.low > bounds.duplicates / 5:
        yield warning("", said, **measured)
    key = find_key(before)
    if key and set(key) <= set(now.columns):
        again = repeated(now, key)
        if again and again / now.rows > _ALMOST and again > twice:
            names = " and ".join(key)
            said = f"{again:,} rows ({percent(again / now.rows)}) have the {names} of another one; each was there once"
            yield fail(key[0], said, rows=again)


def find_key(table: TableView) -> list[str]:
    """Return the column that is another one in each row, or the clock and one more that are; empty: there is none."""
    if table.rows < _KEY_ROWS:
        return []
    for column in table:
        if column.distinct == table.rows and (column.kind in ("word", "moment") or column.whole):
            return [column.name]
    clock = table.clock
    for column in table if clock is not None else ():
        if clock is not None and column.is_category and not column.nulls:
            again = repeated(table, [clock.name, column.name])
            if again is not None and again / table.rows < _ALMOST / 2:
                return [clock.name, column.name]
    return []


def overlap(
    train: TableView,
    holdout: TableView,
    learning: Learning,
    bounds: Checks,
    *,
    before: tuple[TableView, TableView] | None = None,
) -> Iterator[Finding]:
    """Find rows of the holdout that are in the training data: equal in every feature and target.

    By chance rows are equal where features have few values: as many are allowed as the holdout repeats of itself.

    Args:
        before: the two tables of the live release: a split that takes no notice of time, as theirs did, is no news.
    """
    names = [*(learning.features or [n for n in train.columns if n not in learning.targets]), *learning.targets]
    moments = [c.name for c in train if c.kind == "moment" and c.name in holdout.columns and c.name not in names]
    names = sorted({name for name in [*names, *moments] if name in train.columns and name in holdout.columns})
    ours, theirs = train.hashes(names), holdout.hashes(names)
    if ours is None or theirs is None or not len(theirs) or not len(ours):
        return
    shared = int(np.isin(theirs, ours).sum())
    share = shared / len(theirs)
    chance = 1.0 - len(np.unique(theirs)) / len(theirs)
    said = f"{shared:,} rows of it ({percent(share)}) are in the training data too"
    measured = {"rows": shared, "share": share, "bound": bounds.overlap, "repeated": chance}
    if share > bounds.overlap + 3 * chance * max(1.0, len(ours) / len(theirs)):
        yield fail("", said, **measured)
    elif shared:
        yield warning("", said, **measured)
    if before is None or next(_order(*before), None) is None:
        yield from _order(train, holdout)


def _order(train: TableView, holdout: TableView) -> Iterator[Finding]:
    """Say where what is tested on is no later than what was learned from."""
    clock = train.clock
    other = holdout.columns.get(clock.name) if clock is not None else None
    if clock is None or other is None or other.kind != "moment" or not len(other.values):
        return
    last, first = clock.ends[1], other.ends[0]
    if first <= last:
        within = float((other.values <= last).mean())
        said = (
            f"{percent(within)} of its rows are no later than the last that the model learns from ({day_text(last)}): "
            "a model is asked about later ones, and this tests something easier"
        )
        yield warning(clock.name, said, share=within)
