"""Tables as checks look at them: one kind for each column, whatever type it has."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from plusone.data.views import DAY, TableView, words_of
from tests.expectations.hostile import tables, weird


def view(values, kind=None):
    column = values if isinstance(values, pa.Array) else pa.array(values, kind)
    return TableView(pa.table({"x": column})).columns["x"]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None], pa.int8(), "number"),
        ([1.5, None], pa.float16(), "number"),
        ([Decimal("1.5"), None], pa.decimal128(5, 1), "number"),
        ([dt.timedelta(1), None], pa.duration("ms"), "number"),
        ([None, None], pa.null(), "number"),
        ([True, None], pa.bool_(), "truth"),
        (["a", None], pa.string(), "word"),
        (["a", None], pa.large_string(), "word"),
        (["a", None], pa.string_view(), "word"),
        (["a", None], pa.dictionary(pa.int8(), pa.string()), "word"),
        ([dt.date(1970, 1, 2), None], pa.date32(), "moment"),
        ([dt.date(1970, 1, 2), None], pa.date64(), "moment"),
        ([dt.time(1), None], pa.time32("s"), "number"),
        ([[1], None], pa.list_(pa.int64()), "other"),
        ([b"a", None], pa.binary(), "other"),
    ],
)
def test_the_kind_of_a_column(values, kind, expected: str):
    found = view(values, kind)
    assert found.kind == expected
    assert found.nulls == sum(value is None for value in values)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_are_in_microseconds_whatever_their_unit_and_zone(unit: str):
    for zone in (None, "Europe/Berlin"):
        assert (
            view(
                [DAY // 10**6 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]], pa.timestamp(unit, zone)
            ).values
            == DAY
        )
    assert view([dt.date(1970, 1, 2)]).values == DAY


def test_nan_is_missing_and_infinity_is_not():
    found = view([1.0, np.nan, np.inf, None])
    assert (found.nulls, found.infinite, found.values.tolist()) == (2, 1, [1.0])


def hashes(values, kind=None) -> list[int]:
    found = view(values, kind).hashes
    assert found is not None
    return found.tolist()


def test_equal_values_have_equal_hashes_in_any_type():
    assert hashes([1, 2]) == hashes([1.0, 2.0])
    assert hashes([0.0]) == hashes([-0.0])
    assert hashes([float("nan")]) == hashes([None], pa.float64())
    assert hashes(["a", "b"]) == hashes(["b", "a"], pa.dictionary(pa.int8(), pa.string()))[::-1]
    assert len(set(hashes(range(100_000)))) == 100_000
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12.0).reshape(3, 2, 2))
    assert len(set(hashes(tensor))) == 3


def test_shares_and_quantiles_by_hand():
    found = view([1.0, 2.0, 2.0, 10.0])
    assert found.within(2, 10) == 0.75
    assert found.within(3, 9) == 0.0
    assert found.quantiles(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 2.0, 10.0]
    assert found.ends == (1.0, 10.0)


@pytest.mark.parametrize("name", weird())
def test_all_of_a_weird_table_can_be_looked_at(name: str):
    look(weird()[name])


@settings(max_examples=100, deadline=None)
@given(tables())
def test_all_of_any_table_can_be_looked_at(table: pa.Table):
    look(table)


def look(table: pa.Table) -> None:
    found = TableView(table)
    half = np.arange(found.rows) % 2 == 0
    for part in (found, found.take(half)):
        for column in part:
            assert len(column.present) == column.rows == part.rows
            assert 0 <= column.nulls <= column.rows
            assert column.distinct <= column.rows
            assert column.whole in (True, False)
            assert sum(column.counts.values()) in (0, column.rows - column.nulls)
            assert column.hashes is None or len(column.hashes) == part.rows
        hashes = part.hashes()
        assert hashes is None or len(hashes) == part.rows
        assert part.clock is None or part.clock.kind == "moment"


def test_bytes_that_are_no_text_are_shown_as_such():
    assert words_of(b"a\xff") == "a\\xff"
    assert words_of(True) == "True"


@pytest.mark.parametrize(("kind", "large"), [(pa.int64(), 2**60), (pa.int64(), 2**63 - 4), (pa.uint64(), 2**64 - 4)])
def test_integers_that_no_float_equals_are_told_apart(kind, large):
    column = pa.array([large, large + 1, large + 1, None, 0], kind)
    hashed = TableView(pa.table({"id": column})).hashes()
    assert hashed is not None
    assert len(set(hashed.tolist())) == 4
    assert hashed[1] == hashed[2]
    view = TableView(pa.table({"id": column})).columns["id"]
    taken = view.take(np.array([False, True, True, False, True])).hashes
    assert view.hashes is not None
    assert taken is not None
    assert taken.tolist() == view.hashes[[1, 2, 4]].tolist()


def test_what_a_float_equals_is_the_same_in_any_type():
    ints = TableView(pa.table({"id": pa.array([2**60, 2**60 + 1, 3], pa.int64())})).hashes()
    floats = TableView(pa.table({"id": pa.array([2.0**60, 1.0, 3.0])})).hashes()
    assert ints is not None
    assert floats is not None
    assert (ints == floats).tolist() == [True, False, True]
