"""The target within each category of a feature: one whose labels moved as those of no other did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.views import ColumnView, Floats
from ..statistics.drift import Effect, share_difference
from .findings import Finding, Pair, fail, percent, warning

__all__ = ["label_parts"]

_FEWEST = 500
"""Rows of a category that are needed on each side: those of one day are alike, and count as few."""
_CATEGORIES = 50
_LABELS = 10
_ALPHA = 0.001
"""Of all categories and labels together: rows that are alike make intervals too short, so that they are wide ones."""


class _Moved(NamedTuple):
    """How much more often a label is there in the rows of a category, beyond how it moved in all other rows."""

    column: str
    category: str
    target: str
    label: str
    before: float
    now: float
    others: float
    rows: int
    edge: float
    """How far it moved at least, beyond the others."""


def label_parts(pair: Pair) -> Iterator[Finding]:
    """Find categories of a feature whose labels moved by more than the bound beyond those of all other rows.

    A season, or another way to count, moves them together. Labels that were turned round for one airline, or that did
    not come from one shop, move by themselves. The rows that are later than all of before are looked at where there
    are enough, else all.
    """
    looked = pair.newest or pair
    bound = looked.bounds.label_shift
    worst: dict[tuple[str, str], _Moved] = {}
    for one in _moved(looked):
        key = one.target, one.column
        if key not in worst or one.edge > worst[key].edge:
            worst[key] = one
    for one in worst.values():
        if one.edge <= bound / 2:
            continue
        newest = "the newest " if looked is not pair else ""
        said = (
            f"{one.label} is {percent(one.now)} of {newest}{one.rows:,} rows where {one.column} = {one.category}, and "
            f"was {percent(one.before)} in the live release's data; elsewhere it moved by {percent(one.others)} "
            f"(bound: {percent(bound)} beyond that): are the labels there others?"
        )
        measured = {"slice": f"{one.column} = {one.category}", "share": one.now, "before": one.before}
        judged = fail if one.edge > bound else warning
        yield judged(one.target, said, others=one.others, rows=one.rows, **measured)


def _moved(pair: Pair) -> Iterator[_Moved]:
    targets = [
        (now, before)
        for now, before in pair.shared
        if now.name in pair.learning.targets and now.kind in ("truth", "word") and before.distinct <= _LABELS
    ]
    features = [
        (now, before)
        for now, before in pair.shared
        if now.name not in pair.learning.targets
        and pair.is_feature(now.name)
        and now.kind in ("truth", "word")
        and before.is_category
    ]
    many = sum(min(len(before.counts), _CATEGORIES) * len(old.counts) for _, before in features for _, old in targets)
    for target_now, target_before in targets:
        labels = list(target_before.counts)
        # Of two labels one says it all.
        for label in labels[:1] if len(labels) <= 2 else labels:
            here, there = (_is(column, label) for column in (target_now, target_before))
            for now, before in features:
                yield from _of_categories(now, before, here, there, (target_now.name, label), max(1, many))


def _of_categories(
    now: ColumnView, before: ColumnView, here: Floats, there: Floats, what: tuple[str, str], many: int
) -> Iterator[_Moved]:
    ours, theirs = _counts(now, here), _counts(before, there)
    whole = [tuple(sum(one[place] for one in found.values()) for place in (0, 1)) for found in (ours, theirs)]
    for category in list(before.counts)[:_CATEGORIES]:
        mine, old = ours.get(category, (0, 0)), theirs.get(category, (0, 0))
        if min(mine[1], old[1]) < _FEWEST:
            continue
        rest = [(all_[0] - one[0], all_[1] - one[1]) for all_, one in zip(whole, (mine, old), strict=True)]
        if min(rows for _, rows in rest) < _FEWEST:
            continue
        (new_count, new_rows), (old_count, old_rows) = rest
        others = new_count / new_rows - old_count / old_rows
        found = share_difference(old, mine, alpha=_ALPHA, many=many)
        shares = old[0] / old[1], mine[0] / mine[1]
        yield _Moved(now.name, category, *what, *shares, others, int(mine[1]), _edge(found, others))


def _edge(found: Effect, others: float) -> float:
    """Return how far a share moved at least beyond the others, whichever way; below 0 where it may not have moved."""
    return max(found.low - others, others - found.high)


def _is(column: ColumnView, label: str) -> Floats:
    """Return 1 for the rows with that label, 0 for those with another, NaN for those without any; shape (rows,)."""
    hits = np.array([*(float(word == label) for word in column.words), np.nan])
    return hits[column.codes]


def _counts(column: ColumnView, hits: Floats) -> dict[str, tuple[int, int]]:
    """Return how often the label is there, and how many rows have any, by category."""
    labelled: NDArray[np.bool_] = ~np.isnan(hits) & (column.codes >= 0)
    codes = column.codes[labelled]
    size = len(column.words)
    counts = np.bincount(codes, hits[labelled], minlength=size)
    rows = np.bincount(codes, minlength=size)
    return {word: (int(counts[place]), int(rows[place])) for place, word in enumerate(column.words)}
