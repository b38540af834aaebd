"""How well one feature alone tells the target: on rows that it was not fitted on, and with an interval.

A feature is cut into bins or taken by its categories, the mean of the target in each is learned from one half of the
rows, and the other half is asked. That finds any shape of dependence, and ids that only repeat rows tell nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .distributions import beta_quantile, normal_quantile
from .drift import Effect, Floats

__all__ = ["auc_alone", "binned_auc", "r2_alone"]

Codes = NDArray[np.int64]
_NORMAL_FROM = 5.0


def binned_auc(yes: Floats, no: Floats, *, alpha: float = 0.05) -> Effect:
    """Return the area under the ROC curve of a score that has few values, from the counts of both classes at each.

    Args:
        yes, no: how many rows of the class, and of all others, have each value; values ascend.

    The area is the share of pairs that are ordered rightly, ties by half: 0 to 1, 0.5 is chance. Its interval is that
    of DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
    characteristic curves: a nonparametric approach", Biometrics 44, equations 3 to 5, with normal quantiles. Where
    less than five rows' worth of the m rows of the rarer class is out of order that spread says little, and nothing
    where none is: then it is Clopper & Pearson's of m rows, since the variance of an area is at most
    area (1 - area) / m (Birnbaum & Klose (1957), "Bounds for the variance of the Mann-Whitney statistic", Annals of
    Mathematical Statistics 28).

    By hand: yes 1, 3 and no 3, 1 (two values): of the 16 pairs 9 are right and 6 tied: 12 / 16 = 0.75.
    10 rows of the class above all others: 1, from 0.025^(1/10) = 0.6915.
    """
    n_yes, n_no = float(yes.sum()), float(no.sum())
    if min(n_yes, n_no) < 2:
        return Effect(0.5, 0.0, 1.0)
    # For one row of the class: the share of the others that lie below it; and the same the other way around.
    below = (np.cumsum(no) - no / 2.0) / n_no
    above = 1.0 - (np.cumsum(yes) - yes / 2.0) / n_yes
    area = float((yes * below).sum() / n_yes)
    fewer = min(n_yes, n_no)
    if fewer * min(area, 1.0 - area) < _NORMAL_FROM:
        low = beta_quantile(alpha / 2.0, area * fewer, (1.0 - area) * fewer + 1.0) if area > 0 else 0.0
        high = beta_quantile(1.0 - alpha / 2.0, area * fewer + 1.0, (1.0 - area) * fewer) if area < 1 else 1.0
        return Effect(area, low, high)
    spread = float((yes * (below - area) ** 2).sum() / (n_yes - 1) / n_yes)
    spread += float((no * (above - area) ** 2).sum() / (n_no - 1) / n_no)
    half = normal_quantile(1.0 - alpha / 2.0) * math.sqrt(spread)
    return Effect(area, max(0.0, area - half), min(1.0, area + half))


def auc_alone(codes: Codes, truth: Codes, half: NDArray[np.bool_], *, alpha: float = 0.05) -> Effect:
    """Return how well a feature alone ranks the rows with `truth` 1 above those with 0: 0.5 is chance, 1 is perfect.

    Args:
        codes: the bin or category of each row, 0 and up, shape (n,).
        truth: 0 or 1, shape (n,).
        half: the rows to learn from; the others are asked.
    """
    size = int(codes.max(initial=0)) + 1
    score = _means(codes[half], truth[half].astype(np.float64), size)
    asked, right = codes[~half], truth[~half]
    yes = np.bincount(asked[right == 1], minlength=size).astype(np.float64)
    no = np.bincount(asked[right == 0], minlength=size).astype(np.float64)
    names, places = np.unique(score, return_inverse=True)
    count = len(names)
    yes, no = (np.bincount(places.reshape(-1), part, count).astype(np.float64) for part in (yes, no))
    return binned_auc(yes, no, alpha=alpha)


def r2_alone(codes: Codes, truth: Floats, half: NDArray[np.bool_], *, alpha: float = 0.05) -> Effect:
    """Return the share of the target's variance that a feature alone explains: 0 to 1.

    It is the squared correlation of what was learned with the truth, 0 where they go opposite ways. The interval is
    Fisher's (1921), "On the 'probable error' of a coefficient of correlation", Metron 1: z = atanh r with the deviation
    1 / sqrt(n - 3), for the n rows that were asked. Its lower end is at most (alpha / 2)^(1/n): a share of rows that
    break the rule so that none of n is seen.

    By hand: a feature with two values, each with one target: 1; of 6 rows from 0.025^(1/6) = 0.5407.
    """
    size = int(codes.max(initial=0)) + 1
    # The share does not depend on the scale, and squares of huge numbers would be infinite.
    truth = truth / (np.abs(truth).max(initial=0.0) or 1.0)
    told = _means(codes[half], truth[half], size)[codes[~half]]
    right = truth[~half]
    if len(right) < 4 or told.std() == 0 or right.std() == 0:
        return Effect(0.0, 0.0, 1.0)
    r = min(1.0, max(0.0, float(np.corrcoef(told, right)[0, 1])))
    z = math.atanh(min(r, 1 - 1e-12))
    wide = normal_quantile(1.0 - alpha / 2.0) / math.sqrt(len(right) - 3)
    low = min(max(0.0, math.tanh(z - wide)) ** 2, (alpha / 2.0) ** (1.0 / len(right)))
    return Effect(r * r, low, math.tanh(z + wide) ** 2)


def _means(codes: Codes, truth: Floats, size: int) -> Floats:
    """Return the mean of the truth for each code, drawn towards the mean of all where there are few rows."""
    overall = float(truth.mean()) if len(truth) else 0.0
    counts = np.bincount(codes, minlength=size)
    return (np.bincount(codes, truth, minlength=size) + 5.0 * overall) / (counts + 5.0)
