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


def test_all_rows_but_one_are_compared_with_that_one_by_the_spread_of_all():
    part = np.arange(400) > 0
    found = of_part(MAE, TRUTH, OURS, part)
    losses = np.abs(OURS - TRUTH)
    assert found.value == pytest.approx(losses.mean() - losses[part].mean())
    low, high = found.interval(0.95)
    # The one row is as far off by chance as rows are: losses.std(), of which a part of 1 / 400 is in the difference.
    assert high - low == pytest.approx(2 * 1.966 * losses.std(ddof=1) / 400, rel=0.02)
    assert found.chance(-1.0) == pytest.approx(1.0)


def test_what_is_no_number_is_never_certain():
    for values in ([1.0, np.nan, 2.0], [1.0, np.inf, 2.0]):
        with np.errstate(invalid="ignore"):
            found = from_mean(np.array(values))
        low, high = found.interval(0.95)
        assert not low >= 0
        assert not high < 0


def at_the_limit(generator: np.random.Generator, kind: str, rows: int) -> Any:
    """An estimate whose true value is 0, the limit that it is held against."""
    truth = generator.normal(size=rows)
    ours, theirs = (truth + generator.normal(size=rows) for _ in range(2))
    part = np.arange(rows) < rows // 4
    if kind == "mean":
        return from_mean(generator.exponential(size=rows) - 1.0)
    if kind == "difference":
        return difference(MAE, truth, ours, theirs)
    if kind == "part":
        return of_part(MAE, truth, ours, part)
    labels, said = generator.integers(0, 2, (2, rows))
    if kind == "share of a part":
        return of_part(ACCURACY, labels, said, part)
    return of_part(AUC, labels, generator.random(rows), part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "rows", "runs"),
    [
        ("mean", 200, 1000),
        ("difference", 60, 1000),
        ("part", 80, 1000),
        ("share of a part", 80, 1000),
        ("area of a part", 200, 120),
    ],
)
def test_a_value_at_the_limit_is_called_worse_as_seldom_as_is_said(kind: str, rows: int, runs: int):
    generator = np.random.default_rng(runs)
    found = [at_the_limit(generator, kind, rows) for _ in range(runs)]
    worse = np.mean([one.chance(0.0) <= 0.025 for one in found])
    missed = np.mean([not one.interval(0.95)[0] <= 0.0 <= one.interval(0.95)[1] for one in found])
    # 2.5 % on each side: so many runs have a standard deviation of 0.5 % (1.4 % where they are 120).
    slack = 3 * (0.025 * 0.975 / runs) ** 0.5
    assert worse <= 0.025 + slack
    assert missed <= 0.05 + 2 * slack


def test_any_of_ten_at_the_limit_is_called_worse_as_seldom_as_is_said():
    generator = np.random.default_rng(9)
    runs = 600
    false = sum(
        any(holm([from_mean(generator.normal(size=30)).chance(0.0) for _ in range(10)], 0.05)) for _ in range(runs)
    )
    assert 0.02 <= false / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
