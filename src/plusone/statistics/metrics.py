"""Metrics of predictions against the truth, each computed for many weightings of the same rows at once.

A metric is prepared once for a truth and an answer: everything that does not depend on the weights (losses, sorted
scores) is computed then. The statistic that comes out takes weights of shape (resamples, rows), e.g. how often a
bootstrap resample drew each row, and gives one value per resample; NaN where the metric is not defined.

Truth and labels are class codes 0 .. k-1 (`needs` = 'labels' or 'probabilities') or numbers, (rows, targets) where a
model answers several. Probabilities have the shape (rows, k). In a binary task class 1 is the positive one. Of rankings
(`needs` = 'ranking') the truth is how many items are right in each row, shape (rows,), at least one, and the answer
whether the item at each place is, shape (rows, width), best first.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..base.errors import UsageError

__all__ = [
    "METRICS",
    "Floats",
    "Metric",
    "Statistic",
    "View",
    "averaged",
    "columns",
    "find",
    "row_losses",
    "value",
    "viewed",
]

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Weights (resamples, rows) to values (resamples,)."""
View = Callable[[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]
"""Makes of a truth and an answer those that a metric is of."""


@dataclass(frozen=True)
class Metric:
    """A metric: its name, its direction, what it needs from the model, and how it is prepared."""

    name: str
    higher_is_better: bool
    needs: Literal["probabilities", "labels", "numbers", "ranking"]
    prepare: Callable[[NDArray[Any], NDArray[Any]], Statistic]
    binary_only: bool = False
    at: int | None = None
    """Of a ranking: how many of its items count; None: all that there are."""
    losses: Callable[[NDArray[Any], NDArray[Any]], Floats] | None = None
    """Of a metric that is a mean over rows: what it averages, shape (rows,); it has a value for any few rows."""
    binary: bool = False
    """Whether each row counts 0 or 1: then there are intervals that need no resampling."""


def find(name: str) -> Metric:
    """Return the metric called `name`; those of rankings say how many items count: `ndcg@10`.

    Raises:
        UsageError: when there is none; the message names those there are.
    """
    base, sign, count = name.partition("@")
    metric = METRICS.get(base)
    if metric is None or (sign and (metric.needs != "ranking" or not count.isascii() or not count.isdigit())):
        shown = ", ".join(f"{one}@k" if METRICS[one].needs == "ranking" else one for one in sorted(METRICS))
        raise UsageError(
            f"There is no metric {name!r}. Known metrics: {shown}.",
            mend=f"metric={difflib.get_close_matches(base, METRICS, 1, 0.0)[0]!r}",
        )
    if not sign:
        return metric
    at = int(count[:9])
    if at < 1:
        raise UsageError(
            f"{name} counts no item: expected {base}@1 or more, for example ndcg@10.", mend=f"metric='{base}@10'"
        )
    return replace(
        viewed(metric, lambda truth, answer: (truth, answer[:, :at])),
        name=name,
        at=at,
    )


def value(metric: Metric, truth: NDArray[Any], answer: NDArray[Any]) -> float:
    """Return the metric on all rows, each counted once; NaN where it is not defined."""
    return float(metric.prepare(truth, answer)(np.ones((1, len(truth))))[0])


def row_losses(metric: Metric, truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    """Return what each row loses, shape (rows,): the lower, the better; of metrics up to 1 what is missing to 1.

    By hand: of accuracy, truth 0 1 and labels 0 0: 0 and 1.

    Raises:
        UsageError: when the metric has no value for a single row.
    """
    if metric.losses is None:
        raise UsageError(
            f"{metric.name} has no value for a single row: brier, log_loss, accuracy, mae and ndcg have.",
            mend="metric='brier', or 'mae' of numbers",
        )
    found = metric.losses(truth, answer)
    return 1.0 - found if metric.higher_is_better else found


def viewed(metric: Metric, view: View) -> Metric:
    """Return the metric of what `view` makes of a truth and an answer: one of several targets, the first items."""
    prepare, losses = metric.prepare, metric.losses
    return replace(
        metric,
        prepare=lambda truth, answer: prepare(*view(truth, answer)),
        losses=None if losses is None else lambda truth, answer: losses(*view(truth, answer)),
    )


def columns(count: int) -> list[View]:
    """Return, for each of so many targets, what takes its column of the truth and of the answer."""
    return [lambda truth, answer, place=place: (truth[:, place], answer[:, place]) for place in range(count)]


def averaged(metric: Metric, views: Sequence[View]) -> Metric:
    """Return the metric for several targets: the mean of what it is for each. `views`: what takes those of each.

    By hand: the mean absolute errors of two targets are 1 and 3: 2.
    """

    def prepare(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
        parts = [metric.prepare(*view(truth, answer)) for view in views]
        return lambda weights: np.mean([part(weights) for part in parts], axis=0)

    if (single := metric.losses) is None:
        return replace(metric, prepare=prepare)

    def losses(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
        return np.mean([single(*view(truth, answer)) for view in views], axis=0)

    return replace(metric, prepare=prepare, losses=losses)


def roc_auc(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the area under the ROC curve: how often a positive row scores higher than a negative one, ties half.

    It is the Mann-Whitney statistic with midranks: Hanley & McNeil (1982), "The meaning and use of the area under a
    receiver operating characteristic (ROC) curve", Radiology 143, equation 1. Binary only.

    By hand: positives score .8 and .4, negatives .4 and .2. Of the 4 pairs 3 are in order and one is tied:
    (3 + 1/2) / 4 = 0.875.

    Cost: one sort, then one pass over the rows per resample.
    """
    scores = answer[:, 1] if answer.ndim == 2 else answer
    positive = np.flatnonzero(truth == 1)
    negative = np.flatnonzero(truth != 1)
    negative = negative[np.argsort(scores[negative], kind="stable")]
    positive = positive[np.argsort(scores[positive], kind="stable")]
    below = np.searchsorted(scores[negative], scores[positive], "left")
    upto = np.searchsorted(scores[negative], scores[positive], "right")
    ties = bool((below != upto).any())

    def statistic(weights: Floats) -> Floats:
        out = np.empty(len(weights))
        counted = np.zeros(len(negative) + 1)
        for row, one in enumerate(weights):  # one resample at a time stays in the processor's cache
            np.cumsum(one[negative], out=counted[1:])
            mine = one[positive]
            wins = counted[below] @ mine
            if ties:
                wins = (wins + counted[upto] @ mine) / 2
            pairs = counted[-1] * mine.sum()
            out[row] = wins / pairs if pairs else np.nan
        return out

    return statistic


def log_loss(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the mean of -ln(probability of the true class): Good (1952), "Rational decisions", JRSS B 14.

    Probabilities below 1e-15 count as 1e-15, so that one certain error does not make the mean infinite.

    By hand: true classes got the probabilities 0.5 and 0.25: (ln 2 + ln 4) / 2 = 1.0397.
    """
    return _mean(_log_losses(truth, answer))


def _log_losses(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    chosen = answer[np.arange(len(truth)), truth].astype(np.float64)
    return -np.log(np.clip(chosen, 1e-15, 1.0))


def brier(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the mean squared error of the probabilities: Brier (1950), Monthly Weather Review 78.

    Binary: (p1 - y)^2, half of Brier's sum, as is usual today; more classes: the sum over all classes.

    By hand: p1 = 0.8 for a true 1, p1 = 0.4 for a true 0: (0.04 + 0.16) / 2 = 0.1.
    """
    return _mean(_brier_losses(truth, answer))


def _brier_losses(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    errors = answer.astype(np.float64)
    errors[np.arange(len(truth)), truth] -= 1.0
    losses = np.square(errors).sum(axis=1)
    return losses / 2 if answer.shape[1] == 2 else losses


def accuracy(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the share of rows with the right label.

    By hand: truth 0 0 0 1, labels 0 0 1 1: 3/4.
    """
    return _mean(_right(truth, answer))


def _right(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    return (truth == answer).astype(np.float64)


def balanced_accuracy(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the mean over the true classes of the share that was found: Brodersen et al. (2010), ICPR, section II.

    A class with no rows in a resample is left out of that mean.

    By hand: truth 0 0 0 1, labels 0 0 1 1: (2/3 + 1/1) / 2 = 0.8333.
    """
    classes = np.unique(truth)
    members = np.stack([(truth == one).astype(np.float64) for one in classes], axis=1)
    found = members * (truth == answer)[:, None]

    def statistic(weights: Floats) -> Floats:
        size = weights @ members
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = np.where(size > 0, (weights @ found) / size, 0.0)
            return recall.sum(axis=1) / (size > 0).sum(axis=1)

    return statistic


def f1(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare 2 TP / (2 TP + FP + FN): van Rijsbergen (1979), "Information Retrieval", chapter 7.

    Binary: of the positive class, and 0 where neither truth nor labels have it. More classes: the mean over the classes
    that the truth or the labels have; one that a resample lost is left out of it, as of `balanced_accuracy`.

    By hand: truth 0 0 0 1, labels 0 0 1 1: TP 1, FP 1, FN 0: 2/3.
    """
    classes = np.union1d(truth, answer)
    if set(classes.tolist()) <= {0, 1}:
        classes = np.array([1])
    true = np.stack([truth == one for one in classes], axis=1).astype(np.float64)
    said = np.stack([answer == one for one in classes], axis=1).astype(np.float64)
    both = true * said

    def statistic(weights: Floats) -> Floats:
        size = weights @ (true + said)
        found = np.divide(2 * (weights @ both), size, out=np.zeros_like(size), where=size > 0)
        return found.sum(axis=1) / np.maximum((size > 0).sum(axis=1), 1)

    return statistic


def rmse(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the root of the mean squared error, in the unit of the target.

    By hand: errors 1, 2, 2: sqrt(9 / 3) = 1.7321.
    """
    mean = _mean(np.square(answer.astype(np.float64) - truth))
    return lambda weights: np.sqrt(mean(weights))


def mae(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the mean absolute error, in the unit of the target.

    By hand: errors 1, -2, 2: 5/3.
    """
    return _mean(_absolute(truth, answer))


def _absolute(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    return np.abs(answer.astype(np.float64) - truth)


def r2(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare 1 - (sum of squared errors) / (sum of squares around the mean): the coefficient of determination.

    By hand: truth 1 2 3, answers 1 2 4: 1 - 1/2 = 0.5.
    """
    centred = truth.astype(np.float64) - truth.mean()
    parts = np.stack([np.square(answer.astype(np.float64) - truth), centred, np.square(centred)], axis=1)
    spread = float(np.square(centred).sum())

    def statistic(weights: Floats) -> Floats:
        errors, first, second = (weights @ parts).T
        around = second - np.square(first) / weights.sum(axis=1)
        # A resample of equal values has no spread but for rounding.
        return np.divide(-errors, around, out=np.full_like(errors, np.nan), where=around > 1e-12 * spread) + 1.0

    return statistic


def hit_rate(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the share of rows of which at least one right item is in the ranking: Deshpande & Karypis (2004),
    "Item-based top-N recommendation algorithms", ACM TOIS 22, section 5.1, there with one right item for each.

    By hand: the right items stand at places 1 and 3, at none, and at 2: of three rows two hit, 2/3.
    """
    return _mean(_hit(truth, answer))


def _hit(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    return np.asarray(answer.any(axis=1), dtype=np.float64)


def ndcg(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the discounted gain over that of the best ranking: Järvelin & Kekäläinen (2002), "Cumulated gain-based
    evaluation of IR techniques", ACM TOIS 20; a right item gains 1 / log2(1 + its place).

    By hand: of two right items one stands at place 2 of 3: (1 / log2 3) / (1 / log2 2 + 1 / log2 3) = 0.3869.
    """
    return _mean(_gains(truth, answer))


def _gains(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    gains = 1.0 / np.log2(np.arange(2, answer.shape[1] + 2))
    best = np.cumsum(gains)[np.minimum(truth, answer.shape[1]).astype(np.int64) - 1]
    return np.asarray((answer @ gains) / best, dtype=np.float64)


def average_precision(truth: NDArray[Any], answer: NDArray[Any]) -> Statistic:
    """Prepare the mean average precision: Manning, Raghavan & Schütze (2008), "Introduction to information retrieval",
    equation 8.8, of the items of the ranking: the share of right ones among the first, taken at each right one, over
    as many as could be right.

    By hand: of two right items, in a ranking of 3, the ones at places 1 and 3: (1/1 + 2/3) / 2 = 0.8333.
    """
    return _mean(_precisions(truth, answer))


def _precisions(truth: NDArray[Any], answer: NDArray[Any]) -> Floats:
    places = np.arange(1, answer.shape[1] + 1)
    precision = np.cumsum(answer, axis=1) / places
    return (precision * answer).sum(axis=1) / np.minimum(truth, answer.shape[1])


def _mean(losses: Floats) -> Statistic:
    return lambda weights: (weights @ losses) / weights.sum(axis=1)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", True, "probabilities", roc_auc, binary_only=True),
        Metric("log_loss", False, "probabilities", log_loss, losses=_log_losses),
        Metric("brier", False, "probabilities", brier, losses=_brier_losses),
        Metric("accuracy", True, "labels", accuracy, losses=_right, binary=True),
        Metric("balanced_accuracy", True, "labels", balanced_accuracy),
        Metric("f1", True, "labels", f1),
        Metric("rmse", False, "numbers", rmse),
        Metric("mae", False, "numbers", mae, losses=_absolute),
        Metric("r2", True, "numbers", r2),
        Metric("hit_rate", True, "ranking", hit_rate, losses=_hit, binary=True),
        Metric("ndcg", True, "ranking", ndcg, losses=_gains),
        Metric("map", True, "ranking", average_precision, losses=_precisions),
    )
}
