"""Units: what is the same in another unit is found and named, whatever the season does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plusone.data.views import TableView
from plusone.expectations.comparing import pair_of
from plusone.expectations.units import line, units
from tests.expectations.made import change, clean, month

BEFORE, NOW = clean(90), clean(120)


def told(now, before=BEFORE) -> dict[str, str]:
    return {one.column: one.message for one in units(pair_of(now, before)) if one.level == "fail"}


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy(zero_copy_only=False).astype(np.float64)


def test_the_line_by_hand():
    x = np.arange(1.0, 1001.0)
    before, now = (TableView(pa.table({"x": one})).columns["x"] for one in (x, 3 * x + 7))
    found = line(now, before)
    assert found is not None
    assert found == pytest.approx((3.0, 7.0, 1.0))


def test_a_month_more_is_no_other_unit():
    assert told(NOW) == {}
    for number in range(1, 12):
        assert told(month(number + 1), month(number)) == {}


@pytest.mark.parametrize(
    ("name", "slope", "offset", "said"),
    [
        ("temp", 5 / 9, -160 / 9, "Fahrenheit to Celsius"),
        ("temp", 1.0, 273.15, ""),
        ("distance", 1.609344, 0.0, "miles to kilometres"),
        ("distance", 0.869, 0.0, ""),
        ("distance", 0.001, 0.0, "ones to thousands"),
    ],
)
def test_another_unit_of_the_past_is_found_and_named(name: str, slope: float, offset: float, said: str):
    found = told(change(NOW, name, numbers(NOW, name) * slope + offset))
    # A mere offset is a shift of the past, which is another check's.
    assert (name in found) == (slope != 1.0)
    assert said in found.get(name, "")


@pytest.mark.parametrize(("slope", "said"), [(1000.0, "thousands to ones"), (0.01, "percent to shares")])
def test_without_a_common_past_a_plain_factor_is_found(slope: float, said: str):
    now = month(2)
    assert said in told(change(now, "distance", numbers(now, "distance") * slope), month(1))["distance"]


def test_new_rows_alone_in_another_unit_are_found():
    values = numbers(NOW, "distance")
    values[BEFORE.num_rows :] *= 1.609344
    assert "among rows that are new" in told(change(NOW, "distance", values))["distance"]


def test_times_of_the_day_that_are_counted_otherwise():
    clock = numbers(NOW, "sched_dep_time")
    minutes = clock // 100 * 60 + clock % 100
    assert "minutes of the day" in told(change(NOW, "sched_dep_time", minutes))["sched_dep_time"]
    assert "holds hours now" in told(change(NOW, "sched_dep_time", clock / 100))["sched_dep_time"]
