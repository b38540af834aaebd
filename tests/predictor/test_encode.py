"""Answers to JSON: in value what `predictions` gives, and valid JSON whatever the model answered."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.formats.runner import Answer
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


def test_a_class_that_is_none_is_null() -> None:
    answer = Answer(np.array(["no", "yes"], dtype=object), np.array([1, 2, -1]), None, None)
    assert Encoder(("no", "yes")).rows(answer) == [b'{"label":"yes"}', b'{"label":null}', b'{"label":null}']


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_what_is_not_finite_is_null(numbers: list[float]) -> None:
    found = Encoder(()).rows(Answer(None, None, None, np.array(numbers)))
    for row, number in zip(found, numbers, strict=True):
        value = json.loads(row, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert value == (number if np.isfinite(number) else None)
