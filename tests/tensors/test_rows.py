"""Small requests by the short way: the same rows as by the long one, and nothing that the long one refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plusone.base.errors import InvalidInput
from plusone.predictor import Predictor
from plusone.protocols.inference import Infer, read_infer
from plusone.tensors import rows
from tests.protocols.asking import binary_body, json_body

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def asked(flights: pd.DataFrame) -> Rows:
    """Rows with and without missing values."""
    return json.loads(flights.drop(columns="target").head(60).to_json(orient="records") or "")


def long_way(monkeypatch: pytest.MonkeyPatch, predictor: Predictor, body: bytes, length: int | None) -> Infer:
    """Read a request with the short way closed."""
    with monkeypatch.context() as patch:
        patch.setattr(rows, "SMALL", 0)
        return read_infer(predictor, body, length)


def same(one: Infer, other: Infer) -> bool:
    """Whether two requests have the same columns."""
    pairs = [(one.columns.feeds[name], other.columns.feeds[name]) for name in other.columns.feeds]
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") and a.shape == b.shape and a.dtype == b.dtype
        for a, b in pairs
    )


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 60])
def test_both_ways_read_the_same(monkeypatch: pytest.MonkeyPatch, late: Predictor, asked: Rows, count: int) -> None:
    flat, nested = (json_body(late, asked[:count], nested=nested) for nested in (False, True))
    binary, length = binary_body(late, asked[:count])
    for body, said in ((flat, None), (nested, None), (binary, length)):
        short = read_infer(late, body, said)
        assert short.read.rows is not None
        assert (short.read.count, len(short.read.rows)) == (count, count)
        slow = long_way(monkeypatch, late, body, said)
        assert slow.read.rows is None
        assert slow.read.count == count
        assert same(short, slow)


def test_many_rows_go_the_long_way(minutes: Predictor) -> None:
    few, many = (
        read_infer(minutes, json_body(minutes, [{"x": 0.5}] * count), None) for count in (rows.SMALL, rows.SMALL + 1)
    )
    assert few.read.rows is not None
    assert many.read.rows is None
    assert many.read.count == rows.SMALL + 1


def test_integers_and_truths_that_may_be_missing_come_as_floats(
    monkeypatch: pytest.MonkeyPatch, gaps: Predictor
) -> None:
    def body(i: Sequence[Any], t: Sequence[Any], kind: str = "FP64") -> bytes:
        tensors = [("i", kind, i), ("t", kind, t)]
        inputs = [{"name": n, "datatype": k, "shape": [len(d)], "data": list(d)} for n, k, d in tensors]
        return json.dumps({"inputs": inputs}).encode()

    short = read_infer(gaps, body([3.0, None, 4], [1.0, 0, None]), None)
    assert short.read.rows == [(3, True), (None, False), (4, None)]
    assert same(short, long_way(monkeypatch, gaps, body([3.0, None, 4], [1.0, 0, None]), None))
    for i, t in (([3.5], [1]), ([3], [0.5]), ([3], [2])):
        with pytest.raises(InvalidInput, match="does not fit"):
            read_infer(gaps, body(i, t), None)


VALUES = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False)
LISTS = st.lists(VALUES | st.text(max_size=3) | st.lists(VALUES, max_size=2), min_size=1, max_size=2)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.fixed_dictionaries({"i": LISTS, "t": LISTS}),
    kinds=st.fixed_dictionaries({name: st.sampled_from(["FP64", "FP32", "INT64", "BOOL"]) for name in ("i", "t")}),
    tall=st.booleans(),
)
def test_both_ways_take_and_refuse_the_same(
    monkeypatch: pytest.MonkeyPatch, gaps: Predictor, data: dict[str, list[Any]], kinds: dict[str, str], tall: bool
) -> None:
    inputs = [
        {"name": name, "datatype": kinds[name], "shape": [len(values), 1] if tall else [len(values)], "data": values}
        for name, values in data.items()
    ]
    body = json.dumps({"inputs": inputs}).encode()
    found: list[Infer | None] = []
    for read in (lambda: read_infer(gaps, body, None), lambda: long_way(monkeypatch, gaps, body, None)):
        try:
            found.append(read())
        except InvalidInput:
            found.append(None)
    short, slow = found
    assert (short is None) == (slow is None)
    if short is not None and slow is not None:
        assert same(short, slow)
        assert not any(math.isinf(value) for value in next(iter(slow.columns.feeds.values())).ravel())
