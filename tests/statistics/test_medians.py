from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from plusone.statistics.medians import of_median


def test_by_hand():
    assert of_median([1, 2, 3, 4, 5, 6, 7, 8, 9]) == (5, 2, 8)
    assert of_median([3.0]) == (3, -math.inf, math.inf)
    assert of_median([4, 1], 0.5) == (2.5, 1, 4)


@pytest.mark.parametrize(("count", "confidence"), [(1, 0.5), (5, 0.95), (6, 0.95), (9, 0.998), (10, 0.998)])
def test_values_too_few_for_the_confidence_say_nothing_of_the_median(count: int, confidence: float):
    """The extremes of n cover 1 - 2 / 2^n: an interval that is wrong more often than it says is none."""
    middle, low, high = of_median(list(range(count)), confidence)
    assert middle == (count - 1) / 2
    reached = 1 - 2 / 2**count >= confidence
    assert (low, high) == ((0, count - 1) if reached else (-math.inf, math.inf))


@pytest.mark.parametrize("count", [6, 11, 50, 201])
def test_the_ends_are_those_of_scipy(count: int):
    values = np.random.default_rng(count).normal(size=count)
    found = stats.quantile_test(values, p=0.5).confidence_interval()
    _, low, high = of_median(values.tolist())
    assert (low, high) == pytest.approx((found.low, found.high))


def test_it_covers_the_median_of_a_skewed_distribution():
    generator = np.random.default_rng(2)
    ends = [of_median(generator.lognormal(0, 2, 25).tolist())[1:] for _ in range(600)]
    assert 0.94 <= np.mean([low <= 1 <= high for low, high in ends]) <= 0.99
