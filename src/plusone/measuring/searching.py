"""The search for slices that fare badly: looked for on some rows, to be confirmed on others.

After SliceFinder: Chung, Kraska, Polyzotis, Tae & Whang (2019), "Slice Finder: automated data slicing for model
validation", ICDE: columns first, then pairs of them, each slice ranked by how far it fares worse than it may, in
standard errors. They control false finds by alpha-investing; here what was found is tested anew, on rows that the
search has not seen, so that nothing is assumed of how it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .slicing import Slicing, crossed

__all__ = ["Found", "crossed_all", "halves", "search"]

FOUND = 10
"""How many slices are confirmed: each takes a part of the error rate."""
PAIRED = 30
"""Of how many columns pairs are looked at."""
_DEEPER = 0.5
"""A pair must stand out by so many standard errors more than each of its parts."""
_STEADY = 10
"""The variance of a slice is taken together with so many rows of the whole: few equal values have none."""


class Found(NamedTuple):
    """A slice that looks bad: its name, its rows, and how many standard errors below the limit it lies."""

    label: str
    rows: NDArray[np.bool_]
    score: float


def halves(rows: int, seed: int) -> NDArray[np.bool_]:
    """Return which rows are searched: half of them, chosen by the seed. The others confirm."""
    chosen = np.zeros(rows, dtype=np.bool_)
    chosen[np.random.default_rng(seed).permutation(rows)[: rows // 2]] = True
    return chosen


def search(
    slicings: Sequence[Slicing],
    values: NDArray[np.float64],
    looked: NDArray[np.bool_],
    limit: float,
    few: int,
    *,
    pairs: bool = True,
) -> list[Found]:
    """Return the slices that look worst, the worst first, at most `FOUND`; with `pairs` also those by two columns.

    Args:
        values: of each row, the better the higher.
        looked: the rows to search; of no others anything is read.
        limit: what the mean of a slice should not lie below.
        few: a slice has at least as many of those rows.
    """
    own = values[looked]
    spread = float(own.var()) if len(own) else 0.0
    if spread <= 0:
        return []
    codes = [one.codes[looked] for one in slicings]
    alone = [_scores(part, len(one.labels), own, spread, limit, few) for part, one in zip(codes, slicings, strict=True)]
    picked = [
        (float(score), (place,), at)
        for place, scores in enumerate(alone)
        for at, score in enumerate(scores)
        if score < -1
    ]
    for first, second in combinations(range(min(len(slicings), PAIRED) if pairs else 0), 2):
        width, height = len(slicings[second].labels), len(slicings[first].labels)
        both = (codes[first] >= 0) & (codes[second] >= 0)
        cell = np.where(both, codes[first] * width + codes[second], -1)
        scores = _scores(cell, width * height, own, spread, limit, few)
        parts = np.minimum(np.repeat(alone[first], width), np.tile(alone[second], height))
        deeper = np.flatnonzero((scores < -1) & (scores < parts - _DEEPER))
        picked += [(float(scores[at]), (first, second), int(at)) for at in deeper]
    picked.sort()
    return [_found(slicings, *one) for one in picked[:FOUND]]


def _scores(
    codes: NDArray[np.int64], count: int, values: NDArray[np.float64], spread: float, limit: float, few: int
) -> NDArray[np.float64]:
    """Return how many standard errors the mean of each slice lies above the limit; infinity where rows are too few."""
    inside = codes >= 0
    codes, values = codes[inside], values[inside]
    rows = np.bincount(codes, minlength=count)[:count].astype(np.float64)
    sums, squares = (np.bincount(codes, weights=part, minlength=count)[:count] for part in (values, values**2))
    enough = rows >= max(few, 2)
    many = np.where(enough, rows, 1.0)
    mean = sums / many
    variance = (np.maximum(squares - many * mean**2, 0.0) + _STEADY * spread) / (many + _STEADY)
    return np.where(enough, (mean - limit) / np.sqrt(variance / many), np.inf)


def _found(slicings: Sequence[Slicing], score: float, places: tuple[int, ...], at: int) -> Found:
    if len(places) == 1:
        one = slicings[places[0]]
        return Found(one.labels[at], one.rows(at), score)
    first, second = (slicings[place] for place in places)
    width = len(second.labels)
    rows = first.rows(at // width) & second.rows(at % width)
    return Found(f"{first.labels[at // width]}, {second.labels[at % width]}", rows, score)


def crossed_all(slicings: Sequence[Slicing]) -> Slicing:
    """Return the slices of rows that are in one of each of several."""
    first, *rest = slicings
    for one in rest:
        first = crossed(first, one)
    return first
