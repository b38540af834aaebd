"""The profile's numbers are those that numpy and a pencil give."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.data.datasets import to_arrow
from plusone.data.profile import profile


def column(values: Any, kind: Any = None) -> dict[str, Any]:
    return profile(pa.table({"x": values if isinstance(values, pa.Array) else pa.array(values, kind)}))["x"]


def test_a_column_by_hand() -> None:
    # 1, 2, 3, 4 and one null: mean 2.5, deviation sqrt(5 / 3), median 2.5, first quartile 1 + 0.25 * 3 = 1.75
    found = column([4, 1, None, 3, 2])
    assert (found["type"], found["count"], found["nulls"]) == ("int64", 5, 1)
    assert (found["minimum"], found["maximum"], found["mean"]) == (1.0, 4.0, 2.5)
    assert found["deviation"] == pytest.approx((5 / 3) ** 0.5)
    assert found["quantiles"]["0.5"] == 2.5
    assert found["quantiles"]["0.25"] == 1.75


@settings(max_examples=40)
@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=2, max_size=60))
def test_numbers_are_those_of_numpy(values: list[float]) -> None:
    found = column(values, pa.float64())
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert found["deviation"] == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-3)
    for name, value in found["quantiles"].items():
        assert value == pytest.approx(np.quantile(values, float(name)), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 2), pa.decimal256(50, 2)]
)
def test_every_kind_of_number_has_the_same_summary(kind: pa.DataType) -> None:
    values = [np.float16(one) for one in (1, 2, 4)] if kind == pa.float16() else [1, 2, 4]
    found = column(pa.array(values, kind))
    assert (found["minimum"], found["maximum"], found["quantiles"]["0.5"]) == (1.0, 4.0, 2.0)
    assert found["mean"] == pytest.approx(7 / 3)


def test_nan_counts_as_null_and_infinity_hides_only_what_it_spoils() -> None:
    found = column([1.0, float("nan"), None, 3.0])
    assert (found["nulls"], found["mean"]) == (2, 2.0)
    found = column([1.0, 2.0, 3.0, float("inf")])
    assert (found["minimum"], found["maximum"], found["mean"], found["deviation"]) == (1.0, None, None, None)
    assert found["quantiles"]["0.5"] == 2.5
    assert found["quantiles"]["0.99"] is None
    assert column([float("inf"), float("-inf")])["mean"] is None


@pytest.mark.parametrize(
    "values",
    [
        pa.array([float("nan")] * 2),
        *(pa.nulls(3, kind) for kind in (pa.null(), pa.float64(), pa.string(), pa.bool_(), pa.date32())),
        *(pa.array([], kind) for kind in (pa.int8(), pa.timestamp("us"), pa.string())),
    ],
)
def test_a_column_without_values_has_counts_alone(values: pa.Array) -> None:
    found = column(values)
    assert set(found) == {"type", "count", "nulls"}
    assert found["count"] == found["nulls"] == len(values)


def test_one_value_has_no_spread() -> None:
    found = column([7])
    assert found["deviation"] == 0.0
    assert set(found["quantiles"].values()) == {7.0}


def test_words_are_counted_the_most_frequent_first_then_by_the_alphabet() -> None:
    words = ["b"] * 2 + ["a"] * 2 + ["c"] * 3 + [None] + [f"w{n:02}" for n in range(40)]
    for values in (
        pa.array(words),
        pa.array(words).dictionary_encode(),
        pa.array(words, pa.large_string()),
        pa.array(words, pa.string_view()),
    ):
        found = column(values)
        assert (found["distinct"], found["nulls"]) == (43, 1)
        assert list(found["top"].items())[:4] == [("c", 3), ("a", 2), ("b", 2), ("w00", 1)]
        assert len(found["top"]) == 20
    assert column([True, False, None, True])["top"] == {"True": 2, "False": 1}


TIMES = {
    "day": (pa.array([dt.date(2020, 1, 2), dt.date(2019, 5, 1)]), "2019-05-01", "2020-01-02"),
    "time": (pa.array([dt.time(3), dt.time(1)]), "01:00:00", "03:00:00"),
    "zone": (pa.array([0], pa.timestamp("s", tz="Europe/Berlin")), "1970-01-01 01:00:00+01:00", None),
    "nanoseconds": (pa.array([1], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001", None),
    "duration": (pa.array([90, 5], pa.duration("s")), "0:00:05", "0:01:30"),
    "year 3 billion": (pa.array([10**17], pa.timestamp("s")), "100000000000000000 (timestamp[s] since 1970)", None),
    "far day": (pa.array([10**8], pa.date32()), "100000000 (date32[day] since 1970)", None),
}


@pytest.mark.parametrize("name", TIMES)
def test_times_have_their_ends_as_text(name: str) -> None:
    values, minimum, maximum = TIMES[name]
    found = column(values)
    assert (found["minimum"], found["maximum"]) == (minimum, maximum or minimum)


def test_every_other_type_has_counts() -> None:
    table = pa.table({"l": [[1]], "s": [{"a": 1}], "b": [b"x"], "i": pa.array([pa.MonthDayNano([1, 2, 3])]),
                      "r": pa.RunEndEncodedArray.from_arrays([1], [5])})  # fmt: skip
    assert [one["count"] for one in profile(table).values()] == [1] * 5


def test_a_profile_is_plain_json_for_any_frame() -> None:
    frames = [
        pd.DataFrame({"a": [1.5, np.inf], "d": [decimal.Decimal("1.5"), None], "c": pd.Categorical([2, 1])}),
        pl.DataFrame({"c": pl.Series(["x", "y"], dtype=pl.Categorical), "t": [dt.datetime(2020, 1, 1), None]}),  # noqa: DTZ001  frames hold such times
        pd.DataFrame(),
    ]
    for frame in frames:
        found = profile(to_arrow(frame))
        assert msgspec.json.decode(msgspec.json.encode(found)) == found
