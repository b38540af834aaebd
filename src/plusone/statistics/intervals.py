"""The interval of a metric, and of the difference of two models: exact where there is one, else by resampling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import bootstrap
from .bootstrap import Interval
from .metrics import Metric
from .proportions import clopper_pearson, tango

__all__ = ["differing", "of_difference", "of_metric", "rarest"]


def of_metric(
    metric: Metric,
    truth: NDArray[Any],
    answer: NDArray[Any],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the metric with its interval: of shares of rows (accuracy, hit_rate) Clopper & Pearson's, which is exact,
    of all others the bootstrap's.

    A score of 1 in every resample says nothing of how much lower it might be. The lower end is then what m rows, the
    rarest class, could still hide: P(all m right) is at most value^m, so that it is (alpha / 2)^(1/m), as Clopper &
    Pearson's is for m of m.

    By hand: an area of 1 with 10 positive rows: 0.025^(1/10) = 0.6915.

    Raises:
        UsageError: as `bootstrap.interval`.
    """
    rows = len(truth)
    bootstrap.check_arguments(rows, confidence, resamples)
    if metric.binary and metric.losses is not None:
        hits = round(float(metric.losses(truth, answer).sum()))
        low, high = clopper_pearson(hits, rows, confidence)
        # With one hit and one miss added it is never 0: all right is no proof that more rows would tell nothing.
        share = (hits + 1) / (rows + 2)
        error = float(np.sqrt(share * (1 - share) / (rows + 2)))
        return Interval(hits / rows, low, high, confidence, 0, error, rows, "Clopper-Pearson")
    few = rarest(metric, truth)
    statistic = metric.prepare(truth, answer)
    found = bootstrap.interval(
        statistic, rows, confidence=confidence, resamples=resamples, seed=seed, effective=few
    )  # fmt: skip
    if metric.higher_is_better and found.low > 1 - 1e-12 and metric.needs != "numbers":
        return replace(found, low=((1 - confidence) / 2) ** (1 / max(few, 1)))
    return found


def of_difference(
    metric: Metric,
    truth: NDArray[Any],
    ours: NDArray[Any],
    theirs: NDArray[Any],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    same: bool = False,
) -> Interval:
    """Return how much better `ours` is than `theirs` on the same rows (positive: better) with its interval.

    Of shares of rows it is Tango's score interval, of all others the paired bootstrap's. Both know how few rows the
    difference hangs on: where two models answer alike, no row tells them apart.

    Args:
        same: the models answered the same to the last bit, in all of the rows: the difference is 0, from 0 to 0.

    Raises:
        UsageError: as `bootstrap.interval`.
    """
    rows = len(truth)
    bootstrap.check_arguments(rows, confidence, resamples)
    if same:
        return Interval(0.0, 0.0, 0.0, confidence, resamples, 0.0, 0, "the same answers")
    sign = 1.0 if metric.higher_is_better else -1.0
    if metric.binary and metric.losses is not None:
        first, second = metric.losses(truth, ours), metric.losses(truth, theirs)
        better, worse = int((first > second).sum()), int((first < second).sum())
        low, high = tango(better, worse, rows, confidence)
        value = (better - worse) / rows
        error = float(np.sqrt(max((better + worse) / rows - value**2, 0.0) / rows))
        return Interval(value, low, high, confidence, 0, error, better + worse, "Tango")
    first, second = metric.prepare(truth, ours), metric.prepare(truth, theirs)
    return bootstrap.paired_difference(
        lambda weights: sign * first(weights),
        lambda weights: sign * second(weights),
        rows,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        effective=min(rarest(metric, truth), differing(ours, theirs)),
    )


def rarest(metric: Metric, truth: NDArray[Any]) -> int:
    """Return how many rows the rarest class of the truth has, for metrics that weigh classes; else all rows.

    Args:
        truth: shape (rows,), or (rows, targets) of several.
    """
    if metric.losses is not None or metric.needs not in ("labels", "probabilities"):
        return len(truth)
    targets = truth.reshape(len(truth), -1).T
    return min(int(counts[counts > 0].min()) for counts in map(np.bincount, targets))


def differing(ours: NDArray[Any], theirs: NDArray[Any]) -> int:
    """Return in how many rows two models answered otherwise."""
    apart = ours != theirs
    return int((apart.any(axis=1) if apart.ndim == 2 else apart).sum())
