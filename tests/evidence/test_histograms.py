"""Counts by key, of times and answers, against a plain count one by one."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from plusone.base.records import Output
from plusone.evidence.histograms import INVALID, Tally, count_latencies, count_outputs, name_classes, said
from plusone.graphs.runner import Answer
from plusone.predictor.encode import key_of

FLOATS = arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats())


@given(st.lists(st.floats(0.0, 1e9), min_size=1, max_size=50))
def test_times_are_counted_in_eighths_of_an_octave(seconds: list[float]):
    found = count_latencies(np.array(seconds))
    plain = Counter(str(min(80, max(-160, math.floor(8 * math.log2(one))))) if one > 0.0 else "-160" for one in seconds)
    assert sum(found.values()) == len(seconds)
    # The two logarithms may differ in the last bit, and so at the edge of a bucket.
    assert sum((Counter(found) - plain).values()) <= sum(
        1 for one in seconds if one > 0.0 and abs(8 * math.log2(one) - round(8 * math.log2(one))) < 1e-9
    )


def test_a_millisecond_is_in_the_bucket_that_the_description_says():
    assert count_latencies(np.array([0.001, 0.0, 5000.0])) == {"-80": 1, "-160": 1, "80": 1}


@given(FLOATS)
def test_every_number_is_counted_once_under_few_keys(numbers: Any):
    found = count_outputs(numbers, [], 0)
    wrong = sum(not math.isfinite(one) for one in numbers)
    assert (found.rows, found.invalid, found.counts.get(INVALID, 0)) == (len(numbers), wrong, wrong)
    assert sum(found.counts.values()) == len(numbers)
    for key in found.counts.keys() - {INVALID}:
        assert math.isfinite(float(key))


def test_the_key_of_a_number_is_where_its_bucket_begins():
    found = count_outputs(np.array([99.0, 107.0, 108.0, -99.0, 0.0, 1e-13, -1e-300, 1e300, 1.0]), [], 0)
    expected = {"98.7": 2, "108": 1, "-98.7": 1, "0": 3, f"{2.0**60:.3g}": 1, "1": 1}
    assert found.counts == expected


def test_the_numbers_of_float32_are_counted_too():
    assert count_outputs(np.array([99.0, np.inf], dtype=np.float32), [], 0).counts == {"98.7": 1, INVALID: 1}


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (
            Output(name="y", kind="classes", classes=(False, True), probabilities=True),
            Answer(np.array([False, True]), np.array([1, 0, 1]), np.array([[0.1, 0.9], [0.8, 0.2], [np.nan, 1]]), None),
        ),
        (
            Output(name="y", kind="classes", classes=("a", "b")),
            Answer(np.array(["a", "b"]), np.array([1, 0, 1]), None, None),
        ),
        (Output(name="y", kind="number"), Answer(np.array([]), None, None, np.array([1.5, np.inf, -2.0]))),
        (
            Output(name="y", kind="ranking", classes=("p", "q"), width=2),
            Answer(np.array(["p", "q"]), np.array([[0, 1], [1, 0], [-1, -1]]), None, None, np.ones((3, 2))),
        ),
    ],
    ids=["shares", "labels", "numbers", "rankings"],
)
def test_a_tally_of_parts_is_the_count_of_the_whole(output: Output, answer: Answer):
    model: Any = SimpleNamespace(signature=SimpleNamespace(output=output))
    parts, whole = Tally(model), Tally(model)
    assert parts.outputs() == (0, 0, {})
    for _ in range(3):
        parts.add(answer)
    found = parts.outputs()
    whole.add(answer)
    assert found == (9, 3 * whole.outputs().invalid, {key: 3 * count for key, count in whole.outputs().counts.items()})
    names = name_classes(output.classes, [key_of(one) for one in output.classes])
    assert whole.outputs() == count_outputs(said(answer), names, len(output.classes))


def test_classes_are_counted_by_the_twentieth_of_their_probability():
    names = name_classes(["no", "yes"], ["no", "yes"])
    shares = np.array([[0.87, 0.13], [0.5, 0.5], [0.0, 1.0], [0.01, 0.99]])
    assert count_outputs(shares, names, 2) == (4, 0, {"no/17": 1, "no/10": 1, "yes/19": 2})


@pytest.mark.parametrize(
    "row", [[np.nan, 0.5], [0.5, np.nan], [np.inf, 0.0], [0.0, 1.1], [-0.2, 0.9], [-np.inf, 1.0], [np.nan, np.nan]]
)
def test_what_is_no_probability_is_invalid(row: list[float]):
    found = count_outputs(np.array([row, [0.4, 0.6], [0.0, 1.0 + 1e-8]]), name_classes([0, 1], ["0", "1"]), 2)
    assert (found.rows, found.invalid, found.counts[INVALID]) == (3, 1, 1)
    assert sum(found.counts.values()) == 3


def test_a_code_that_is_no_class_is_invalid():
    found = count_outputs(np.array([0, 1, 2, -1]), name_classes([0, 1], ["0", "1"]), 2)
    assert found == (4, 2, {"0/19": 1, "1/19": 1, INVALID: 2})


@pytest.mark.parametrize("count", [51, 1000, 5000])
def test_many_classes_have_bounded_keys(count: int):
    keys = [str(number) for number in range(count)]
    found = count_outputs(np.arange(count), name_classes(keys, keys), count)
    assert found.rows == sum(found.counts.values()) == count
    assert len(found.counts) == min(count, 1001)
    assert found.counts.get("other", 0) == max(0, count - 1000)


def test_what_is_counted_of_an_answer():
    shares, codes, numbers = np.ones((2, 3)), np.zeros(2), np.ones(2)
    assert said(Answer(None, codes, shares, None)) is shares
    assert said(Answer(None, codes, None, None)) is codes
    assert said(Answer(None, None, None, numbers)) is numbers


def test_a_vector_counts_by_its_mean_and_a_ranking_by_its_first_item() -> None:
    vectors = Answer(None, None, None, np.array([[1.0, 3.0], [2.0, np.nan]]))
    found = count_outputs(said(vectors), [], 0)
    assert (found.rows, found.invalid, found.counts) == (2, 1, {"2": 1, INVALID: 1})
    codes = np.array([[1, 0], [1, -1], [-1, -1]])
    rankings = Answer(np.array([7, 8]), codes, None, None, np.where(codes < 0, np.nan, 1.0))
    found = count_outputs(said(rankings), name_classes((7, 8), ["7", "8"]), 2)
    assert (found.rows, found.invalid, found.counts) == (3, 1, {"8/19": 2, INVALID: 1})
