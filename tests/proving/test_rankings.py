"""Rankings are alike when only ties are in another order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.proving.rankings import compare_rankings

NAN, INF = np.nan, np.inf


def alike(codes: list[int], scores: list[float], codes2: list[int], scores2: list[float]) -> tuple[bool, int]:
    _, bad, ties = compare_rankings(
        (np.array([codes]), np.array([scores])), (np.array([codes2]), np.array([scores2])), 1e-3
    )
    return not bad[0], ties


@pytest.mark.parametrize(
    ("codes", "scores", "codes2", "scores2", "same", "ties"),
    [
        ([1, 2], [0.9, 0.5], [1, 2], [0.9, 0.5], True, 0),
        ([1, 2], [0.9, 0.5], [1, 2], [0.9, 0.5004], True, 0),
        ([1, 2], [0.9, 0.5], [1, 2], [0.9, 0.6], False, 0),
        ([1, 2], [0.9, 0.5], [2, 1], [0.9, 0.5], False, 0),
        ([1, 2], [0.5, 0.5], [2, 1], [0.5, 0.5], True, 1),  # a tie
        ([1, 2], [0.9, 0.5], [1, 3], [0.9, 0.5], True, 1),  # one that was tied with the last fell behind the end
        ([1, 2], [0.9, 0.5], [3, 2], [0.9, 0.5], False, 0),
        ([1, 2], [0.5, 0.5], [1, 1], [0.5, 0.5], False, 0),
        ([1, -1], [0.9, NAN], [1, -1], [0.9, NAN], True, 0),
        ([1, -1], [0.9, NAN], [1, 2], [0.9, 0.5], False, 0),
        ([1, 2], [0.9, 0.5], [1, -1], [0.9, NAN], False, 0),
        ([1, 2], [INF, INF], [2, 1], [INF, INF], True, 1),
        ([1, 2], [INF, 0.5], [1, 2], [1e300, 0.5], False, 0),
        ([1, 2], [INF, 0.5], [1, 2], [-INF, 0.5], False, 0),
        ([1, 2], [INF, 0.5], [2, 1], [INF, 0.5], False, 0),
        ([1, 2], [NAN, 0.5], [1, 2], [0.9, 0.5], False, 0),
        ([1, 2], [9000.0, 5000.0], [1, 2], [9000.0, 5004.0], True, 0),  # relative
    ],
)
def test_by_hand(
    codes: list[int], scores: list[float], codes2: list[int], scores2: list[float], same: bool, ties: int
) -> None:
    assert alike(codes, scores, codes2, scores2) == (same, ties)


def test_another_width_is_another_ranking() -> None:
    one = (np.array([[1]]), np.array([[0.5]]))
    two = (np.array([[1, 2]]), np.array([[0.5, 0.4]]))
    assert compare_rankings(one, two, 1.0)[1].all()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.randoms())
def test_any_order_of_equal_scores_is_the_same_ranking(said: list[int], random: object) -> None:
    scores = np.array(sorted(said, reverse=True), dtype=float)
    codes = np.arange(len(scores))
    order = np.lexsort((np.random.default_rng(len(said)).random(len(scores)), -scores))
    _, bad, _ = compare_rankings((codes[None], scores[None]), (codes[order][None], scores[order][None]), 1e-6)
    assert not bad.any()
    if len(set(said)) > 1:  # the best and the worst changed places
        wrong = codes.copy()
        wrong[[0, -1]] = wrong[[-1, 0]]
        assert compare_rankings((codes[None], scores[None]), (wrong[None], scores[None]), 1e-6)[1].all()
