"""What was measured on one part of the rows, at any level of confidence, and many such at once.

Where many slices are looked at, each needs its own chance of being as bad by luck (`Estimate.chance`), and intervals
wider than those of one (`Estimate.interval` at a higher confidence). Resampling gives neither cheaply: here they come
from standard errors and Student's t, of shares of rows from their scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import bootstrap
from .distributions import normal_cdf, t_cdf, t_quantile
from .intervals import differing, rarest
from .metrics import Metric
from .proportions import at_least_so_many, clopper_pearson, tango, tango_spread

__all__ = ["Estimate", "difference", "from_mean", "holm", "of_part", "single"]

_RESAMPLES = 300
Ends = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A value that is the better the higher it is.

    Attributes:
        interval: by confidence (0 to 1), the ends of its interval.
        chance: by limit, how likely a value this low or lower is if the true one is at the limit.
    """

    value: float
    rows: int
    interval: Callable[[float], Ends]
    chance: Callable[[float], float]


def from_mean(values: NDArray[Any], *, effective: int | None = None, shrink: float = 1.0) -> Estimate:
    """Return the mean of the values of rows, with Student's t: Student (1908), "The probable error of a mean".

    Args:
        effective: how many of the values tell something: those that are not 0, of differences; None: all.
        shrink: what part of the rows' error is left, when the mean is about a part of them.

    Where there is one value, or one that is not finite, the interval is from minus to plus infinity.

    By hand: of 1, 2, 3 the mean is 2, the error sqrt(1 / 3) = 0.5774, and t at 95 % with 2 degrees 4.303: -0.484 to
    4.484.
    """
    rows = len(values)
    error = float(values.std(ddof=1)) / math.sqrt(rows) * shrink if rows > 1 else math.inf
    few = rows if effective is None else effective
    return _by_t(float(values.mean()), error, few - 1, rows)


def _by_t(value: float, error: float, freedom: float, rows: int) -> Estimate:
    freedom = max(float(freedom), 1.0)
    if math.isnan(value) or not math.isfinite(error):  # a single value, or one that is no number: nothing is known
        return Estimate(value, rows, lambda _: (-math.inf, math.inf), lambda _: 0.5)
    if error == 0:
        return Estimate(value, rows, lambda _: (value, value), lambda limit: 0.0 if value < limit else 1.0)

    def interval(confidence: float) -> Ends:
        half = t_quantile((1 + confidence) / 2, freedom) * error
        return value - half, value + half

    return Estimate(value, rows, interval, lambda limit: t_cdf((value - limit) / error, freedom))


def single(metric: Metric, truth: NDArray[Any], answer: NDArray[Any], *, seed: int = 0) -> Estimate:
    """Return a metric of some rows; where lower is better, its negative. Shares of rows have exact intervals.

    By hand: no row of 10 is right; if the true share is 0.2, that happens with the chance 0.8^10 = 0.107.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    rows = len(truth)
    if metric.losses is None:
        statistic = metric.prepare(truth, answer)
        return _resampled(lambda weights: sign * statistic(weights), rows, rarest(metric, truth), seed)
    values = metric.losses(truth, answer)
    if not metric.binary:
        return from_mean(sign * values)
    hits = round(float(values.sum()))
    return Estimate(
        hits / rows,
        rows,
        lambda confidence: clopper_pearson(hits, rows, confidence),
        lambda limit: at_least_so_many(rows - hits, rows, 1.0 - limit),
    )


def difference(
    metric: Metric, truth: NDArray[Any], ours: NDArray[Any], theirs: NDArray[Any], *, seed: int = 0
) -> Estimate:
    """Return how much better `ours` is than `theirs` on the same rows: by the score of Tango (1998, equations 8 to 13;
    see `proportions.tango`) for shares of rows, by Student's t on the differences of means, by the paired bootstrap's
    standard error for all others.

    By hand: of 10 rows one is right by `ours` alone: 1 / 10 = 0.1.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    rows = len(truth)
    if metric.losses is None:
        first, second = metric.prepare(truth, ours), metric.prepare(truth, theirs)
        few = min(rarest(metric, truth), differing(ours, theirs))
        return _resampled(lambda weights: sign * (first(weights) - second(weights)), rows, few, seed)
    values = sign * (metric.losses(truth, ours) - metric.losses(truth, theirs))
    if not metric.binary:
        return from_mean(values, effective=int((values != 0).sum()))
    better, worse = int((values > 0).sum()), int((values < 0).sum())

    def chance(limit: float) -> float:
        spread = tango_spread(better, worse, rows, limit)
        away = (better - worse) / rows - limit
        return normal_cdf(away / spread) if spread > 0 else float(away >= 0)

    return Estimate(
        (better - worse) / rows, rows, lambda confidence: tango(better, worse, rows, confidence), chance
    )  # fmt: skip


def of_part(
    metric: Metric, truth: NDArray[Any], answer: NDArray[Any], part: NDArray[np.bool_], *, seed: int = 0
) -> Estimate:
    """Return how much better a part of the rows fares than all of them together.

    The part is among all: the difference is (1 - share) times that to the other rows, and so is its error. Of means it
    is Welch's (1947), "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34.

    By hand: of 10 rows 5 have the loss 1 and the other 5 the loss 0: those with 1 are 0.5 worse than all.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    rows, count = len(truth), int(part.sum())
    if metric.losses is None:
        whole, own = metric.prepare(truth, answer), metric.prepare(truth[part], answer[part])
        few = rarest(metric, truth[part])
        return _resampled(lambda weights: sign * (own(weights[:, part]) - whole(weights)), rows, few, seed)
    values = sign * metric.losses(truth, answer)
    mine, rest = values[part], values[~part]
    left = 1 - count / rows
    if not len(rest):
        return _by_t(0.0, 0.0, 1, count)
    (own, few), (other, fewer) = (_error(one, metric.binary, values) for one in (mine, rest))
    error = math.sqrt(own + other)
    freedom = (own + other) ** 2 / max(own**2 / few + other**2 / fewer, 1e-300)
    return _by_t(left * float(mine.mean() - rest.mean()), left * error, freedom, count)


def _error(values: NDArray[Any], binary: bool, every: NDArray[Any]) -> tuple[float, int]:
    """Return the squared standard error of a mean, and its degrees of freedom; of shares with one hit and one miss
    added, which is never 0: Agresti & Caffo (2000), "Simple and effective confidence intervals for proportions", The
    American Statistician 54. A single value is taken to spread as `every` one does.
    """
    count = len(values)
    spread = values if count > 1 else every
    if binary:
        share = (abs(float(values.sum())) + 1) / (count + 2)
        return share * (1 - share) / (count + 2), len(spread) - 1
    return float(spread.var(ddof=1)) / count, len(spread) - 1


def _resampled(statistic: Any, rows: int, effective: int, seed: int) -> Estimate:
    found = bootstrap.interval(statistic, rows, resamples=_RESAMPLES, seed=seed, effective=effective)
    return _by_t(found.value, found.error, effective - 1, rows)


def holm(chances: Sequence[float], alpha: float) -> list[bool]:
    """Return which of several hypotheses are rejected, so that with the chance `alpha` at most any is wrongly: Holm
    (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.

    By hand: 0.01, 0.04 and 0.03 at 0.05: 0.01 is below 0.05 / 3, and 0.03 is above 0.05 / 2: the first alone.
    """
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    rejected = [False] * len(chances)
    for rank, place in enumerate(order):
        if not chances[place] <= alpha / (len(chances) - rank):
            break
        rejected[place] = True
    return rejected
