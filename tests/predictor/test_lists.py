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

from plusone.graphs.runner import Answer
from plusone.predictor.arrow import write_stream
from plusone.predictor.encode import Encoder
from plusone.predictor.lists import Rankings, Vectors, ranked

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
