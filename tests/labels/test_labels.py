"""What the truth for an answer may be: of vectors and rankings, whatever is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import InvalidInput
from plusone.base.records import Output
from plusone.labels.labels import expected_of, label_reader
from plusone.predictions.wire import read_labels

VECTOR = Output(name="a,b", kind="vector", names=("a", "b"), width=2)
PLAIN = Output(name="answer", kind="vector", width=3)
FILMS = Output(name="film", kind="ranking", classes=(1, 2, 3), width=2)
WORDS = Output(name="word", kind="ranking", classes=("x", "y"), width=2)
SEVERAL = Output(name="b,a", kind="labels", classes=("x", "y", True, False), names=("b", "a"), width=2, sizes=(2, 2))
ALL = [VECTOR, PLAIN, FILMS, WORDS, SEVERAL]

ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("output", "value", "kept"),
    [
        (VECTOR, [1, 2.5], "[1.0,2.5]"),
        (VECTOR, {"b": 2, "a": -0.0}, "[0.0,2.0]"),
        (PLAIN, [1, 2, 3], "[1.0,2.0,3.0]"),
        (FILMS, 2, "[2]"),
        (FILMS, [3, 1.0, 3], "[1,3]"),
        (FILMS, [], "[]"),
        (FILMS, [99], "[99]"),
        (WORDS, "new", '["new"]'),
        (SEVERAL, {"b": "y", "a": True}, '{"a":true,"b":"y"}'),
    ],
)
def test_a_truth_in_any_form_is_kept_as_one_text(output: Output, value: Any, kept: str) -> None:
    assert label_reader(output)(value) == kept


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (VECTOR, [1]), (VECTOR, 1), (VECTOR, [1, None]), (VECTOR, [True, 1]), (VECTOR, {"a": 1}),
        (VECTOR, {"a": 1, "b": 2, "c": 3}), (VECTOR, [1, float("nan")]), (VECTOR, [1, 10**400]),
        (PLAIN, {"a": 1}), (PLAIN, [1, 2]), (FILMS, "2"), (FILMS, [1.5]), (FILMS, True), (FILMS, None),
        (FILMS, [2**63]), (FILMS, [float("inf")]), (FILMS, [[1]]), (FILMS, list(range(1001))), (WORDS, 1), (WORDS, ""),
        (WORDS, "\ud800"), (WORDS, "x" * 1001), (SEVERAL, {"b": "y"}), (SEVERAL, ["y", True]), (SEVERAL, "y"),
        (SEVERAL, {"b": "y", "a": "x"}), (SEVERAL, {"b": "y", "a": 1}), (SEVERAL, {"b": "y", "a": True, "c": 1}),
        (SEVERAL, {"b": ["y"], "a": True}), (SEVERAL, {"b": None, "a": True}),
    ],
)  # fmt: skip
def test_what_can_not_be_the_truth_is_refused(output: Output, value: Any) -> None:
    assert label_reader(output)(value) is None


@given(st.sampled_from(ALL), ANYTHING)
def test_whatever_comes_is_one_canonical_text_or_none(output: Output, value: Any) -> None:
    kept = label_reader(output)(value)
    if kept is not None:
        assert label_reader(output)(json.loads(kept)) == kept


@given(st.sampled_from(ALL), ANYTHING)
def test_over_the_wire_it_is_kept_or_clearly_refused(output: Output, value: Any) -> None:
    body = json.dumps({"labels": [{"id": "p", "label": value}]}).encode()
    kept = label_reader(output)(value)
    # Python writes NaN, which is no JSON, and half a surrogate pair, which msgspec does not read.
    if kept is not None:
        assert read_labels(body, output) == [("p", kept, None)]
    else:
        with pytest.raises(InvalidInput) as caught:
            read_labels(body, output)
        said = caught.value.message
        assert expected_of(output) in said or said.startswith("The body is no JSON")


def test_a_big_body_of_lists_is_read_and_a_wild_one_refused() -> None:
    labels = [{"id": f"p{place}", "label": [1.0, float(place)]} for place in range(5000)]
    assert len(read_labels(json.dumps({"labels": labels}).encode(), VECTOR)) == 5000
    wild = json.dumps({"labels": [{"id": "p", "label": [[[]]] * 30_000}]}).encode()
    with pytest.raises(InvalidInput, match="no list of labels"):
        read_labels(wild, VECTOR)


def test_the_same_prediction_with_two_truths_is_refused_and_with_one_taken_once() -> None:
    twice: list[dict[str, object]] = [{"id": "p", "label": [1, 2]}, {"id": "p", "label": {"b": 2.0, "a": 1.0}}]
    assert read_labels(json.dumps({"labels": twice}).encode(), VECTOR) == [("p", "[1.0,2.0]", None)]
    twice[1]["label"] = [1, 3]
    with pytest.raises(InvalidInput, match="another label"):
        read_labels(json.dumps({"labels": twice}).encode(), VECTOR)
