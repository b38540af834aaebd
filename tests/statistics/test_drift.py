"""Distances and differences with their intervals: by hand, against scipy and statsmodels, and by how often they err."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cityblock

from plusone.statistics.drift import bin_edges, share_difference, total_variation

counts = st.lists(st.integers(0, 10**6), min_size=2, max_size=30)


def test_the_distance_by_hand():
    found = total_variation(np.array([50.0, 50.0]), np.array([80.0, 20.0]))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (0.0, pytest.approx(0.3 + 2 * 0.18581, abs=1e-4))


@given(counts, counts)
def test_the_distance_is_half_of_scipys_city_block(before: list[int], now: list[int]):
    size = min(len(before), len(now))
    a, b = (np.array(one[:size], dtype=np.float64) for one in (before, now))
    if min(a.sum(), b.sum()) == 0:
        assert total_variation(a, b) == (0.0, 0.0, 1.0)
        return
    found = total_variation(a, b)
    assert found.value == pytest.approx(cityblock(a / a.sum(), b / b.sum()) / 2, abs=1e-12)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@pytest.mark.parametrize(("rows", "bins"), [(200, 2), (500, 20), (5000, 20)])
def test_the_interval_holds_the_true_distance_as_often_as_it_says(rows: int, bins: int):
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(bins), 2)
    true, misses = np.abs(p - q).sum() / 2, 0
    for _ in range(2000):
        found = total_variation(
            *(drawn.astype(np.float64) for drawn in (rng.multinomial(rows, p), rng.multinomial(2 * rows, q)))
        )
        misses += not found.low <= true <= found.high
    # At 5 % a count of 2,000 runs is below 130 with certainty enough: the bound is meant to be wide.
    assert misses <= 130


def test_more_comparisons_widen_every_interval():
    a, b = np.array([500.0, 500.0]), np.array([900.0, 100.0])
    one, many = total_variation(a, b), total_variation(a, b, many=50)
    assert many.low < one.low
    assert many.high > one.high


def test_bins_by_hand():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert bin_edges(values, np.ones(4, np.int64), most=2).tolist() == [3.0]
    assert bin_edges(values, np.ones(4, np.int64)).tolist() == [2.0, 3.0, 4.0]
    assert bin_edges(np.zeros(0), np.zeros(0, np.int64)).tolist() == []


@given(st.lists(st.integers(0, 400), min_size=1, max_size=500), st.integers(2, 30))
def test_bins_hold_about_as_many_values_each(values: list[int], most: int):
    distinct, many = np.unique(np.array(values, np.float64), return_counts=True)
    edges = bin_edges(distinct, many, most)
    assert len(edges) < most
    assert (np.diff(edges) > 0).all()
    filled = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    assert filled.min() > 0
    # A bin may be as large as its share and the one value that straddles its edge.
    assert len(distinct) <= most or filled.max() <= len(values) / most + many.max() + 1


@pytest.mark.parametrize(
    ("now", "before", "low", "high"),
    [
        # Newcombe (1998b), table II, method 10, cases a and c; to four places as printed.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        # statsmodels 0.14, confint_proportions_2indep(method="newcomb").
        ((0, 1000), (20, 1000), -0.030690, -0.012008),
        ((5, 56), (0, 29), -0.038137, 0.192560),
        ((1030, 100000), (980, 90000), -0.001515, 0.000332),
    ],
)
def test_the_difference_of_two_shares_is_newcombes(now, before, low: float, high: float):
    found = share_difference(before, now)
    assert found.value == pytest.approx(now[0] / now[1] - before[0] / before[1])
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


def test_no_rows_tell_nothing():
    assert share_difference((0, 0), (1, 2)) == (0.0, -1.0, 1.0)


def test_the_difference_of_two_shares_covers_near_zero():
    rng = np.random.default_rng(2)
    misses = 0
    for now, before in zip(rng.binomial(2000, 0.01, 2000), rng.binomial(3000, 0.004, 2000), strict=True):
        found = share_difference((before, 3000), (now, 2000))
        misses += not found.low <= 0.006 <= found.high
    assert misses / 2000 <= 0.065
