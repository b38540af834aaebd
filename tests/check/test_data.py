"""Checks of any dataframe: what they pass, what they say of what is wrong, and that nothing breaks them."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, recording
from tests.expectations.hostile import tables, weird

FLIGHTS = pa.table(
    {
        "carrier": ["UA", "AA", None, "ua"],
        "distance": [80, 100, 4983, -1],
        "temp": [10.5, None, float("nan"), 1000.0],
        "late": [True, False, True, None],
        "date": [dt.date(2013, 1, 1), dt.date(2013, 1, 2), dt.date(2013, 1, 5), dt.date(2013, 1, 6)],
    }
)


def said(function, *arguments: Any, **options: Any) -> str:
    """What a check that fails says; '' for one that passes. Either way it is recorded."""
    with recording() as measured:
        message = ""
        try:
            function(*arguments, **options)
        except CheckFailed as error:
            message = str(error)
    assert measured[-1]["check"] == function.__name__
    assert (measured[-1]["outcome"], measured[-1]["message"]) == ("failed" if message else "passed", message)
    return message


@pytest.mark.parametrize(
    "flavour", [pa.table, lambda table: table.to_pandas(), pl.from_arrow, lambda table: table.to_pylist()]
)
def test_any_dataframe_does(flavour):
    table = flavour(FLIGHTS.select(["distance", "date"]))
    assert said(check.columns, table, {"distance": "integer", "date": "time"}) == ""
    assert said(check.between, table, "distance", 0) == "distance: 1 of 4 values are not 0 or more: -1 (row 3)"


def test_columns():
    kinds = {"carrier": "text", "distance": "integer", "temp": "number", "late": "truth", "date": "time"}
    assert said(check.columns, FLIGHTS, kinds) == ""
    assert said(check.columns, FLIGHTS, kinds, others=False) == ""
    assert said(check.columns, FLIGHTS, ["carrier"]) == ""
    assert said(check.columns, FLIGHTS, ["carrier"], others=False) == "not expected: distance, temp, late, date"
    assert said(check.columns, FLIGHTS, {"dest": "text", "carrier": "number", "temp": "integer"}) == (
        "dest is missing; carrier is string, expected number; temp has fractions: 10.5 (row 0)"
    )
    with pytest.raises(UsageError, match="The kind of 'carrier' is 'str': expected one of number"):
        check.columns(FLIGHTS, {"carrier": "str"})


def test_between():
    assert said(check.between, FLIGHTS, "distance", -1, 4983) == ""
    assert said(check.between, FLIGHTS, "distance", 90, 4000) == (
        "distance: 3 of 4 values are not from 90 to 4000: 80 (row 0), 4,983 (row 2), -1 (row 3)"
    )
    assert said(check.between, FLIGHTS, "temp", 0, 100, at_most=0.5) == ""
    assert "(allowed: 10 %)" in said(check.between, FLIGHTS, "temp", 0, 100, at_most=0.1)
    assert said(check.between, FLIGHTS, "date", "2013-01-02", dt.datetime.fromisoformat("2013-01-05T12:00")) == (
        "date: 2 of 4 values are not from 2013-01-02 to 2013-01-05 12:00:00: 2013-01-01 (row 0), 2013-01-06 (row 3)"
    )
    with pytest.raises(UsageError, match="'carrier' is string: expected numbers or times"):
        check.between(FLIGHTS, "carrier", 0, 1)
    with pytest.raises(UsageError, match="which has times: expected a date"):
        check.between(FLIGHTS, "date", 0, "soon")
    with pytest.raises(UsageError, match="expected a number"):
        check.between(FLIGHTS, "distance", "0")
    assert said(check.between, FLIGHTS, "distance", high=4000).startswith(
        "distance: 1 of 4 values are not up to 4000: "
    )
    assert said(check.between, FLIGHTS, "distance", 90).startswith("distance: 2 of 4 values are not 90 or more: ")
    with pytest.raises(UsageError, match="nothing could fail"):
        check.between(FLIGHTS, "distance")
    with pytest.raises(UsageError, match="low = 5 is above high = 1: nothing could pass"):
        check.between(FLIGHTS, "distance", 5, 1)
    with pytest.raises(UsageError, match="expected a share of 0 to 1"):
        check.between(FLIGHTS, "distance", 0, at_most=2)


def test_one_of():
    assert said(check.one_of, FLIGHTS, "carrier", ["UA", "AA", "ua"]) == ""
    assert said(check.one_of, FLIGHTS, "carrier", ["UA", "AA"]) == (
        "carrier: 1 of 3 values are none of 'UA', 'AA': 'ua' (row 3)"
    )
    assert said(check.one_of, FLIGHTS, "distance", [80, 100.0, np.int64(4983)]).endswith("-1 (row 3)")
    assert said(check.one_of, FLIGHTS, "late", [True, False]) == ""
    assert said(check.one_of, FLIGHTS, "carrier", ["UA", "AA"], at_most=0.4) == ""
    with pytest.raises(UsageError, match="expected a list"):
        check.one_of(FLIGHTS, "carrier", "UA")
    with pytest.raises(UsageError, match="has numbers: expected a number"):
        check.one_of(FLIGHTS, "distance", ["80"])


@pytest.mark.parametrize("wrong", [None, [], 5, ["carrier", 3]])
def test_what_is_no_name_of_a_column_is_refused(wrong: Any):
    names = "expected the name of a column, or a list of them"
    for run in (
        lambda: check.unique(FLIGHTS, wrong),
        lambda: check.columns(FLIGHTS, wrong),
        lambda: check.not_null(FLIGHTS, wrong),
        lambda: check.no_leak(FLIGHTS, wrong),
        lambda: check.no_leak(FLIGHTS, "late", features=wrong if wrong is not None else []),
        lambda: check.no_overlap(FLIGHTS, FLIGHTS, columns=wrong if wrong is not None else []),
        lambda: check.no_shift(FLIGHTS, FLIGHTS, columns=wrong if wrong is not None else []),
    ):
        with pytest.raises(UsageError, match=names):
            run()
    nothing: Any = None
    with pytest.raises(UsageError, match="values = None: expected a list"):
        check.one_of(FLIGHTS, "carrier", nothing)
    with pytest.raises(UsageError, match="nothing could pass"):
        check.one_of(FLIGHTS, "carrier", [])


def test_one_name_is_one_column_and_a_list_may_be_given_for_several():
    assert said(check.columns, FLIGHTS, "carrier") == ""
    assert said(check.columns, FLIGHTS, "dest") == "dest is missing"
    listed: Any = ["carrier", "temp"]
    assert said(check.not_null, FLIGHTS, listed) == said(check.not_null, FLIGHTS, "carrier", "temp") != ""


def test_not_null():
    assert said(check.not_null, FLIGHTS, "distance", "date") == ""
    assert said(check.not_null, FLIGHTS, "temp", at_most=0.5) == ""
    assert said(check.not_null, FLIGHTS) == (
        "carrier: 1 of 4 values are missing: row 2; temp: 2 of 4 values are missing: rows 1, 2; "
        "late: 1 of 4 values are missing: row 3"
    )
    with pytest.raises(UsageError, match=r"no column 'dest'\. It has: carrier, distance"):
        check.not_null(FLIGHTS, "dest")


def test_unique():
    twice = pa.concat_tables([FLIGHTS, FLIGHTS.slice(1, 1)])
    assert said(check.unique, FLIGHTS, "date") == ""
    assert said(check.unique, FLIGHTS, ["carrier", "late"]) == ""
    assert said(check.unique, twice, ["carrier", "date"]) == (
        "carrier and date: 1 of 5 rows repeat an earlier one: row 4; first carrier 'AA', date 2013-01-02"
    )
    assert said(check.unique, twice, "date", at_most=0.2) == ""


def test_rows():
    assert said(check.rows, FLIGHTS) == ""
    assert said(check.rows, FLIGHTS, at_least=10) == "there are 4 rows, expected at least 10"
    assert said(check.rows, FLIGHTS, at_most=3) == "there are 4 rows, expected at most 3"
    assert said(check.rows, FLIGHTS.slice(0, 0)) == "there are 0 rows, expected at least 1"
    with pytest.raises(UsageError, match="at_least = 'x'"):
        check.rows(FLIGHTS, at_least="x")  # pyright: ignore[reportArgumentType]  that it is wrong is what is tried


def test_no_gaps():
    assert said(check.no_gaps, FLIGHTS, "date", longest="3 days") == ""
    assert said(check.no_gaps, FLIGHTS, "date") == (
        "date: 1 gap is longer than 1 day: nothing between 2013-01-02 to 2013-01-05"
    )
    assert said(check.no_gaps, FLIGHTS, "date", longest="72 hours") == ""
    for wrong in ("soon", "1 week", "-1 days", "nan days", "1e99 days"):
        with pytest.raises(UsageError, match="expected a number and a unit"):
            check.no_gaps(FLIGHTS, "date", longest=wrong)


@pytest.mark.parametrize("value", [None, 5, "table", object(), [1, 2], {"a": 1}])
def test_what_is_no_table_is_said_to_be_none(value):
    for function in (check.rows, check.not_null):
        with pytest.raises(UsageError):
            function(value)


@pytest.mark.parametrize("name", weird())
def test_no_table_breaks_them(name: str):
    _all(weird()[name])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(tables(), st.one_of(st.floats(), st.integers(), st.text(max_size=4), st.none(), st.datetimes()))
def test_no_table_and_no_value_breaks_them(table: pa.Table, value: Any):
    _all(table, value)


def _all(table: pa.Table, value: Any = 0) -> None:
    for name in [*table.column_names, "not there"]:
        for run in (
            lambda name=name: check.between(table, name, value, value),
            lambda name=name: check.one_of(table, name, [value]),
            lambda name=name: check.not_null(table, name),
            lambda name=name: check.unique(table, name),
            lambda name=name: check.no_gaps(table, name),
            lambda name=name: check.columns(table, {name: "integer"}),
            lambda name=name: check.no_leak(table, name),
            lambda name=name: check.no_overlap(table, table, columns=[name]),
            lambda name=name: check.no_shift(table, table, columns=[name]),
        ):
            with contextlib.suppress(UsageError, CheckFailed):
                run()


def test_a_column_without_any_value_passes_whatever_it_was_meant_to_hold():
    empty = pa.table({"n": pa.nulls(3)})
    check.one_of(empty, "n", ["x"])
    check.between(empty, "n", low="2013-01-01")
    check.between(empty, "n", 0, 1)


def test_large_ids_are_told_apart():
    check.unique(pa.table({"id": [2**60, 2**60 + 1]}), "id")
    with pytest.raises(CheckFailed, match="1 of 2 rows repeat"):
        check.unique(pa.table({"id": [2**60 + 1, 2**60 + 1]}), "id")
