"""The interval of a median: nothing is assumed of how the values are spread, and a few wild ones do not move it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .proportions import at_least_so_many

__all__ = ["of_median"]


def of_median(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the median and its interval by order statistics: David & Nagaraja (2003), "Order statistics", chapter 7.1.

    The ends are the values at the places k and n + 1 - k, with the largest k at which a fair coin thrown n times shows
    fewer than k heads in at most (1 - confidence) / 2 of cases. Where even the extremes cover less, as those of fewer
    than 6 values do at 95 %, nothing is known of the median: the ends are infinite.

    By hand: of 1 to 9 the places 2 and 8 cover 1 - 2 * 10 / 512 = 96.1 %: 5, from 2 to 8.

    Args:
        values: one or more.
    """
    ordered = sorted(values)
    count = len(ordered)
    place = 0
    while place + 1 <= count / 2 and 1.0 - at_least_so_many(place + 1, count, 0.5) <= (1 - confidence) / 2:
        place += 1
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    return (middle, ordered[place - 1], ordered[count - place]) if place else (middle, -math.inf, math.inf)
