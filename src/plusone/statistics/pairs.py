"""Shares with their intervals, and the exact test of two models that were right and wrong on the same rows."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..base.errors import UsageError

__all__ = ["mcnemar", "wilson"]

_Numbers = NDArray[np.float64]


def wilson(
    count: _Numbers | float, of: _Numbers | float, confidence: float = 0.95, *, tries: int = 1
) -> tuple[_Numbers, _Numbers]:
    """Return the ends of the score interval of a share, `count` of `of` (1 or more): Wilson (1927).

    As Brown, Cai & DasGupta (2001), "Interval estimation for a binomial proportion", equation 4. With z the quantile of
    the normal distribution, the middle is (count + z²/2) / (of + z²).

    By hand: 0 of 10 at 95 %, z² = 3.8415: from 0 to 3.8415 / 13.8415 = 0.2775.

    Args:
        count: how many, or an array of them; `of` likewise.
        tries: how many intervals are looked at together: each is made at the confidence 1 - (1 - confidence) / tries,
            so that all hold together with at least `confidence` (Bonferroni).

    Raises:
        UsageError: when the confidence is none.
    """
    if not 0.0 < confidence < 1.0 or tries < 1:
        raise UsageError(f"confidence = {confidence}, tries = {tries}: expected between 0 and 1, and 1 or more.")
    z = NormalDist().inv_cdf(1.0 - (1.0 - confidence) / (2.0 * tries))
    n = np.asarray(of, dtype=np.float64)
    share = np.asarray(count, dtype=np.float64) / n
    middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n)
    half = z / (1.0 + z * z / n) * np.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)


def mcnemar(first: int, second: int) -> float:
    """Return the two-sided p-value of 'both are right equally often', from the rows on which one of two was right.

    The exact form of McNemar (1947): `first` is binomial with `first + second` tries and a half, so the value is twice
    the smaller tail, at most 1; Fagerland, Lydersen & Laake (2013), "The McNemar test for binary matched-pairs data",
    section "The McNemar exact conditional test".

    By hand: 1 and 9 rows: 2 (1 + 10) / 2^10 = 0.0215.

    Args:
        first: how many rows only the first model had right; `second`: only the second one.

    Raises:
        UsageError: for counts below 0.
    """
    if min(first, second) < 0:
        raise UsageError(f"first = {first}, second = {second}: expected counts of rows.")
    tries = first + second
    logs = [
        math.lgamma(tries + 1) - math.lgamma(k + 1) - math.lgamma(tries - k + 1) - tries * math.log(2.0)
        for k in range(min(first, second) + 1)
    ]
    return min(1.0, 2.0 * math.fsum(map(math.exp, logs)))
