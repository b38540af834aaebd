from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plusone.statistics.distributions import (
    beta_cdf,
    beta_quantile,
    chi_square_quantile,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
)

shapes = st.floats(0.1, 1e5)


def test_values_by_hand():
    assert beta_cdf(0.3, 1, 1) == pytest.approx(0.3)
    assert beta_cdf(0.3, 2, 1) == pytest.approx(0.09)
    assert beta_quantile(0.25, 2, 1) == pytest.approx(0.5)
    assert t_cdf(1, 1) == pytest.approx(0.75)
    assert t_quantile(0.75, 1) == pytest.approx(1)
    assert t_quantile(0.5, 7) == 0
    assert normal_quantile(0.975) == pytest.approx(1.959964)
    assert chi_square_quantile(0.5, 9) == pytest.approx(8.3499, abs=1e-3)
    assert (beta_cdf(-1, 2, 3), beta_cdf(2, 2, 3)) == (0, 1)


@given(value=st.floats(0.001, 0.999), a=shapes, b=shapes)
def test_beta_is_that_of_scipy(value: float, a: float, b: float):
    assert beta_cdf(value, a, b) == pytest.approx(stats.beta.cdf(value, a, b), abs=1e-9)


@given(share=st.floats(1e-6, 1 - 1e-6), freedom=st.floats(0.6, 1e5))
def test_student_is_that_of_scipy(share: float, freedom: float):
    assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-6, abs=1e-8)
    assert t_cdf(1.7, freedom) == pytest.approx(stats.t.cdf(1.7, freedom), abs=1e-9)


@pytest.mark.parametrize("freedom", [5, 20, 300])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_chi_square_is_near_that_of_scipy(share: float, freedom: float):
    assert chi_square_quantile(share, freedom) == pytest.approx(stats.chi2.ppf(share, freedom), rel=0.01)


def test_large_parameters_are_no_trouble():
    assert beta_quantile(0.975, 4e6, 6e6) == pytest.approx(stats.beta.ppf(0.975, 4e6, 6e6), rel=1e-8)
    assert t_quantile(0.975, 1e9) == pytest.approx(1.959964)


@given(value=st.floats(-8, 8))
def test_normal_is_that_of_scipy(value: float):
    assert normal_cdf(value) == pytest.approx(stats.norm.cdf(value), abs=1e-12)
    share = float(min(max(stats.norm.cdf(value), 1e-12), 1 - 1e-12))
    assert normal_quantile(share) == pytest.approx(stats.norm.ppf(share), abs=1e-8)


@given(share=st.floats(1e-6, 1 - 1e-6), a=st.floats(0.3, 1e4), b=st.floats(0.3, 1e4))
def test_quantiles_of_beta_are_those_of_scipy(share: float, a: float, b: float):
    found = beta_quantile(share, a, b)
    # Where the distribution is flat its argument is less certain than its value; where it is steep, as at 1 with b < 1,
    # the numbers beside the quantile may lie on the other side of the share: it is found to 15 digits.
    low, high = np.nextafter(found, 0.0) * (1 - 2e-15), np.nextafter(found, 1.0) * (1 + 2e-15)
    below, above = stats.beta.cdf(low, a, b), stats.beta.cdf(min(high, 1.0), a, b)
    assert below <= share * (1 + 1e-6)
    assert above >= share * (1 - 1e-6)
