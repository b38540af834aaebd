from __future__ import annotations

import numpy as np
import pytest

from plusone.base.errors import UsageError
from plusone.statistics import metrics
from plusone.statistics.bootstrap import expanded
from plusone.statistics.intervals import differing, of_difference, of_metric, rarest
from plusone.statistics.proportions import clopper_pearson, tango

ACCURACY, AUC, RMSE = (metrics.find(name) for name in ("accuracy", "roc_auc", "rmse"))


def test_shares_have_exact_intervals():
    truth = np.zeros(50, int)
    found = of_metric(ACCURACY, truth, truth)
    assert (found.value, found.low, found.high) == (1, *clopper_pearson(50, 50))
    assert (found.method, found.resamples) == ("Clopper-Pearson", 0)
    other = np.array([1, 1, 1] + [0] * 47)
    found = of_difference(ACCURACY, truth, other, truth)
    assert (found.value, found.low, found.high) == (-0.06, *tango(0, 3, 50))
    assert (found.effective, found.method) == (3, "Tango")


def test_no_difference_that_was_seen_is_not_none():
    truth = np.zeros(50, int)
    unseen = of_difference(ACCURACY, truth, truth, truth)
    assert unseen.low == pytest.approx(-0.0713, abs=1e-4)
    same = of_difference(ACCURACY, truth, truth, truth, same=True)
    assert (same.low, same.high, same.method) == (0, 0, "the same answers")


def test_a_perfect_area_hangs_on_the_rarest_class():
    truth = np.repeat([0, 1], [90, 10])
    scores = np.stack([1.0 - truth, truth], axis=1)
    found = of_metric(AUC, truth, scores)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 10))
    assert (rarest(AUC, truth), rarest(ACCURACY, truth), rarest(RMSE, truth.astype(float))) == (10, 100, 100)


def test_few_rows_that_differ_make_the_interval_wider():
    generator = np.random.default_rng(1)
    truth = generator.normal(size=300)
    ours = truth + generator.normal(size=300)
    theirs = ours.copy()
    theirs[:4] += 1
    few = of_difference(RMSE, truth, ours, theirs)
    assert few.effective == 4
    assert expanded(0.95, 4) < expanded(0.95, 40) < expanded(0.95, 10_000) <= 0.025
    assert expanded(0.95, 5) == pytest.approx(0.00095, abs=2e-5)


def test_arguments_are_checked_where_nothing_is_resampled_too():
    truth = np.zeros(50, int)
    with pytest.raises(UsageError, match="resamples = 5"):
        of_metric(ACCURACY, truth, truth, resamples=5)
    with pytest.raises(UsageError, match="confidence = 95"):
        of_difference(ACCURACY, truth, truth, truth, confidence=95)


def test_rows_differ_when_anything_in_them_does():
    assert differing(np.array([1, 2, 3]), np.array([1, 0, 3])) == 1
    assert differing(np.eye(3), np.eye(3)[[0, 2, 1]]) == 2
    assert differing(np.eye(3), np.eye(3)) == 0
