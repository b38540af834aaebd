"""Intervals of shares against scipy's, and Tango's against the likelihood that it is made from, maximised by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from plusone.statistics.proportions import clopper_pearson, newcombe, tango, tango_spread, wilson


def test_values_by_hand():
    assert clopper_pearson(0, 10) == pytest.approx((0, 0.3085), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert newcombe((10, 10), (0, 10)) == pytest.approx((0.6075, 1), abs=1e-4)
    assert tango(0, 0, 50) == pytest.approx((-0.0713, 0.0713), abs=1e-4)
    assert tango_spread(0, 0, 50, -0.02) == pytest.approx(0.0198, abs=1e-4)


@given(rows=st.integers(1, 500), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_single_shares_are_those_of_scipy(rows: int, share: float, confidence: float):
    hits = round(share * rows)
    test = stats.binomtest(hits, rows)
    exact, score = (test.proportion_ci(confidence, method=name) for name in ("exact", "wilson"))
    assert clopper_pearson(hits, rows, confidence) == pytest.approx((exact.low, exact.high), abs=1e-8)
    assert wilson(hits, rows, confidence) == pytest.approx((score.low, score.high), abs=1e-8)


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
    found = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
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
