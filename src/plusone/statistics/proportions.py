"""Intervals for a rate: of one, of the difference of two groups, and of two that were counted on the same rows.

None of them collapses where nothing was seen: with no error in 50 rows the rate of errors is still not known to be 0,
which resampling can't say. Everything is a pure function of counts, in the standard library alone.
"""

from __future__ import annotations

import math

from ..base.errors import UsageError
from .distributions import beta_cdf, beta_quantile, normal_quantile

__all__ = ["at_least_so_many", "clopper_pearson", "mcnemar", "newcombe", "tango", "tango_spread", "wilson"]

Ends = tuple[float, float]


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a rate, (low, high): Clopper & Pearson (1934), Biometrika 26(4), pages 404-413.

    `low` is the rate at which as many successes or more would have the probability (1 - confidence) / 2, `high` the one
    at which as many or fewer would. So each end is wrong with at most that probability, whatever the rate and n are.

    By hand: of 10 none: high is the p with (1 - p)^10 = 0.025, which is 1 - 0.025^(1/10) = 0.3085; low is 0.

    Raises:
        UsageError: when there are no trials, more successes than trials, or the confidence is not between 0 and 1.
    """
    _check(successes, n, confidence)
    tail = (1.0 - confidence) / 2.0
    low = beta_quantile(tail, successes, n - successes + 1) if successes else 0.0
    high = 1.0 - beta_quantile(tail, n - successes, successes + 1) if successes < n else 1.0
    return low, high


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a rate, (low, high): Wilson (1927), JASA 22(158), pages 209-212.

    It covers the rate with `confidence` on average over rates, and less for some: to close a gate take the exact one.
    It is what Brown, Cai & DasGupta (2001), Statistical Science 16(2), advise for showing rates.

    By hand: of 10 none, z = 1.96: high is z^2 / (10 + z^2) = 3.8415 / 13.8415 = 0.2775; low is 0.

    Raises:
        UsageError: as `clopper_pearson`.
    """
    _check(successes, n, confidence)
    squared = normal_quantile((1.0 + confidence) / 2.0) ** 2
    rate, grown = successes / n, 1.0 + squared / n
    centre = (rate + squared / (2 * n)) / grown
    half = math.sqrt(squared * (rate * (1 - rate) / n + squared / (4 * n * n))) / grown
    low = centre - half if successes else 0.0
    high = centre + half if successes < n else 1.0
    return max(low, 0.0), min(high, 1.0)


def at_least_so_many(successes: int, n: int, rate: float) -> float:
    """Return the probability of as many successes or more in n trials, each with the probability `rate`.

    That is the regularised incomplete beta function I_rate(successes, n - successes + 1): DLMF 8.17.5.

    By hand: at least 2 of 3 with rate 1/2: (3 + 1) / 8 = 0.5.
    """
    if successes <= 0:
        return 1.0
    if successes > n or rate <= 0.0:
        return 0.0
    return beta_cdf(rate, successes, n - successes + 1)


def mcnemar(first: int, second: int) -> float:
    """Return the two-sided p-value of 'both are right equally often', from the rows on which one of two was right.

    The exact form of McNemar (1947), Psychometrika 12(2): each such row is either's with probability 1/2, so that the
    value is twice the smaller tail, at most 1; Fagerland, Lydersen & Laake (2013), "The McNemar test for binary
    matched-pairs data", section "The McNemar exact conditional test". Rows where both are right, or wrong, say nothing.

    Args:
        first: how many rows only the first model had right; `second`: only the second one.

    By hand: 1 and 9 rows: 2 (1 + 10) / 2^10 = 0.0215; 0 and 5: 2 / 32 = 0.0625.

    Raises:
        UsageError: for counts below 0.
    """
    if min(first, second) < 0:
        raise UsageError(
            f"There are {first} and {second} rows: expected 0 or more of each.", mend="count rows: no count is below 0"
        )
    both = first + second
    return min(1.0, 2.0 * at_least_so_many(max(first, second), both, 0.5)) if both else 1.0


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

    Raises:
        UsageError: when there are no rows, more that differ than rows, or the confidence is not between 0 and 1.
    """
    if rows < 1:
        raise UsageError(f"There is no difference of {rows} rows: expected at least 1.", mend="give rows to count on")
    if min(better, worse) < 0 or better + worse > rows:
        raise UsageError(
            f"{better} and {worse} of {rows} rows differ: expected 0 or more of each, together {rows}.",
            mend="count each row that differs once",
        )
    _check_confidence(confidence)
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


def _check(successes: int, n: int, confidence: float) -> None:
    if n < 1:
        raise UsageError(f"There is no rate of {n} trials: expected at least 1.", mend="give rows to count on")
    if not 0 <= successes <= n:
        raise UsageError(f"{successes} of {n} trials succeeded: expected 0 to {n}.", mend="count each trial once")
    _check_confidence(confidence)


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"confidence = {confidence}: expected a number between 0 and 1.", mend="confidence=0.95")
