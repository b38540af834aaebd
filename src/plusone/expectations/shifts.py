"""How far the values of a column moved: total variation over bins of what was there before, with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.views import DAY, HOUR, ColumnView, Floats
from ..statistics.drift import Effect, bin_edges, total_variation
from .findings import NEWEST, SAME, Finding, Pair, fail, percent, warning

__all__ = ["Shift", "distance", "label", "shift", "shifts", "target_shifts"]

Heaps = tuple[Floats, NDArray[np.int64]]

_CATEGORIES = 30
_NOTABLE = 0.1
"""From here on a shift is shown: a tenth of the rows are others than they were."""
_NOTABLE_SAME = 0.02
"""The same among rows of the same times, which do not change by themselves."""
_LABEL_NOTABLE = 0.03
_PACE = 1.5
"""A column that moved so many times as far as it did within the data of before is shown: seasons quicken."""


class Shift(NamedTuple):
    """How far one column moved, and the shares of rows in each bin, for a figure."""

    column: str
    effect: Effect
    bins: tuple[str, ...]
    before: Floats
    now: Floats


def distance(now: ColumnView, before: ColumnView, *, alpha: float = 0.05, many: int = 1) -> Shift | None:
    """Return how far a column moved; None for one without values or of a kind that has no distance.

    Numbers have up to 20 bins of equal shares of before, words their 30 most frequent and one for the rest, and what
    hardly comes twice (ids, free text) counts by its length. What is missing is left out: `nulls` judges it.
    """
    if now.kind == "number":
        old, new = before.heaps, now.heaps
        if not len(old[0]) or not len(new[0]):
            return None
        return _numbers(now.name, new, old, alpha, many)
    if now.kind in ("word", "truth"):
        if not before.counts or not now.counts:
            return None
        if before.is_category or now.is_category or before.distinct <= _CATEGORIES:
            return _words(now, before, alpha, many)
        return _numbers(f"{now.name} (length)", _lengths(now), _lengths(before), alpha, many)
    return None


def shifts(pair: Pair) -> list[Shift]:
    """Return how far each column moved that the model learns from, the farthest first; the targets are left out."""
    targets = pair.learning.targets
    return _shifts(pair, [now.name for now, _ in pair.shared if now.name not in targets and pair.is_feature(now.name)])


def target_shifts(pair: Pair) -> list[Shift]:
    """Return how far each target moved, the farthest first."""
    return _shifts(pair, list(pair.learning.targets))


def _shifts(pair: Pair, names: list[str]) -> list[Shift]:
    chosen = [(now, before) for now, before in pair.shared if now.name in names]
    moved = [distance(now, before, alpha=pair.bounds.data_alpha, many=pair.many) for now, before in chosen]
    return sorted((one for one in moved if one is not None), key=lambda one: -one.effect.value)


def shift(pair: Pair) -> Iterator[Finding]:
    """Find columns whose values moved: by more than the bound over all rows, or at all in the past.

    A season that goes on is no news: over all rows, and among those that are new, a column is only shown if it moved
    further than its newest rows moved it before. It is shown once, and among new rows alone nothing fails.
    """
    bounds = pair.bounds
    told: set[str] = set()
    for one in shifts(pair):
        if one.effect.low > _NOTABLE:
            for finding in _judged(one, bounds.shift, max(_NOTABLE, _PACE * _season(pair, one.column)), ""):
                told.add(one.column)
                yield finding
    for one in shifts(pair.newest) if pair.newest is not None else ():
        if one.effect.low > _NOTABLE and one.column not in told:
            yield from _judged(one, 1.0, max(_NOTABLE, _PACE * _season(pair, one.column, of_new=True)), NEWEST)
    if pair.same_times is not None:
        for one in shifts(pair.same_times):
            yield from _judged(one, bounds.shift_same_times, _NOTABLE_SAME, SAME)
    yield from _hours(pair)


def label(pair: Pair) -> Iterator[Finding]:
    """Find targets whose distribution moved."""
    for one in target_shifts(pair):
        yield from _judged(one, pair.bounds.label_shift, _LABEL_NOTABLE, "")
    bound = pair.bounds.shift_same_times / 2
    for one in target_shifts(pair.same_times) if pair.same_times is not None else ():
        yield from _judged(one, bound, bound / 2, SAME)


def _season(pair: Pair, name: str, *, of_new: bool = False) -> float:
    """Return how far its newest rows moved a column of before, or with `of_new` how far they lay from its older ones;
    0 to 1.
    """
    if pair.latest is None or not 0 < pair.latest.rows < pair.before.rows:
        return 0.0
    moved = distance(pair.latest.columns[name], pair.before.columns[name])
    # With s the share of the newest rows: all rows differ from the newest by 1 - s of what older ones do, and from
    # older ones by s of it.
    share = pair.latest.rows / pair.before.rows
    return moved.effect.value * (1.0 if of_new else share) / (1.0 - share) if moved is not None else 0.0


def _judged(one: Shift, bound: float, notable: float, where: str) -> Iterator[Finding]:
    value, low, high = one.effect
    limit = f"; bound {percent(bound)}" if bound < 1.0 else ""
    said = (
        f"{percent(value)} of the rows{where} are others than in the live release's data "
        f"(interval {percent(low)} to {percent(high)}{limit}){_most(one)}"
    )
    measured = {"distance": value, "low": low, "high": high, "bound": bound, "same_times": where == SAME}
    if low > bound:
        yield fail(one.column, said, **measured)
    elif low > notable:
        yield warning(one.column, said, **measured)


def _most(one: Shift) -> str:
    """Say which bin changed most."""
    place = int(np.argmax(np.abs(one.now - one.before)))
    return f": most of all {one.bins[place]}, from {percent(one.before[place])} to {percent(one.now[place])}"


def _numbers(name: str, now: Heaps, before: Heaps, alpha: float, many: int) -> Shift:
    edges = bin_edges(*before)
    size = len(edges) + 1
    # The value itself, where each has a bin of its own; what lies outside of all that was there gets two bins more.
    low, high = before[0][0], before[0][-1]
    old, new = (_binned(values, count, edges, low, high) for values, count in (before, now))
    names = _ranges(edges, before[0]) if size > 1 else (f"{low:.4g}",)
    return _shift(name, (f"below {low:.4g}", *names, f"above {high:.4g}"), old, new, alpha, many)


def _binned(values: Floats, count: NDArray[np.int64], edges: Floats, low: float, high: float) -> Floats:
    places = np.searchsorted(edges, values, side="right") + 1
    places = np.where(values < low, 0, np.where(values > high, len(edges) + 2, places))
    return np.bincount(places, count, minlength=len(edges) + 3).astype(np.float64)


def _ranges(edges: Floats, distinct: Floats) -> tuple[str, ...]:
    if len(distinct) == len(edges) + 1:
        return tuple(f"{value:.6g}" for value in distinct)
    ends = [distinct[0], *edges, distinct[-1]]
    return tuple(f"{a:.4g} to {b:.4g}" for a, b in pairwise(ends))


def _words(now: ColumnView, before: ColumnView, alpha: float, many: int) -> Shift:
    top = list(before.counts)[:_CATEGORIES]
    counts: list[Floats] = []
    for column in (before, now):
        own = np.array([column.counts.get(word, 0) for word in top], dtype=np.float64)
        counts.append(np.append(own, float(sum(column.counts.values())) - own.sum()))
    names = (*(word if len(word) <= 40 else word[:39] + "…" for word in top), "others")
    return _shift(now.name, names, counts[0], counts[1], alpha, many)


def _shift(name: str, bins: tuple[str, ...], before: Floats, now: Floats, alpha: float, many: int) -> Shift:
    effect = total_variation(before, now, alpha=alpha, many=many)
    return Shift(name, effect, bins, before / before.sum(), now / now.sum())


def _lengths(column: ColumnView) -> Heaps:
    sizes = np.array([len(word) for word in column.counts], dtype=np.int64)
    weights = np.array(list(column.counts.values()), dtype=np.float64)
    counts = np.bincount(sizes, weights).astype(np.int64)
    there = np.flatnonzero(counts)
    return there.astype(np.float64), counts[there]


def _hours(pair: Pair) -> Iterator[Finding]:
    """Find times whose hour of the day is another: a zone that was lost, or applied twice."""
    for now, before in pair.shared:
        if now.kind != "moment" or min(len(now.values), len(before.values)) < 1000:
            continue
        ours, theirs = (
            np.bincount((column.values % DAY // HOUR).astype(np.int64), minlength=24) / len(column.values)
            for column in (now, before)
        )
        apart = [float(np.abs(np.roll(theirs, hours) - ours).sum()) / 2 for hours in range(24)]
        best = int(np.argmin(apart))
        # One hour is summer time; a moved clock fits far better than the one that stands.
        if best not in (0, 1, 23) and apart[0] > 0.15 and apart[best] < apart[0] / 3:
            hours = best if best <= 12 else best - 24
            yield fail(
                now.name, f"is {hours:+d} hours from what it was: a time zone was lost or applied twice", hours=hours
            )
