"""Intervals by the paired bootstrap: both models are judged on the same resampled rows, so what they share cancels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..base.errors import UsageError
from .distributions import normal_cdf, t_quantile
from .metrics import Floats, Statistic

__all__ = ["Interval", "check_arguments", "expanded", "interval", "paired_difference"]

_CHUNK_VALUES = 1_000_000
"""Weights held at once: 8 MB."""
_DEFINED = 0.9
"""The share of resamples that must have a value: below it the interval would be about a chosen few."""


@dataclass(frozen=True)
class Interval:
    """A value measured on the rows as they are, and its interval."""

    value: float
    low: float
    high: float
    confidence: float
    resamples: int
    """How many there were; 0 when the interval needed none."""
    error: float = 0.0
    """The standard error: the deviation of the value over the resamples."""
    effective: int = 0
    """The rows that the value hangs on, at most all: those of the rarest class, or in which two models differ."""
    method: str = "bootstrap"


def interval(
    statistic: Statistic,
    rows: int,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    effective: int | None = None,
) -> Interval:
    """Return the statistic on all rows with its percentile interval: Efron & Tibshirani (1993), equation 13.5.

    The ends are quantiles of the statistic on `resamples` samples of `rows` rows, drawn with replacement: (1 -
    confidence) / 2 and (1 + confidence) / 2, moved outwards (`expanded`) as far as the `effective` rows are few, since
    a percentile interval is too short then. The same arguments give the same interval.

    Args:
        effective: how many rows the statistic hangs on; None: all.

    Cost: `resamples` passes over the rows; 8 MB of weights are held at once, or one resample where that is more.

    Raises:
        UsageError: when an argument is out of range, or the statistic is not defined on enough resamples (e.g. a
            class that has one or two rows).
    """
    check_arguments(rows, confidence, resamples)
    value = float(statistic(np.ones((1, rows)))[0])
    values = np.concatenate([statistic(weights) for weights in _weights(rows, resamples, seed)])
    return _percentile(value, values, confidence, rows if effective is None else effective)


def paired_difference(
    candidate: Statistic,
    live: Statistic,
    rows: int,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    effective: int | None = None,
) -> Interval:
    """Return candidate - live with its percentile interval; both are computed on the same resampled rows.

    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 8.2 (a pair is resampled as one) and 13.3.

    By hand: two models that answer alike have the difference 0 and the interval [0, 0], whatever the resamples.

    Raises:
        UsageError: as `interval`.
    """
    return interval(
        lambda weights: candidate(weights) - live(weights),
        rows,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        effective=effective,
    )


def expanded(confidence: float, effective: int) -> float:
    """Return the share of the resamples that a percentile interval leaves out on each side, for so many rows.

    Hesterberg (2015), "What teachers should know about the bootstrap", The American Statistician 69(4), section 5.3:
    the resamples' deviation is sqrt((n - 1) / n) of what it should be, and a normal quantile stands where Student's
    would. So it is Phi(-sqrt(n / (n - 1)) t), t the quantile of n - 1 degrees of freedom.

    By hand: for 95 % and 5 rows t is 2.776, times sqrt(5 / 4) 3.104: 0.00095 in place of 0.025.
    """
    tail = (1 - confidence) / 2
    count = max(2, effective)
    wide = -t_quantile(tail, count - 1) * math.sqrt(count / (count - 1))
    return min(tail, normal_cdf(-wide))


def check_arguments(rows: int, confidence: float, resamples: int) -> None:
    """Raise UsageError for arguments that no interval can be made with."""
    if rows < 2:
        raise UsageError(
            f"There is no interval for {rows} row{'' if rows == 1 else 's'}: expected at least 2.",
            mend="give more rows",
        )
    if not 0 < confidence < 1:
        raise UsageError(
            f"confidence = {confidence}: expected a number between 0 and 1, for example 0.95.", mend="confidence=0.95"
        )
    if not 100 <= resamples <= 1_000_000:
        raise UsageError(f"resamples = {resamples}: expected 100 to 1,000,000.", mend="resamples=1000")


def _weights(rows: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Give how often each resample drew each row: multinomial counts, in chunks of bounded size."""
    generator = np.random.default_rng(seed)
    size = max(1, _CHUNK_VALUES // rows)
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        weights = np.empty((count, rows))
        for place in range(count):
            drawn: NDArray[np.int64] = generator.integers(0, rows, size=rows)
            weights[place] = np.bincount(drawn, minlength=rows)
        yield weights


def _percentile(value: float, values: Floats, confidence: float, effective: int) -> Interval:
    defined = values[np.isfinite(values)]
    if not np.isfinite(value) or len(defined) < _DEFINED * len(values):
        raise UsageError(
            f"The metric is defined on {len(defined)} of {len(values)} resamples of the rows"
            f"{'' if np.isfinite(value) else ' and not on the rows themselves'}: there are too few of a class, or too "
            "few different values, to measure it.",
            mend="use more rows, or another metric",
        )
    tail = expanded(confidence, effective)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(
        value=value,
        low=float(low),
        high=float(high),
        confidence=confidence,
        resamples=len(values),
        error=float(defined.std()),
        effective=effective,
    )
