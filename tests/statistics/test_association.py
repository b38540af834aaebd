from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats.contingency import association

from plusone.statistics.association import cramers_v


def test_by_hand():
    assert cramers_v(np.array([[3, 1], [1, 3]])) == pytest.approx(0.5)
    assert cramers_v(np.eye(4, dtype=np.int64)) == pytest.approx(1.0)
    assert np.isnan(cramers_v(np.array([[3, 1]])))
    assert np.isnan(cramers_v(np.zeros((2, 0), np.int64)))


@given(arrays.arrays(np.int64, st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=st.integers(0, 50)))
def test_it_is_that_of_scipy(counts: np.ndarray):
    kept = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(kept.shape) < 2:
        assert np.isnan(cramers_v(counts))
    else:
        assert cramers_v(counts) == pytest.approx(association(kept, method="cramer"))


def test_independent_columns_are_as_far_apart_as_chance_leaves_them():
    generator = np.random.default_rng(1)
    shares = np.outer([0.2, 0.3, 0.5], [0.25] * 4)
    found = [cramers_v(generator.multinomial(3000, shares.ravel()).reshape(3, 4)) for _ in range(300)]
    assert np.mean(np.square(found)) == pytest.approx(2 * 3 / (3000 * 2), rel=0.15)
