"""The distance of two models' answers, and that its buckets are those in which serving counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plusone.base.records import Output
from plusone.evidence.histograms import count_outputs, counter_of, name_classes, said
from plusone.graphs.runner import Answer
from plusone.measuring.shifts import prediction_shift
from plusone.predictor.encode import key_of

CLASSES = ("no", "yes")


def _classes(*rows: tuple[str, float], classes: tuple[str, ...] = CLASSES) -> Answer:
    codes = np.array([classes.index(label) for label, _ in rows])
    probabilities = np.full((len(rows), len(classes)), 0.0)
    for place, (code, (_, sure)) in enumerate(zip(codes, rows, strict=True)):
        probabilities[place] = (1.0 - sure) / max(len(classes) - 1, 1)
        probabilities[place, code] = sure
    return Answer(np.array(classes, dtype=object), codes, probabilities, None)


def _numbers(*values: float) -> Answer:
    return Answer(None, None, None, np.array(values))


def shift(a: Answer, a_classes: tuple[Any, ...], b: Answer, b_classes: tuple[Any, ...]) -> float:
    return prediction_shift(a, _output(a_classes), b, _output(b_classes))


def _output(classes: tuple[Any, ...]) -> Output:
    return Output(name="y", kind="classes" if classes else "number", classes=classes)


def test_the_example_of_the_docstring():
    a, b = _classes(("yes", 0.91), ("no", 0.6)), _classes(("yes", 0.94), ("yes", 0.6))
    assert shift(a, CLASSES, b, CLASSES) == 0.5


def test_equal_answers_are_no_shift_and_others_are_all_of_it():
    a = _classes(("yes", 0.91), ("no", 0.6))
    assert shift(a, CLASSES, a, CLASSES) == 0.0
    turned = _classes(("yes", 0.91), ("no", 0.6), classes=("yes", "no"))
    assert shift(a, CLASSES, turned, ("yes", "no")) == 0.0, "by label, not by its place"
    assert shift(_numbers(1.0, 2.0), (), _numbers(-1.0, -2.0), ()) == 1.0
    assert shift(_numbers(1.0, 1e300), (), _numbers(1.01, 1e290), ()) == 0.0
    assert shift(_numbers(), (), _numbers(), ()) == 0.0


FINITE = st.floats(allow_nan=True, allow_infinity=True)


@given(arrays(np.float64, st.integers(1, 30), elements=FINITE), arrays(np.float64, st.integers(1, 30), elements=FINITE))
def test_numbers_are_put_in_the_buckets_of_serving(a: Any, b: Any):
    _same(_numbers(*a), _numbers(*b), ())


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.floats(0.51, 1.0)), min_size=1, max_size=20), st.data())
def test_classes_are_put_in_the_buckets_of_serving(rows: list[tuple[str, float]], data: st.DataObject):
    others = data.draw(st.lists(st.tuples(st.sampled_from(CLASSES), st.floats(0.51, 1.0)), min_size=1, max_size=20))
    _same(_classes(*rows), _classes(*others), CLASSES)


def _same(a: Answer, b: Answer, classes: tuple[str, ...]) -> None:
    names = name_classes(classes, [key_of(one) for one in classes]) if classes else []
    ours, theirs = (count_outputs(one.probabilities if classes else one.numbers, names, len(classes)) for one in (a, b))
    keys = {*ours.counts, *theirs.counts}
    apart = sum(abs(ours.counts.get(key, 0) / ours.rows - theirs.counts.get(key, 0) / theirs.rows) for key in keys) / 2
    assert shift(a, classes, b, classes) == pytest.approx(apart, abs=1e-6)


def test_vectors_count_by_their_mean_and_rankings_by_their_first_item() -> None:
    near, far = (Answer(None, None, None, np.array([[1.0, 3.0], [2.0, value]])) for value in (2.0, 200.0))
    assert shift(near, (), near, ()) == 0.0
    assert shift(near, (), far, ()) == 0.5
    items = np.array([7, 8])
    one = Answer(items, np.array([[0, 1], [1, -1]]), None, None, np.array([[2.0, 1.0], [1.0, np.nan]]))
    other = Answer(items, np.array([[0, -1], [-1, -1]]), None, None, np.full((2, 2), np.nan))
    assert shift(one, (7, 8), one, (7, 8)) == 0.0
    assert shift(one, (7, 8), other, (7, 8)) == 0.5


@given(
    st.lists(
        st.tuples(*[st.integers(0, 1), st.floats(0.5, 1.0), st.integers(0, 2), st.floats(0.5, 1.0)] * 2), max_size=9
    )
)
def test_labels_of_several_targets_are_put_in_the_buckets_of_serving(rows: list[tuple[Any, ...]]):
    ours, theirs = (_several(*(row[start : start + 4] for row in rows)) for start in (0, 4))
    if not rows:
        assert prediction_shift(ours, SEVERAL, theirs, SEVERAL) == 0.0
        return
    count = counter_of(SEVERAL)
    left, right = (count(said(one)).counts for one in (ours, theirs))
    apart = sum(abs(left.get(key, 0) - right.get(key, 0)) for key in {*left, *right}) / 2 / len(rows)
    assert prediction_shift(ours, SEVERAL, theirs, SEVERAL) == pytest.approx(apart, abs=1e-6)


SEVERAL = Output(
    name="late,gate",
    kind="labels",
    classes=("no", "yes", "A", "B", "C"),
    probabilities=True,
    names=("late", "gate"),
    width=2,
    sizes=(2, 3),
)


def _several(*rows: tuple[int, float, int, float]) -> Answer:
    """Return answers: the code of each of two labels, and how sure it is."""
    shares = np.zeros((len(rows), 5))
    for place, (late, sure, gate, surer) in enumerate(rows):
        shares[place, :2] = 1.0 - sure
        shares[place, 2:] = (1.0 - surer) / 2
        shares[place, late], shares[place, 2 + gate] = sure, surer
    codes = np.stack([shares[:, :2].argmax(axis=1), shares[:, 2:].argmax(axis=1) + 2], axis=1)
    return Answer(np.array(SEVERAL.classes, dtype=object), codes, shares, None)
