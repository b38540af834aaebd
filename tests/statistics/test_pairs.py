from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from plusone.base.errors import UsageError
from plusone.statistics.pairs import mcnemar, wilson


def test_the_values_computed_by_hand():
    low, high = wilson(0, 10)
    assert (float(low), float(high)) == (0.0, pytest.approx(3.841459 / 13.841459))
    assert mcnemar(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar(0, 0) == mcnemar(5, 5) == 1.0


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_intervals_are_scipys(confidence: float):
    for count, of in ((0, 1), (1, 1), (3, 7), (500, 1000), (999, 1000)):
        theirs = stats.binomtest(count, of).proportion_ci(confidence, method="wilson")
        low, high = wilson(count, of, confidence)
        assert (float(low), float(high)) == (
            pytest.approx(theirs.low, abs=1e-12),
            pytest.approx(theirs.high, abs=1e-12),
        )


def test_intervals_of_many_are_those_of_each_at_a_higher_confidence():
    low, high = wilson(np.array([3.0, 7.0]), np.array([10.0, 10.0]), 0.95, tries=5)
    for place, count in enumerate((3, 7)):
        theirs = stats.binomtest(count, 10).proportion_ci(0.99, method="wilson")
        assert (low[place], high[place]) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_p_values_are_those_of_the_binomial_test():
    for first, second in ((0, 1), (2, 9), (40, 61), (300, 200), (5000, 5200), (0, 3000)):
        theirs = stats.binomtest(first, first + second, 0.5).pvalue
        assert mcnemar(first, second) == pytest.approx(theirs, rel=1e-8, abs=1e-300)
        assert mcnemar(second, first) == mcnemar(first, second)


def test_simultaneous_intervals_cover_all_true_shares_together_in_19_of_20_runs():
    dice = np.random.default_rng(5)
    true = np.array([0.1, 0.3, 0.5, 0.7, 0.9] * 4)
    covered = 0
    for _ in range(1000):
        low, high = wilson(dice.binomial(200, true).astype(float), np.full(20, 200.0), tries=20)
        covered += bool(((low <= true) & (true <= high)).all())
    assert covered >= 930


def test_equally_good_models_are_told_apart_in_at_most_5_of_100_runs():
    dice = np.random.default_rng(7)
    false = sum(mcnemar(int(first), 60 - int(first)) < 0.05 for first in dice.binomial(60, 0.5, size=1000))
    assert false <= 50


@pytest.mark.parametrize(("confidence", "tries"), [(0.0, 1), (1.0, 1), (float("nan"), 1), (0.95, 0)])
def test_what_is_no_confidence_is_refused(confidence: float, tries: int):
    with pytest.raises(UsageError, match="confidence ="):
        wilson(1, 2, confidence, tries=tries)


def test_counts_below_0_are_refused():
    with pytest.raises(UsageError, match="first = -1"):
        mcnemar(-1, 2)
