"""Answers to JSON: in value what `predictions` gives, and valid JSON whatever the model answered."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.graphs.runner import Answer
from plusone.predictor.encode import Encoder, key_of

CLASSES: list[tuple[Any, ...]] = [
    (False, True),
    (0, 1, 2),
    (-1.5, 0.5),
    ("no", "yes"),
    ('say "no"', "back\\slash", "ä\n", ""),
    tuple(range(300)),
]


def predictions(classes: tuple[Any, ...], answer: Answer) -> list[Any]:
    """The same, the plain way."""
    if answer.codes is None:
        return answer.numbers.tolist()
    labels = [classes[code] for code in answer.codes.tolist()]
    if answer.probabilities is None:
        return [{"label": label} for label in labels]
    keys = [key_of(label) for label in classes]
    return [
        {
            "label": None if any(map(math.isnan, shares)) else label,
            "probabilities": dict(zip(keys, shares, strict=True)),
        }
        for label, shares in zip(labels, answer.probabilities.tolist(), strict=True)
    ]


@pytest.mark.parametrize("classes", CLASSES, ids=lambda classes: str(classes)[:20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_what_predictions_are(classes: tuple[Any, ...], dtype: Any) -> None:
    shares = np.random.default_rng(0).dirichlet([0.1] * len(classes), 70).astype(dtype)
    shares[0, 0], shares[1, -1] = np.nan, np.inf
    array = np.array(classes, dtype=object)
    for answer in (
        Answer(array, shares.argmax(axis=1), shares, None),
        Answer(array, shares.argmax(axis=1), None, None),
        Answer(None, None, None, shares[:, 0]),
    ):
        found = Encoder(classes).rows(answer)
        assert [msgspec.json.decode(row) for row in found] == [
            msgspec.json.decode(msgspec.json.encode(prediction)) for prediction in predictions(classes, answer)
        ]
        assert Encoder(classes).rows(answer.take(3, 5)) == found[3:5]
        for counts in ([1] * 70, [70], [1, 32, 5, 1, 31]):
            places = [sum(counts[:place]) for place in range(len(counts) + 1)]
            joined = [b",".join(found[start:stop]) for start, stop in pairwise(places)]
            assert Encoder(classes).joined(answer, counts) == joined
        assert Encoder(classes).joined(answer.take(3, 9), [4, 2]) == [b",".join(found[3:7]), b",".join(found[7:9])]


@given(st.data())
def test_joined_rows_are_the_bytes_of_single_ones(data: st.DataObject) -> None:
    labels: Any = st.one_of(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(-1e9, 1e9))
    classes = tuple(data.draw(st.lists(labels, min_size=1, max_size=4, unique_by=lambda label: (type(label), label))))
    counts = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    total = sum(counts)
    shares = np.array(
        data.draw(st.lists(st.floats(), min_size=total * len(classes), max_size=total * len(classes)))
    ).reshape(total, len(classes))
    codes = np.array(data.draw(st.lists(st.integers(0, len(classes) - 1), min_size=total, max_size=total)))
    array = np.empty(len(classes), dtype=object)
    array[:] = classes
    encoder = Encoder(classes)
    for answer in (Answer(array, codes, shares, None), Answer(array, codes, None, None)):
        pieces = iter(encoder.rows(answer))
        expected = [b",".join(next(pieces) for _ in range(count)) for count in counts]
        assert encoder.joined(answer, counts) == expected


def test_a_class_that_is_none_is_null() -> None:
    answer = Answer(np.array(["no", "yes"], dtype=object), np.array([1, 2, -1]), None, None)
    assert Encoder(("no", "yes")).rows(answer) == [b'{"label":"yes"}', b'{"label":null}', b'{"label":null}']


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_what_is_not_finite_is_null(numbers: list[float]) -> None:
    found = Encoder(()).rows(Answer(None, None, None, np.array(numbers)))
    for row, number in zip(found, numbers, strict=True):
        value = json.loads(row, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert value == (number if np.isfinite(number) else None)
