"""Counts of combinations of labels, against a plain count one by one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.records import Output
from plusone.evidence.histograms import INVALID, counter_of, said
from plusone.evidence.several import Combinations
from plusone.graphs.runner import Answer


def output_of(*sizes: int, names: tuple[str, ...] = (), probabilities: bool = True) -> Output:
    names = names or tuple(f"t{place}" for place in range(len(sizes)))
    classes = tuple(code for size in sizes for code in range(size))
    return Output(
        name=",".join(names),
        kind="labels",
        classes=classes,
        probabilities=probabilities,
        names=names,
        width=len(sizes),
        sizes=sizes,
    )


def answer_of(rows: list[list[list[float]]]) -> Answer:
    """Return answers with these probabilities, by row and target."""
    shares = np.array([[share for target in row for share in target] for row in rows])
    return Answer(np.zeros(shares.shape[1]), np.zeros((len(rows), len(rows[0])), dtype=np.int64), shares, None)


def test_a_row_counts_by_its_combination_and_the_least_sure_label() -> None:
    count = counter_of(output_of(2, 3, names=("late", "gate")))
    answer = answer_of([[[0.1, 0.9], [0.2, 0.7, 0.1]], [[0.1, 0.9], [0.2, 0.7, 0.1]], [[1.0, 0.0], [0.0, 0.0, 1.0]]])
    assert count(said(answer)) == (3, 0, {"gate=1 late=1/14": 2, "gate=2 late=0/19": 1})


def test_the_order_of_the_targets_is_no_other_answer() -> None:
    one, other = (counter_of(output_of(2, 2, names=names)) for names in (("a", "b"), ("b", "a")))
    assert one(said(answer_of([[[1.0, 0.0], [0.0, 1.0]]]))) == other(said(answer_of([[[0.0, 1.0], [1.0, 0.0]]])))


@pytest.mark.parametrize("wrong", [np.nan, 1.2, -0.1, np.inf])
def test_a_row_is_invalid_where_one_of_its_probabilities_is(wrong: float) -> None:
    found = counter_of(output_of(2, 2))(said(answer_of([[[0.5, 0.5], [wrong, 0.3]], [[0.5, 0.5], [0.6, 0.4]]])))
    assert (found.rows, found.invalid, found.counts[INVALID]) == (2, 1, 1)


def test_labels_alone_are_counted_and_a_code_of_another_target_is_invalid() -> None:
    codes = np.array([[0, 2], [1, 3], [1, 1], [-1, 2]])
    found = counter_of(output_of(2, 2, probabilities=False))(said(Answer(np.zeros(4), codes, None, None)))
    assert found == (4, 2, {"t0=0 t1=0/19": 1, "t0=1 t1=1/19": 1, INVALID: 2})


@given(st.lists(st.lists(st.integers(0, 1), min_size=12, max_size=12), min_size=1, max_size=30))
def test_of_many_targets_equal_rows_are_in_one_group_and_the_groups_are_few(rows: list[list[int]]) -> None:
    output = output_of(*[2] * 12, probabilities=False)
    codes = np.array(rows) + 2 * np.arange(12)
    found = counter_of(output)(said(Answer(np.zeros(24), codes, None, None)))
    assert (found.rows, found.invalid) == (len(rows), 0)
    assert Combinations(output).count == 1000
    assert all(key.startswith("#") for key in found.counts)
    groups: Any = Combinations(output).read(codes)[0].tolist()
    assert len({tuple(row) for row in rows}) >= len(found.counts)
    assert Counter(f"#{group}" for group in groups) == found.counts
    assert all(groups[i] == groups[j] for i, a in enumerate(rows) for j, b in enumerate(rows) if a == b)


def test_a_thousand_targets_are_counted() -> None:
    found = counter_of(output_of(*[3] * 1000, probabilities=False))(
        said(Answer(np.zeros(3000), np.arange(0, 3000, 3).reshape(1, -1), None, None))
    )
    assert found.rows == sum(found.counts.values()) == 1
