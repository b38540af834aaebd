"""Vectors and rankings to JSON and to Arrow: in value what `predictions` gives, whatever the numbers are."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from plusone.base.records import Output
from plusone.graphs.runner import Answer, class_array
from plusone.predictor.arrow import write_stream
from plusone.predictor.encode import Encoder
from plusone.predictor.lists import Labels, Rankings, Vectors, ranked

ITEMS: Any = (5, "a", 'say "x"', "ä\n")
FLOATS = st.floats(width=32)


def ranking(codes: Any, scores: Any, items: Any = ITEMS) -> Answer:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return Answer(array, np.array(codes), None, None, np.array(scores))


def parts(rows: int) -> list[list[int]]:
    return [[rows], [1] * rows, *([[1, rows - 1]] if rows > 1 else [])]


def same(found: list[bytes], expected: list[Any], encoder: Encoder, answer: Answer) -> None:
    assert [msgspec.json.decode(row) for row in found] == msgspec.json.decode(msgspec.json.encode(expected))
    for counts in parts(answer.rows):
        left = iter(found)
        assert encoder.joined(answer, counts) == [b",".join(next(left) for _ in range(count)) for count in counts]


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=FLOATS), st.booleans())
def test_vectors(numbers: Any, named: bool) -> None:
    names = ["a", 'b "x"', "c\\", "ä"][: numbers.shape[1]] if named else []
    vectors = Vectors(names)
    encoder = Encoder((), vectors)
    answer = Answer(None, None, None, numbers)
    same(encoder.rows(answer), vectors.values(answer), encoder, answer)
    table = pa.ipc.open_stream(write_stream(answer, names, {})).read_all()
    column = table.column("prediction").to_pylist()
    flat = [list(row.values()) if named else row for row in column]
    np.testing.assert_array_equal(np.array(flat), numbers)


@given(st.integers(1, 5), st.integers(1, 4), st.data())
def test_rankings(rows: int, width: int, data: st.DataObject) -> None:
    codes = np.array([data.draw(st.permutations(range(4)))[:width] for _ in range(rows)], dtype=np.int64)
    scores = data.draw(arrays.arrays(np.float64, (rows, width), elements=FLOATS))
    for row in range(rows):
        there = data.draw(st.integers(0, width))
        codes[row, there:], scores[row, there:] = -1, np.nan
    answer = ranking(codes, scores)
    encoder = Encoder((), Rankings(ITEMS))
    found = encoder.rows(answer)
    same(found, ranked(answer, ITEMS), encoder, answer)
    assert all(len(json.loads(row)) == (one >= 0).sum() for row, one in zip(found, codes, strict=True))


def test_rankings_to_arrow_are_as_long_as_there_are_items() -> None:
    answer = ranking([[0, 1], [1, -1], [-1, -1]], [[0.9, 0.5], [0.7, np.nan], [np.nan, np.nan]], (7, 8))
    table = pa.ipc.open_stream(write_stream(answer, [], {"release": "1"})).read_all()
    assert table.column("prediction").to_pylist() == [
        [{"item": 7, "score": 0.9}, {"item": 8, "score": 0.5}], [{"item": 8, "score": 0.7}], [],
    ]  # fmt: skip
    assert answer.labels.tolist() == [[7, 8], [8, None], [None, None]]


@pytest.mark.parametrize("cut", [slice(0, 1), slice(1, 3)])
def test_a_part_of_a_ranking_is_a_ranking(cut: slice) -> None:
    answer = ranking([[0], [1], [-1]], [[1.0], [0.5], [np.nan]])
    part = answer.take(cut.start, cut.stop)
    assert ranked(part, ITEMS) == ranked(answer, ITEMS)[cut]
    picked = answer.pick([cut.start <= row < cut.stop for row in range(3)])
    assert ranked(picked, ITEMS) == ranked(answer, ITEMS)[cut]


@given(st.integers(1, 5), st.booleans(), st.data())
def test_labels_of_several_targets(rows: int, sure: bool, data: st.DataObject) -> None:
    output = Output(
        name="late,gate",
        kind="labels",
        classes=(False, True, *ITEMS),
        probabilities=sure,
        names=("late", 'ga"te'),
        width=2,
        sizes=(2, 4),
    )
    codes = np.array([[data.draw(st.integers(0, 1)), data.draw(st.integers(2, 5))] for _ in range(rows)])
    shares = data.draw(arrays.arrays(np.float64, (rows, 6), elements=FLOATS)) if sure else None
    answer = Answer(class_array(output.classes), codes, shares, None)
    labels = Labels(output)
    encoder = Encoder((), labels)
    same(encoder.rows(answer), labels.values(answer), encoder, answer)
    for row, found in enumerate(labels.values(answer)):
        expected: list[Any] = [output.classes[code] for code in codes[row]]
        if shares is not None:
            # A label whose own probability is no number is none.
            expected = [
                None if np.isnan(shares[row, code]) else label for code, label in zip(codes[row], expected, strict=True)
            ]
            assert list(found["probabilities"]["late"]) == ["false", "true"]
            assert list(found["probabilities"]['ga"te']) == ["5", "a", 'say "x"', "\u00e4\n"]
            said = [share for one in found["probabilities"].values() for share in one.values()]
            np.testing.assert_array_equal(said, shares[row])
        assert found["label"] == dict(zip(output.names, expected, strict=True))


def test_labels_of_several_targets_in_arrow() -> None:
    output = Output(
        name="a,b", kind="labels", classes=(1, 2, "x", "y"), probabilities=True, names=("a", "b"), width=2, sizes=(2, 2)
    )
    shares = np.array([[0.9, 0.1, 0.2, 0.8], [np.nan, 0.1, 1.0, 0.0]])
    answer = Answer(class_array(output.classes), np.array([[0, 3], [0, 2]]), shares, None)
    table = pa.ipc.open_stream(write_stream(answer, [], {"release": "1"}, Labels(output))).read_all()
    assert table.column("label").to_pylist() == [{"a": 1, "b": "y"}, {"a": None, "b": "x"}]
    assert table.column("probabilities").to_pylist()[0] == {"a": {"1": 0.9, "2": 0.1}, "b": {"x": 0.2, "y": 0.8}}
    assert table.schema.metadata == {b"release": b"1"}
    strange = Answer(answer._classes, np.array([[0, 3], [-1, 2], [1, 9]]), None, None)
    assert [msgspec.json.decode(row)["label"] for row in Labels(output).rows(strange)] == [
        {"a": 1, "b": "y"}, {"a": None, "b": "x"}, {"a": 2, "b": None},
    ]  # fmt: skip
    alone = Answer(answer._classes, answer.codes, None, None)
    assert pa.ipc.open_stream(write_stream(alone, [], {}, Labels(output))).read_all().column_names == ["label"]
