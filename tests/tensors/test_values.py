"""The values of one tensor: what goes in as a list or as bytes comes out as it was, or is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import InvalidInput
from plusone.base.records import Field
from plusone.tensors.values import DTYPES, FLOATS, INTEGERS, read_binary, read_list

INTEGER = Field(name="f", dtype="int64")
NUMBER = Field(name="f", dtype="float64", nullable=True)
TRUTH = Field(name="f", dtype="bool", nullable=True)
TEXT = Field(name="f", dtype="string", nullable=True)


def listed(kind: str, data: list[Any], field: Field, missing: str | None = None) -> list[Any]:
    return read_list("f", kind, data, len(data), field, missing).tolist()


def packed(kind: str, data: bytes, rows: int, field: Field, missing: str | None = None) -> list[Any]:
    return read_binary("f", kind, data, rows, field, missing).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("kind", INTEGERS)
@given(data=st.data())
def test_integers_are_taken_within_their_type(kind: str, data: st.DataObject) -> None:
    bounds = np.iinfo(DTYPES[kind])
    most = min(int(bounds.max), 2**63 - 1)
    values = data.draw(st.lists(st.integers(int(bounds.min), most), min_size=1, max_size=5))
    assert listed(kind, values, INTEGER) == values
    assert packed(kind, np.array(values, dtype=DTYPES[kind]).tobytes(), len(values), INTEGER) == values
    for beyond in (int(bounds.min) - 1, most + 1):
        with pytest.raises(InvalidInput, match=f"value {len(values)}: {beyond} does not fit"):
            listed(kind, [*values, beyond], INTEGER)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLOATS)
@given(data=st.data())
def test_floats_are_taken_as_the_type_has_them(kind: str, data: st.DataObject) -> None:
    floats = {"FP16": st.floats(width=16), "FP32": st.floats(width=32), "FP64": st.floats()}[kind]
    values = data.draw(st.lists(floats.filter(lambda value: not math.isinf(value)), min_size=1, max_size=5))
    nulls = [None if math.isnan(value) else value for value in values]
    np.testing.assert_array_equal(listed(kind, nulls, NUMBER), values)
    raw = np.array(values, dtype=DTYPES[kind]).tobytes()
    np.testing.assert_array_equal(packed(kind, raw, len(values), NUMBER), values)


@given(st.lists(st.none() | st.text(max_size=5), min_size=1, max_size=5))
def test_strings_are_taken_as_they_are(values: list[str | None]) -> None:
    assert listed("BYTES", values, TEXT) == values
    named = ["\ue001" if value is None else value for value in values]
    assert listed("BYTES", named, TEXT, "\ue001") == values
    texts = [value.encode() for value in named]
    raw = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    assert packed("BYTES", raw, len(values), TEXT, "\ue001") == values
    assert packed("BYTES", raw, len(values), TEXT) == named


def test_truths_are_true_false_or_missing() -> None:
    assert listed("BOOL", [True, False], TRUTH) == [True, False]
    assert listed("BOOL", [True, None], TRUTH) == [True, None]
    assert packed("BOOL", b"\0\1", 2, TRUTH) == [False, True]
    assert listed("FP32", [1, 0.0, None], TRUTH) == [True, False, None]
    assert packed("FP64", np.array([1.0, 0.0]).tobytes(), 2, TRUTH) == [True, False]
    with pytest.raises(InvalidInput, match=r"value 1: 0\.5 does not fit: expected 0\.0, 1\.0 or NaN"):
        listed("FP64", [1, 0.5], TRUTH)


def test_integers_for_a_field_of_floats_are_those_that_it_holds() -> None:
    assert listed("INT64", [2**53, -(2**53)], NUMBER) == [2.0**53, -(2.0**53)]
    assert listed("INT64", [1, None], NUMBER)[0] == 1.0
    with pytest.raises(InvalidInput, match=r"9007199254740993 does not fit: expected an integer that a float64 holds"):
        listed("INT64", [1, 2**53 + 1], NUMBER)
    with pytest.raises(InvalidInput, match="18446744073709551615 does not fit"):
        packed("UINT64", b"\xff" * 8, 1, INTEGER)


def test_integers_written_as_floats_are_integers() -> None:
    assert listed("INT64", [3.0, 2**53 + 1], INTEGER) == [3, 2**53 + 1]
    for wrong in (3.5, 1e300, True, "3"):
        with pytest.raises(InvalidInput, match="value 0"):
            listed("INT64", [wrong], INTEGER)


@given(kind=st.sampled_from([*DTYPES, "BYTES"]), raw=st.binary(max_size=24), rows=st.integers(1, 2**66))
def test_any_bytes_are_values_or_refused(kind: str, raw: bytes, rows: int) -> None:
    for field in (INTEGER, NUMBER, TEXT):
        if (kind == "BYTES") != (field is TEXT) or kind == "BOOL":
            continue
        try:
            assert len(read_binary("f", kind, raw, rows, field, None)) == rows
        except InvalidInput:
            continue
