from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from plusone.base.errors import UsageError
from plusone.statistics.proportions import (
    at_least_so_many,
    clopper_pearson,
    mcnemar,
    newcombe,
    tango,
    tango_spread,
    wilson,
)

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCE = st.floats(0.5, 0.9999)


@given(COUNTS, CONFIDENCE)
def test_the_exact_interval_is_scipys(counts: tuple[int, int], confidence: float):
    expected = stats.binomtest(*counts).proportion_ci(confidence, method="exact")
    assert clopper_pearson(*counts, confidence) == pytest.approx((expected.low, expected.high), rel=1e-8, abs=1e-12)


@given(COUNTS, CONFIDENCE)
def test_the_score_interval_is_scipys(counts: tuple[int, int], confidence: float):
    expected = stats.binomtest(*counts).proportion_ci(confidence, method="wilson")
    assert wilson(*counts, confidence) == pytest.approx((expected.low, expected.high), rel=1e-8, abs=1e-12)


@given(COUNTS, st.floats(0, 1))
def test_the_tail_is_scipys(counts: tuple[int, int], rate: float):
    successes, n = counts
    assert at_least_so_many(successes, n, rate) == pytest.approx(stats.binom.sf(successes - 1, n, rate), abs=1e-10)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_paired_test_is_the_binomial_one(first: int, second: int):
    expected = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("successes", "n"),
    [(3, 10**6), (999_999, 10**6), (412_345, 10**6), (0, 10**7), (7, 10**9), (5 * 10**8, 10**9), (10**9 - 1, 10**9)],
)
def test_many_trials(successes: int, n: int):
    # Its quantiles: those of scipy's binomtest are found to 2e-12, which is a thousandth of such a rate.
    low = stats.beta.ppf(0.025, successes, n - successes + 1) if successes else 0.0
    high = stats.beta.ppf(0.975, successes + 1, n - successes)
    assert clopper_pearson(successes, n) == pytest.approx((low, high), rel=1e-7)


def test_by_hand():
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025**0.1))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025**0.1), 1.0)
    assert wilson(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert at_least_so_many(2, 3, 0.5) == pytest.approx(0.5)
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(0, 0) == 1.0


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.8, 0.97])
@pytest.mark.parametrize("n", [5, 20, 101])
def test_each_end_of_the_exact_interval_is_wrong_no_more_often_than_it_says(n: int, rate: float):
    """Summed over all that can happen, so nothing is left to chance."""
    chances = stats.binom.pmf(np.arange(n + 1), n, rate)
    ends = [clopper_pearson(successes, n, 0.95) for successes in range(n + 1)]
    above = sum(chance for chance, (low, _) in zip(chances, ends, strict=True) if low > rate)
    below = sum(chance for chance, (_, high) in zip(chances, ends, strict=True) if high < rate)
    assert max(above, below) <= 0.025


@given(COUNTS)
def test_an_interval_holds_its_rate(counts: tuple[int, int]):
    for low, high in (wilson(*counts), clopper_pearson(*counts)):
        assert 0.0 <= low <= counts[0] / counts[1] <= high <= 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "no rate of 0 trials"),
        ((5, 4), "5 of 4 trials"),
        ((-1, 4), "-1 of 4 trials"),
        ((1, 4, 95), "confidence = 95"),
        ((1, 4, math.nan), "confidence = nan"),
    ],
)
def test_what_is_no_rate_is_refused(arguments: tuple, message: str):
    for interval in (wilson, clopper_pearson):
        with pytest.raises(UsageError, match=message):
            interval(*arguments)
    with pytest.raises(UsageError, match="expected 0 or more"):
        mcnemar(-1, 2)


def test_it_needs_no_numpy():
    code = "import sys, plusone.statistics.proportions; assert not {'numpy', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_differences_by_hand():
    assert newcombe((10, 10), (0, 10)) == pytest.approx((0.6075, 1), abs=1e-4)
    assert tango(0, 0, 50) == pytest.approx((-0.0713, 0.0713), abs=1e-4)
    assert tango_spread(0, 0, 50, -0.02) == pytest.approx(0.0198, abs=1e-4)


def score(better: int, worse: int, rows: int, difference: float) -> float:
    """Tango's statistic with the nuisance share found by maximising the likelihood numerically."""

    def cost(worse_share: float) -> float:
        better_share = worse_share + difference
        same = 1 - better_share - worse_share
        if min(better_share, worse_share, same) <= 0:
            return 1e12
        parts = [(better, better_share), (worse, worse_share), (rows - better - worse, same)]
        return -sum(count * math.log(chance) for count, chance in parts)

    low, high = max(0.0, -difference), (1 - difference) / 2
    found: Any = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    variance = rows * (2 * found.x + difference - difference**2)
    return (better - worse - rows * difference) / math.sqrt(variance)


@settings(max_examples=40)
@given(better=st.integers(0, 20), worse=st.integers(0, 20), rest=st.integers(5, 200))
def test_tango_s_ends_are_where_the_score_is_1_96(better: int, worse: int, rest: int):
    rows = better + worse + rest
    low, high = tango(better, worse, rows)
    assert -1 <= low <= (better - worse) / rows <= high <= 1
    assert score(better, worse, rows, low) == pytest.approx(1.96, abs=0.01)
    assert score(better, worse, rows, high) == pytest.approx(-1.96, abs=0.01)
    assert tango(worse, better, rows) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("rows", "more"), [(40, 0.02), (150, 0.01), (150, 0.05)])
def test_tango_is_not_passed_by_luck_at_the_margin(rows: int, more: float):
    generator = np.random.default_rng(1)
    counts = generator.multinomial(rows, [more, more + 0.03, 1 - 2 * more - 0.03], size=2000)
    lows = {}
    for better, worse, _ in counts.tolist():
        if (better, worse) not in lows:
            lows[better, worse] = tango(better, worse, rows)[0]
    passed = np.mean([lows[better, worse] >= -0.03 for better, worse, _ in counts.tolist()])
    assert passed <= 0.05


def test_simultaneous_intervals_cover_all_true_shares_together_in_19_of_20_runs():
    dice = np.random.default_rng(5)
    true = np.array([0.1, 0.3, 0.5, 0.7, 0.9] * 4)
    covered = 0
    for _ in range(1000):
        ends = [wilson(int(count), 200, 1 - 0.05 / 20) for count in dice.binomial(200, true)]
        covered += all(low <= share <= high for (low, high), share in zip(ends, true, strict=True))
    assert covered >= 930


def test_equally_good_models_are_told_apart_in_at_most_5_of_100_runs():
    chances = stats.binom.pmf(np.arange(61), 60, 0.5)
    false = sum(chance for first, chance in enumerate(chances) if mcnemar(first, 60 - first) < 0.05)
    assert false <= 0.05
    # The next larger tail would be beyond it: it is not bought by never saying anything.
    assert false >= 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 0), "no difference of 0 rows"),
        ((3, 8, 10), "3 and 8 of 10 rows differ"),
        ((-1, 0, 10), "-1 and 0 of 10 rows"),
        ((1, 2, 10, 95), "confidence = 95"),
    ],
)
def test_what_is_no_difference_is_refused(arguments: tuple, message: str):
    with pytest.raises(UsageError, match=message):
        tango(*arguments)


@given(COUNTS, COUNTS, CONFIDENCE)
def test_newcombes_ends_are_made_of_scipys(first: tuple[int, int], second: tuple[int, int], confidence: float):
    (a, b), (c, d) = (stats.binomtest(*one).proportion_ci(confidence, method="wilson") for one in (first, second))
    p, q = first[0] / first[1], second[0] / second[1]
    expected = p - q - np.hypot(p - a, d - q), p - q + np.hypot(b - p, q - c)
    assert newcombe(first, second, confidence) == pytest.approx(np.clip(expected, -1, 1), abs=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5])
def test_wilson_covers_as_often_as_it_says_on_average(rate: float):
    rates = np.linspace(rate - 0.04, rate + 0.04, 41)
    ends = np.array([wilson(hits, 60) for hits in range(61)])
    covered = [
        stats.binom.pmf(np.arange(61), 60, one)[(ends[:, 0] <= one) & (one <= ends[:, 1])].sum() for one in rates
    ]
    assert np.mean(covered) >= 0.945
