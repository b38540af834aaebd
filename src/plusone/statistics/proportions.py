"""Intervals for a rate: of one, of the difference of two groups, and of two that were counted on the same rows.

None of them collapses where nothing was seen: with no error in 50 rows the rate of errors is still not known to be 0,
which resampling can't say. Everything is a pure function of counts, in the standard library alone.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from ..base.errors import UsageError

__all__ = ["at_least_so_many", "clopper_pearson", "differ", "newcombe", "tango", "tango_spread", "wilson"]

Ends = tuple[float, float]

_STEPS = 200
_TINY = 1e-300


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
    low = _rate(successes, n, tail) if successes else 0.0
    high = 1.0 - _rate(n - successes, n, tail) if successes < n else 1.0
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
    squared = NormalDist().inv_cdf((1.0 + confidence) / 2.0) ** 2
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
    return 1.0 if rate >= 1.0 else _beta(successes, n - successes + 1, rate)


def differ(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of 'both are right equally often', from the rows where one of two alone is right.

    The exact form of McNemar (1947), Psychometrika 12(2): under it each such row is either's with probability 1/2. The
    rows on which both are right, or both wrong, say nothing.

    By hand: 0 and 5: twice the probability of 0 heads in 5, 2 / 32 = 0.0625.
    """
    if min(only_first, only_second) < 0:
        raise UsageError(f"There are {only_first} and {only_second} rows: expected 0 or more of each.")
    both = only_first + only_second
    return min(1.0, 2.0 * at_least_so_many(max(only_first, only_second), both, 0.5)) if both else 1.0


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
    limit = NormalDist().inv_cdf((1 + confidence) / 2)
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
        raise UsageError(f"There is no rate of {n} trials: expected at least 1.")
    if not 0 <= successes <= n:
        raise UsageError(f"{successes} of {n} trials succeeded: expected 0 to {n}.")
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"confidence = {confidence}: expected a number between 0 and 1, for example 0.95.")


def _rate(successes: int, n: int, tail: float) -> float:
    """Return the rate at which `successes` or more of n have the probability `tail`: Newton, halves where it leaves."""
    a, b = successes, n - successes + 1
    scale = _log_beta(a, b)
    low, high = 0.0, 1.0
    at = min(max(successes / n * 0.9, 1e-12), 1.0 - 1e-12)
    for _ in range(_STEPS):
        over = _beta(a, b, at) - tail
        low, high = (low, at) if over > 0 else (at, high)
        if abs(over) <= 1e-13 * tail or high - low <= 1e-15 * high:
            break
        steep = math.exp((a - 1) * math.log(at) + (b - 1) * math.log1p(-at) - scale)
        step = at - over / max(steep, _TINY)
        at = step if low < step < high else (low + high) / 2.0
    return at


def _beta(a: int, b: int, x: float) -> float:
    """Return I_x(a, b), from the continued fraction of DLMF 8.17.22 on the side where it is quick."""
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _fraction(b, a, 1.0 - x, x)
    return _fraction(a, b, x, 1.0 - x)


def _fraction(a: int, b: int, x: float, rest: float) -> float:
    front = math.exp(a * math.log(x) + b * math.log(rest) - _log_beta(a, b)) / a
    # Lentz's way of evaluating it, as changed by Thompson & Barnett (1986).
    c, d = 1.0, _reciprocal(1.0 - (a + b) * x / (a + 1.0))
    found = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _reciprocal(1.0 + term * d)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            found *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * found


def _reciprocal(value: float) -> float:
    return 1.0 / (value if abs(value) > _TINY else _TINY)


def _log_beta(a: int, b: int) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
