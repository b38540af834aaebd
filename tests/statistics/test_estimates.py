from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plusone.statistics import metrics
from plusone.statistics.estimates import difference, from_mean, holm, of_part, single

RANDOM = np.random.default_rng(5)
TRUTH = RANDOM.normal(size=400)
OURS, THEIRS = TRUTH + RANDOM.normal(size=400), TRUTH + RANDOM.normal(size=400)
LABELS = RANDOM.integers(0, 2, 400)
SAID, OTHER = (np.where(RANDOM.random(400) < 0.2, 1 - LABELS, LABELS) for _ in range(2))
MAE, ACCURACY, AUC = (metrics.find(name) for name in ("mae", "accuracy", "roc_auc"))


def test_a_mean_is_judged_as_scipy_does():
    values = np.array([1.0, 2.0, 3.0])
    assert from_mean(values).interval(0.95) == pytest.approx((-0.4841, 4.4841), abs=1e-3)
    found: Any = stats.ttest_1samp(OURS, 0.3, alternative="less")
    assert from_mean(OURS).chance(0.3) == pytest.approx(found.pvalue)
    two_sided: Any = stats.ttest_1samp(OURS, 0)
    ends = two_sided.confidence_interval(0.9)
    assert from_mean(OURS).interval(0.9) == pytest.approx((ends.low, ends.high))
    assert from_mean(np.array([5.0])).interval(0.9)[0] == -np.inf


def test_a_difference_of_losses_is_a_paired_t_test():
    found = difference(MAE, TRUTH, OURS, THEIRS)
    first, second = np.abs(OURS - TRUTH), np.abs(THEIRS - TRUTH)
    paired: Any = stats.ttest_rel(second, first, alternative="less")
    assert found.chance(0.0) == pytest.approx(paired.pvalue)
    assert found.value == pytest.approx((second - first).mean())


def test_a_part_is_compared_with_all_by_welch():
    part = np.arange(400) < 90
    found = of_part(MAE, TRUTH, OURS, part)
    losses = np.abs(OURS - TRUTH)
    welch: Any = stats.ttest_ind(-losses[part], -losses[~part], equal_var=False, alternative="less")
    assert found.chance(0.0) == pytest.approx(welch.pvalue)
    assert found.value == pytest.approx(losses.mean() - losses[part].mean())
    halves = of_part(MAE, np.zeros(10), np.repeat([1.0, 0.0], 5), np.arange(10) < 5)
    assert halves.value == pytest.approx(-0.5)


def test_shares_are_judged_exactly():
    none = single(ACCURACY, np.zeros(10, int), np.ones(10, int))
    assert none.chance(0.2) == pytest.approx(0.8**10)
    found = single(ACCURACY, LABELS, SAID)
    hits = int((LABELS == SAID).sum())
    assert found.chance(0.85) == pytest.approx(stats.binomtest(hits, 400, 0.85, alternative="less").pvalue)
    assert single(ACCURACY, np.zeros(10, int), np.zeros(10, int)).chance(0.9) == 1.0


@pytest.mark.parametrize("metric", [MAE, ACCURACY, AUC])
def test_the_chance_of_a_limit_is_that_of_the_interval_that_ends_there(metric: metrics.Metric):
    if metric is MAE:
        found = difference(metric, TRUTH, OURS, THEIRS)
    elif metric is ACCURACY:
        found = difference(metric, LABELS, SAID, OTHER)
    else:
        found = difference(metric, LABELS, SAID + RANDOM.random(400), OTHER + RANDOM.random(400))
    low, high = found.interval(0.9)
    assert low < found.value < high
    assert found.chance(high) == pytest.approx(0.05, abs=1e-4)
    assert found.chance(low) == pytest.approx(0.95, abs=1e-4)


def test_equal_answers_have_no_interval_to_speak_of():
    found = difference(MAE, TRUTH, OURS, OURS)
    assert found.interval(0.99) == (0, 0)
    assert (found.chance(0.0), found.chance(0.1)) == (1.0, 0.0)
    whole = of_part(MAE, TRUTH, OURS, np.ones(400, bool))
    assert whole.interval(0.9) == (0, 0)


def by_definition(chances: list[float], alpha: float) -> list[bool]:
    """Holm's adjusted chances: the running maximum of (m - rank) p."""
    order = np.argsort(chances, kind="stable")
    adjusted = np.maximum.accumulate([(len(chances) - rank) * chances[place] for rank, place in enumerate(order)])
    found = np.empty(len(chances), bool)
    found[order] = adjusted <= alpha
    return found.tolist()


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.001, 0.2))
def test_holm(chances: list[float], alpha: float):
    assert holm([0.01, 0.04, 0.03], 0.05) == [True, False, False]
    assert holm(chances, alpha) == (by_definition(chances, alpha) if chances else [])
