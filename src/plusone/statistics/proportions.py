"""Intervals of shares: of one, of the difference of two groups, and of two that were counted on the same rows.

None of them collapses where nothing was seen: with no error in 50 rows the share of errors is still not known to be 0,
which resampling can't say.
"""

from __future__ import annotations

import math

from .distributions import beta_quantile, normal_quantile

__all__ = ["clopper_pearson", "newcombe", "tango", "tango_spread", "wilson"]

Ends = tuple[float, float]


def clopper_pearson(hits: int, rows: int, confidence: float = 0.95) -> Ends:
    """Return the exact interval of a share, `hits` of `rows` (1 or more): Clopper & Pearson (1934), "The use of
    confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26. It covers at least as often
    as it says, whatever the share.

    By hand: 0 of 10 at 95 %: 0 to 1 - 0.025^(1/10) = 0.3085.
    """
    alpha = (1 - confidence) / 2
    low = beta_quantile(alpha, hits, rows - hits + 1) if hits else 0.0
    high = beta_quantile(1 - alpha, hits + 1, rows - hits) if hits < rows else 1.0
    return low, high


def wilson(hits: int, rows: int, confidence: float = 0.95) -> Ends:
    """Return the score interval of a share: Wilson (1927), "Probable inference, the law of succession, and statistical
    inference", JASA 22; nearer to its nominal coverage than the exact one.

    By hand: 0 of 10 at 95 %: 0 to z^2 / (10 + z^2) = 3.8415 / 13.8415 = 0.2775.
    """
    squared = normal_quantile((1 + confidence) / 2) ** 2
    share = hits / rows
    middle = (share + squared / (2 * rows)) / (1 + squared / rows)
    half = math.sqrt(squared * (share * (1 - share) + squared / (4 * rows)) / rows) / (1 + squared / rows)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95) -> Ends:
    """Return the interval of the difference of two independent shares, each (hits, rows): Newcombe (1998), "Interval
    estimation for the difference between independent proportions", Statistics in Medicine 17, method 10.

    By hand: 10 of 10 less 0 of 10: Wilson's are 0.7225 to 1 and 0 to 0.2775; 1 - sqrt(2) 0.2775 = 0.6075, to 1.
    """
    (low, high), (lower, higher) = wilson(*first, confidence), wilson(*second, confidence)
    share, other = first[0] / first[1], second[0] / second[1]
    apart = share - other
    return (
        max(-1.0, apart - math.hypot(share - low, higher - other)),
        min(1.0, apart + math.hypot(high - share, other - lower)),
    )


def tango(better: int, worse: int, rows: int, confidence: float = 0.95) -> Ends:
    """Return the interval of the difference of two shares that were counted on the same `rows`: Tango (1998),
    "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
    Statistics in Medicine 17, equations 8 to 13.

    Args:
        better: in how many rows the first has a hit and the second has none; `worse`: the other way round.

    By hand: with no such row in 50, -z^2 / (50 + z^2) to the same above: 3.8415 / 53.8415 = 0.0713.
    """
    limit = normal_quantile((1 + confidence) / 2)
    return _lowest(better, worse, rows, limit), -_lowest(worse, better, rows, limit)


def _lowest(better: int, worse: int, rows: int, limit: float) -> float:
    """Return the difference at which the score is `limit`: it falls as the difference rises."""
    low, high = -1.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        spread = tango_spread(better, worse, rows, middle)
        away = better - worse - rows * middle
        low, high = (middle, high) if away > limit * rows * spread else (low, middle)
    return (low + high) / 2


def tango_spread(better: float, worse: float, rows: float, difference: float) -> float:
    """Return the standard error of the difference if it truly were `difference` (-1 to 1): Tango's, with the share
    of `worse` that is the likeliest then.

    By hand: none in 50 rows, difference -0.02: that share is 0.02, the error sqrt((0.04 - 0.02 * 1.02) / 50) = 0.0198.
    """
    b = -better - worse + (2 * rows - better + worse) * difference
    c = -worse * difference * (1 - difference)
    share = (math.sqrt(max(b * b - 8 * rows * c, 0.0)) - b) / (4 * rows)
    return math.sqrt(max(2 * share + difference * (1 - difference), 0.0) / rows)
