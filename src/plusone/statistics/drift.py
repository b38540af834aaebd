"""How far two samples lie apart, as a number that means something by itself, with an interval around it.

The distance is total variation: the share of the rows that would have to be others for the two distributions to be
one. It is 0 to 1 whatever the unit, and means the same for numbers in bins and for categories.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .proportions import newcombe

__all__ = ["Effect", "Floats", "bin_edges", "share_difference", "total_variation"]

Floats = NDArray[np.float64]


class Effect(NamedTuple):
    """A measured size with the interval that holds the true one."""

    value: float
    low: float
    high: float


def total_variation(before: Floats, now: Floats, *, alpha: float = 0.05, many: int = 1) -> Effect:
    """Return the total variation distance of two distributions over the same bins, from the counts in each bin.

    The distance is half the sum of the absolute differences of the shares. Each sample's own distance from what it was
    drawn from is, with probability 1 - delta, at most

        r(n) = sqrt((k - 1) / n) / 2 + sqrt(ln(1 / delta) / (2 n))      k bins, n rows

    The first term bounds its expectation (Cauchy-Schwarz; Berend and Kontorovich 2013, "A sharp estimate of the
    binomial mean absolute deviation", section 1), the second what chance adds to it (McDiarmid 1989, "On the method of
    bounded differences", lemma 1.2: one row moves it by at most 1 / n). By the triangle inequality the true distance
    lies within r(n) + r(m) of the measured one. It holds for every number of rows and is wide where they are few.

    Args:
        before, now: counts, shape (k,).
        alpha: the share of false intervals that is put up with, over all comparisons together, 0 to 1.
        many: how many comparisons there are; each gets an equal part of alpha (Bonferroni; Dunn 1961), so that all
            intervals hold at once.

    By hand: counts 50, 50 and 80, 20 are the shares 0.5, 0.5 and 0.8, 0.2: the distance is (0.3 + 0.3) / 2 = 0.3.
    With delta = 0.025 and n = m = 100 each r is sqrt(1 / 100) / 2 + sqrt(ln 40 / 200) = 0.05 + 0.1358 = 0.1858.
    """
    rows = float(before.sum()), float(now.sum())
    if min(rows) <= 0:
        return Effect(0.0, 0.0, 1.0)
    bins = int(((before > 0) | (now > 0)).sum())
    value = float(np.abs(before / rows[0] - now / rows[1]).sum()) / 2.0
    if bins < 2:
        return Effect(0.0, 0.0, 1.0)
    chance = math.log(2.0 * many / alpha) / 2.0
    radius = sum(math.sqrt((bins - 1) / n) / 2.0 + math.sqrt(chance / n) for n in rows)
    return Effect(value, max(0.0, value - radius), min(1.0, value + radius))


def bin_edges(distinct: Floats, counts: NDArray[np.int64], most: int = 20) -> Floats:
    """Return the inner edges of at most `most` bins that hold about as many values each, shape (bins - 1,).

    Args:
        distinct: the values that there are, ascending, each once.
        counts: how often each is there.

    A value x is in the bin `searchsorted(edges, x, side="right")`. Up to `most` values get a bin each.

    By hand: 1, 2, 3, 4, each once, in two bins: the edge is 3, so that 1, 2 and 3, 4 share a bin.
    """
    if len(distinct) <= most:
        return distinct[1:]
    wanted = np.arange(1, most) / most * counts.sum()
    places = np.searchsorted(np.cumsum(counts), wanted, side="right")
    edges = np.unique(distinct[np.minimum(places, len(distinct) - 1)])
    return edges[edges > distinct[0]]


def share_difference(before: tuple[int, int], now: tuple[int, int], *, alpha: float = 0.05, many: int = 1) -> Effect:
    """Return how much larger a share is now, with its interval, from (count, rows) of each sample.

    The interval is `proportions.newcombe`, which keeps its coverage at shares near 0, where most nulls are. Without
    rows in one of them it is -1 to 1.

    By hand (Newcombe 1998, table II, case a): 56 of 70 less 48 of 80 is 0.2, 0.0524 to 0.3339.
    """
    if min(before[1], now[1]) <= 0:
        return Effect(0.0, -1.0, 1.0)
    return Effect(now[0] / now[1] - before[0] / before[1], *newcombe(now, before, 1.0 - alpha / many))
