"""What is told of the past: the values of a column at the times that both tables cover, while the rest stayed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..data.views import ColumnView, TableView
from ..statistics.association import cramers_v
from ..statistics.drift import bin_edges
from .findings import Finding, Pair, fail, kept, percent, warning

__all__ = ["history", "links"]

_MOST_ROWS = 40_000
_LINK_ROWS = 10_000
_STAYED = 0.99
"""The share of the past rows in which a column must hold what it held to count as one that stayed."""
_TRIES = 3
_LINKED, _UNLINKED = 0.4, 0.5
_BINS = 12


def history(pair: Pair) -> Iterator[Finding]:
    """Find columns that hold other values in the rows of the past, while other columns hold what they did.

    A join that is an hour off, a column that was shuffled or a unit leave the column's distribution as likely as it
    was; the past gives them away. Where rows are drawn anew for each release there is no past to hold them to.
    """
    same = pair.same_times
    if same is None or (clock := same.now.clock) is None:
        return
    every = max(1, same.now.rows // _MOST_ROWS, same.before.rows // _MOST_ROWS)
    now, before = (_chosen(table, clock.name, every) for table in (same.now, same.before))
    names = [old.name for _, old in same.shared if old.name != clock.name]
    names.sort(key=lambda name: -before.columns[name].distinct)
    key, moved = _stayed(now, before, clock.name, names)
    for first in names[:_TRIES]:
        # What was moved within its moment looks as if it stayed, and all others as if they moved: begin with another.
        if moved and first in key:
            other = _stayed(now, before, clock.name, [*(name for name in names if name != first), first])
            key, moved = max((key, moved), other, key=lambda one: len(one[0]))
    if len(key) - 1 < max(2, len(names) // 4):
        return
    for name in moved:
        changed = 1.0 - (kept(now, before, [*key, name]) or 0.0)
        said = f"{percent(changed)} of the values are others than they were in the same rows of the past"
        if changed > pair.bounds.rewritten and pair.is_feature(name):
            yield fail(name, f"{said}, while {len(key)} columns are as they were", changed=changed)
        else:
            yield warning(name, said, changed=changed)


def links(pair: Pair) -> Iterator[Finding]:
    """Find columns that went with another one and no longer do, as after a wrong join or a shuffle.

    How much two columns go together is Cramér's V (1946, section 21.9) over bins, 0 to 1. By hand: two columns of the
    same two values, equally often, have V = 1.
    """
    names = [
        now.name
        for now, before in pair.shared
        if now.kind in ("number", "word", "truth") and now.distinct > 1 and before.distinct > 1
    ]
    tables = [_Binned(table, names) for table in (pair.before, pair.now)]
    for name in names:
        pairs = [(other, tables[0].v(name, other)) for other in names if other != name]
        pairs = [(other, v) for other, v in pairs if v >= _LINKED and not math.isnan(tables[1].v(name, other))]
        if not pairs:
            continue
        other, was = max(pairs, key=lambda one: one[1])
        now = tables[1].v(name, other)
        if now < _UNLINKED * was and not any(tables[1].v(name, third) > _UNLINKED * v for third, v in pairs):
            yield fail(
                name,
                f"no longer goes with {other}: their association (Cramér's V) is {now:.2f}, it was {was:.2f}",
                association=now, before=was, other=other,
            )  # fmt: skip


def _stayed(now: TableView, before: TableView, clock: str, names: list[str]) -> tuple[list[str], list[str]]:
    """Return the columns that hold what they held in the same rows, the clock first, and those that do not.

    Each is held against the rows as those before it tell them apart, the finest first: they bind a row.
    """
    key, moved = [clock], list[str]()
    for name in names:
        share = kept(now, before, [*key, name])
        if share is not None:
            (key if share >= _STAYED else moved).append(name)
    return key, moved


def _chosen(table: TableView, clock: str, every: int) -> TableView:
    """Return the rows of one moment in `every`, the same ones in each table, so that there are not too many."""
    hashed = table.hashes([clock])
    return table if hashed is None else table.take(hashed % np.uint64(every) == 0)


class _Binned:
    """The columns of a table in a few bins each, for about 10,000 of its rows."""

    def __init__(self, table: TableView, names: list[str]) -> None:
        rows = slice(None, None, max(1, table.rows // _LINK_ROWS))
        self._codes = {name: _bins(table.columns[name], rows) for name in names}
        self._found: dict[frozenset[str], float] = {}

    def v(self, one: str, other: str) -> float:
        """Return Cramér's V of two columns."""
        key = frozenset((one, other))
        if key not in self._found:
            self._found[key] = _cramer(self._codes[one], self._codes[other])
        return self._found[key]


def _bins(column: ColumnView, rows: slice) -> NDArray[np.int64]:
    if column.kind in ("word", "truth"):
        places = {word: place for place, word in enumerate(list(column.counts)[: _BINS - 1])}
        known = np.array([*(places.get(word, _BINS - 1) for word in column.words), _BINS], dtype=np.int64)
        return known[column.codes[rows]]
    edges = bin_edges(*column.heaps, most=_BINS)
    values = column.numbers[rows]
    return np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), _BINS)


def _cramer(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    there = (one < _BINS) & (other < _BINS)
    table = np.bincount(one[there] * _BINS + other[there], minlength=_BINS**2).reshape(_BINS, _BINS)
    # Bins with hardly a row make any two columns go together.
    few = table.sum() / 100
    return cramers_v(table[table.sum(axis=1) > few][:, table.sum(axis=0) > few])
