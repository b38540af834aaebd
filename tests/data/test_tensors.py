"""Arrays as columns of tensors, and back; lists of one length; what is neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plusone.base.errors import UnsafeValue
from plusone.data.profile import profile
from plusone.data.tables import to_arrow
from plusone.data.tensors import full, read_lists, rows_of, shape_of, tabled, to_arrays, to_table

KEPT = st.sampled_from([np.float32, np.float64, np.uint8, np.int64])


@given(
    KEPT.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=2, max_dims=4, max_side=4))), st.integers(0, 3)
)
def test_an_array_comes_back_as_it_was(array: Any, start: int):
    table = to_table({"x": array, "n": np.arange(len(array))})
    assert shape_of(table.schema.field("x").type) == array.shape[1:]
    cut = table.slice(start)
    for found, wanted in zip(to_arrays(cut).values(), (array[start:], np.arange(len(array))[start:]), strict=True):
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted, equal_nan=wanted.dtype.kind == "f")


@pytest.mark.parametrize(
    ("kind", "wanted"), [("float16", "float32"), ("bool", "uint8"), ("int8", "int64"), ("uint32", "int64")]
)
def test_other_dtypes_are_cast(kind: str, wanted: str):
    assert rows_of(to_table({"x": np.ones((2, 3), dtype=kind)}).column("x")).dtype == wanted


@pytest.mark.parametrize(
    "array",
    [
        np.full((2, 2), 2**64 - 1, dtype=np.uint64),
        np.array([["a", "b"]]),
        np.ones((2, 2), dtype=complex),
        np.ones((2, 0)),
        np.array(1.0),
    ],
)
def test_what_no_tensor_holds_is_an_error(array: Any):
    with pytest.raises(UnsafeValue, match="'x'"):
        to_table({"x": array})


def test_arrays_of_different_lengths_are_an_error():
    with pytest.raises(UnsafeValue, match="'y' has 3 rows, 'x' has 2"):
        to_table({"x": np.ones(2), "y": np.ones(3)})
    assert to_arrow({"x": np.ones(2)}).num_rows == 2


NESTED = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(NESTED),
        pa.array(NESTED, pa.list_(pa.list_(pa.int64(), 2), 2)),
        pa.array(NESTED, pa.large_list(pa.list_(pa.float32()))),
        pa.array([[1, 2, 3, 4], [5, 6, 7, 8]], pa.list_(pa.int64(), 4)),
        pa.array([*NESTED, NESTED[0]]).slice(0, 2),
        pa.chunked_array([pa.array(NESTED[:1]), pa.array(NESTED[1:])]),
        pl.DataFrame({"x": NESTED}).to_arrow().column("x"),
    ],
)
def test_lists_are_read_as_tensors(column: Any):
    values, bad = read_lists(column, (2, 2))
    assert np.array_equal(values, NESTED)
    assert not bad.any()


def test_rows_of_another_shape_are_named():
    values, bad = read_lists(pa.array([NESTED[0], None, [[1, 2]], [[1], [2, 3]], [None, [1, 2]], NESTED[1]]), (2, 2))
    assert bad.tolist() == [False, True, True, True, True, False]
    assert np.array_equal(values[[0, 5]], NESTED)
    assert read_lists(pa.array([["a"]]), (1,))[1].tolist() == [True]
    assert read_lists(pa.array([1.0]), (1,))[1].tolist() == [True]
    assert read_lists(to_table({"x": np.ones((2, 3))}).column("x"), (4,))[1].tolist() == [True, True]


def test_a_table_with_lists_of_one_length_has_tensors():
    frame = pd.DataFrame({"x": [[1.0, 2.0], [3.0, 4.0]], "y": [1, 2], "free": [[1], [2, 3]]})
    table = tabled(pa.Table.from_pandas(frame), ["x", "y"])
    assert shape_of(table.schema.field("x").type) == (2,)
    assert np.array_equal(rows_of(table.column("x")), [[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(UnsafeValue, match=r"'free' holds lists of shape \[1\] and in row 1"):
        tabled(pa.Table.from_pandas(frame), ["free"])


def test_full_is_a_column_of_one_value():
    kind = to_table({"x": np.ones((1, 2, 2), dtype=np.uint8)}).schema.field("x").type
    assert np.array_equal(rows_of(full(kind, 3, 2)), np.full((2, 2, 2), 3))


def test_the_profile_of_tensors_is_over_all_values():
    array = np.array([[[1.0, 2.0]], [[3.0, np.nan]]])
    found = profile(to_table({"x": array}))["x"]
    assert found == {
        "type": "double",
        "shape": [1, 2],
        "count": 2,
        "nulls": 0,
        "minimum": 1.0,
        "maximum": 3.0,
        "mean": 2.0,
        "deviation": pytest.approx(np.sqrt(2 / 3)),
        "missing": 0.25,
    }
    assert profile(to_table({"x": np.full((1, 2), np.nan)}))["x"]["missing"] == 1.0
