"""What one feature alone tells: by hand, against scikit-learn, and by how often the intervals err."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from plusone.statistics.alone import auc_alone, binned_auc, r2_alone


def test_the_area_by_hand():
    assert binned_auc(np.array([1.0, 3.0]), np.array([3.0, 1.0])).value == pytest.approx(0.75)
    assert binned_auc(np.array([0.0, 9.0]), np.array([9.0, 0.0])).value == 1.0
    assert binned_auc(np.array([1.0]), np.array([5.0])) == (0.5, 0.0, 1.0)


def test_the_area_is_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(50):
        yes, no = rng.integers(0, 20, (2, 7)) + 1
        scores = np.concatenate([np.repeat(np.arange(7), yes), np.repeat(np.arange(7), no)])
        truth = np.repeat([1, 0], [yes.sum(), no.sum()])
        found = binned_auc(yes.astype(float), no.astype(float))
        assert found.value == pytest.approx(roc_auc_score(truth, scores))
        assert found.low <= found.value <= found.high


def test_the_interval_of_the_area_holds_the_true_one_as_often_as_it_says():
    rng = np.random.default_rng(1)
    p, q = np.array([0.1, 0.2, 0.7]), np.array([0.5, 0.3, 0.2])
    true = float((p * (np.cumsum(q) - q / 2)).sum())
    misses = 0
    for _ in range(2000):
        found = binned_auc(rng.multinomial(300, p).astype(float), rng.multinomial(500, q).astype(float))
        misses += not found.low <= true <= found.high
    assert misses / 2000 <= 0.065


def halves(rows: int, seed: int = 0):
    return np.random.default_rng(seed).random(rows) < 0.5


def test_a_feature_that_is_the_target_tells_it_all():
    truth = np.arange(1000) % 2
    assert auc_alone(truth, truth, halves(1000)).value == 1.0
    assert r2_alone(truth, (truth * 3.5).astype(np.float64), halves(1000)).value == pytest.approx(1.0)


def test_an_id_tells_nothing_of_rows_it_was_not_fitted_on():
    rng = np.random.default_rng(3)
    truth, ids = rng.integers(0, 2, 4000), np.arange(4000)
    assert auc_alone(ids, truth, halves(4000)).value == 0.5
    assert r2_alone(ids, rng.normal(size=4000), halves(4000)).value < 0.01


def test_a_shape_of_any_kind_is_found():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 21, 5000)
    found = r2_alone(codes, (codes - 10.0) ** 2 + rng.normal(size=5000), halves(5000))
    assert found.low > 0.98


def test_huge_and_constant_truths_are_no_trouble():
    codes = np.arange(100) % 3
    assert r2_alone(codes, np.full(100, 7.0), halves(100)) == (0.0, 0.0, 1.0)
    assert np.isfinite(r2_alone(codes, np.where(codes == 1, 1.7e308, -1.7e308), halves(100))).all()


def test_the_interval_of_r2_holds_the_true_one_as_often_as_it_says():
    rng = np.random.default_rng(5)
    misses = 0
    for seed in range(500):
        codes = rng.integers(0, 2, 1000)
        # The variance of the mean is 1 / 4, that of the noise 1: a fifth is explained.
        found = r2_alone(codes, codes + rng.normal(size=1000), halves(1000, seed))
        misses += not found.low <= 0.2 <= found.high
    assert misses / 500 <= 0.1


def test_a_few_rows_that_are_all_in_order_do_not_prove_a_perfect_feature():
    """10 of 10 may be so with an area of 0.7: the spread of what was seen is 0 and says nothing."""
    few = binned_auc(np.array([0.0, 10.0]), np.array([5000.0, 0.0]))
    assert (few.value, few.high) == (1.0, 1.0)
    assert few.low == pytest.approx(0.025 ** (1 / 10))
    none = binned_auc(np.array([10.0, 0.0]), np.array([0.0, 5000.0]))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_a_rare_class_that_a_good_feature_tells_by_luck_is_within_the_interval():
    # An area of 0.9: a tenth of the class is anywhere, and in a third of the runs none of 10 rows is.
    rng = np.random.default_rng(8)
    p, q = np.array([0.1, 0.0, 0.9]), np.array([0.5, 0.5, 0.0])
    true = float((p * (np.cumsum(q) - q / 2)).sum())
    misses = 0
    for _ in range(2000):
        found = binned_auc(rng.multinomial(10, p).astype(float), rng.multinomial(300, q).astype(float))
        misses += not found.low <= true <= found.high
    assert misses / 2000 <= 0.05


def test_a_perfect_r2_of_few_rows_is_not_known_to_be_one():
    found = r2_alone(np.array([0, 1] * 6), np.array([0.0, 1.0] * 6), np.arange(12) < 6)
    assert found.value == pytest.approx(1.0)
    assert found.low < 0.9
    assert r2_alone(np.arange(4000) % 2, (np.arange(4000) % 2).astype(np.float64), halves(4000)).low > 0.99


def by_definition(yes: np.ndarray, no: np.ndarray) -> tuple[float, float, float]:
    """DeLong's interval from the matrix of all pairs of rows."""
    ours, theirs = np.repeat(np.arange(len(yes)), yes), np.repeat(np.arange(len(no)), no)
    wins = (ours[:, None] > theirs) + 0.5 * (ours[:, None] == theirs)
    variance = wins.mean(axis=1).var(ddof=1) / len(ours) + wins.mean(axis=0).var(ddof=1) / len(theirs)
    low, high = stats.norm.interval(0.95, wins.mean(), np.sqrt(variance))
    return wins.mean(), max(low, 0.0), min(high, 1.0)


def test_the_interval_of_the_area_is_that_of_all_pairs():
    rng = np.random.default_rng(2)
    for _ in range(20):
        yes, no = rng.integers(10, 40, (2, 6))
        assert binned_auc(yes.astype(float), no.astype(float)) == pytest.approx(by_definition(yes, no))


def test_the_interval_of_r2_is_scipys_of_the_correlation():
    rng = np.random.default_rng(6)
    codes, half = rng.integers(0, 4, 2000), halves(2000)
    truth = (codes + 2.0 * rng.normal(size=2000)).astype(np.float64)
    found = r2_alone(codes, truth, half)
    means = np.array([truth[half][codes[half] == one].mean() for one in range(4)])
    theirs: Any = stats.pearsonr(means[codes[~half]], truth[~half])
    ends = theirs.confidence_interval(0.95)
    # The means of codes are drawn a little towards the mean of all: some thousandths.
    assert found == pytest.approx((theirs.statistic**2, ends.low**2, ends.high**2), abs=1e-3)
