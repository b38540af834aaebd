from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plusone.base.errors import UsageError
from plusone.measuring.slicing import MOST, crossed, sliceable, sliced

DAYS = [dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=place) for place in range(40)]


def table(values: Any) -> pa.Table:
    return pa.table({"a": values})


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["JFK", "LGA", None, "EWR"] * 10, ("a = 'EWR'", "a = 'JFK'", "a = 'LGA'", "a missing")),
        ([True, False] * 20, ("a = False", "a = True")),
        (pa.array(["b", "c"] * 20).dictionary_encode(), ("a = 'b'", "a = 'c'")),
        (np.arange(40) * 1.5, ("a 0 to 13.5", "a 15 to 28.5", "a 30 to 43.5", "a 45 to 58.5")),
        ([float("nan"), 1.0, 2.0, 3.0] * 10, ("a = 1.0", "a = 2.0", "a = 3.0", "a missing")),
        (pa.nulls(40, pa.float64()), ("a missing",)),
    ],
)
def test_categories_ranges_and_missing_values_make_slices(values: Any, labels: tuple[str, ...]):
    found = sliced(table(values), "a")
    assert found.labels == labels
    assert np.bincount(found.codes, minlength=len(labels)).min() >= 10
    assert (found.codes >= 0).all()


@pytest.mark.parametrize(
    "values",
    [
        [day.date() for day in DAYS],
        DAYS,
        pa.array(DAYS, pa.timestamp("ns", "UTC")),
        [dt.timedelta(seconds=place) for place in range(40)],
        [dt.time(place % 24, place) for place in range(40)],
        pa.array(np.arange(40, dtype=np.float16)),
        pa.array(range(40)).cast(pa.decimal128(30, 2)),
        [float("inf")] * 4 + [float(place) for place in range(36)],
    ],
    ids=["date", "timestamp", "nanoseconds", "duration", "time", "half", "decimal", "infinity"],
)
def test_what_has_an_order_is_cut_into_quarters(values: Any):
    found = sliced(table(values), "a")
    assert len(found.labels) == 4
    assert np.bincount(found.codes).tolist() == pytest.approx([10, 10, 10, 10], abs=5)
    assert all(label.startswith("a ") and " to " in label for label in found.labels)


def test_slices_of_two_columns():
    both = crossed(sliced(table(["x", "y"] * 20), "a"), sliced(table([True, True, False, False] * 10), "a"))
    assert both.labels == ("a = 'x', a = False", "a = 'x', a = True", "a = 'y', a = False", "a = 'y', a = True")
    assert both.rows(1).sum() == 10


def test_rare_categories_of_many_are_in_no_slice():
    found = sliced(table([f"c{min(place, 80)}" for place in range(400)]), "a")
    assert len(found.labels) == MOST
    assert "a = 'c80'" in found.labels
    assert (found.codes == -1).sum() == 80 - (MOST - 1)


def test_columns_that_make_no_slices_are_refused():
    lists = pa.table({"a": [[1.0, 2.0]] * 3, "b": pa.nulls(3)})
    assert not sliceable(lists, "a")
    with pytest.raises(UsageError, match="slices are made by numbers"):
        sliced(lists, "a")
    with pytest.raises(UsageError, match="of type null"):
        sliced(lists, "b")
    with pytest.raises(UsageError, match="no column 'c'"):
        sliced(lists, "c")
