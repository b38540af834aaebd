"""Columns as such: missing, new, renamed, moved, of another type, constant."""

from __future__ import annotations

import pyarrow as pa

from plusone.base.records import Learning
from plusone.data.views import TableView
from plusone.expectations.comparing import pair_of
from plusone.expectations.schema import columns, constant
from tests.expectations.made import change, clean

BEFORE, NOW = clean(90), clean(120)
LEARNING = Learning(targets=("late",), features=("carrier", "distance"))


def told(now: pa.Table, before: pa.Table = BEFORE, learning: Learning = LEARNING) -> list[tuple[str, str, str]]:
    return [(one.level, one.column, one.message) for one in columns(pair_of(now, before, learning=learning))]


def test_a_column_that_the_model_needs_is_missing():
    assert told(NOW.drop_columns(["carrier"])) == [("fail", "carrier", "is missing (it was string)")]


def test_one_that_it_does_not_ask_for_only_warns():
    assert told(NOW.drop_columns(["temp"])) == [
        ("warn", "temp", "is no longer there, and the model does not ask for it")
    ]
    # Without a list of features every column is one.
    assert told(NOW.drop_columns(["temp"]), learning=Learning())[0][0] == "fail"


def test_a_new_column_warns():
    assert told(NOW.append_column("more", NOW["temp"])) == [("warn", "more", "is new (double)")]


def test_a_renamed_column_is_told_from_a_missing_and_a_new_one():
    names = ["miles" if name == "distance" else name for name in NOW.column_names]
    found = told(clean(92).rename_columns(names))
    assert found[0][:2] == ("fail", "distance")
    assert "is called 'miles' now" in found[0][2]
    assert len(found) == 1


def test_another_order_warns():
    found = told(NOW.select(NOW.column_names[::-1]))
    assert [(level, message) for level, _, message in found] == [("warn", "the columns have another order")]


def test_types():
    text = change(NOW, "distance", [str(value) for value in NOW["distance"].to_pylist()])
    assert told(text) == [("fail", "distance", "has the type string; it was int64")]
    assert told(change(NOW, "distance", NOW["distance"].to_numpy() * 1.5))[0][2].startswith("has fractions now")
    assert told(change(NOW, "distance", NOW["distance"].to_numpy() * 1.0))[0][0] == "warn"
    # A column without a value before has no type that says something.
    assert told(NOW, change(BEFORE, "distance", pa.nulls(BEFORE.num_rows))) == []


def test_constants():
    table, names = TableView(change(NOW, "distance", [7] * NOW.num_rows)), ["distance", "carrier", "unknown"]
    found = list(constant(table, TableView(BEFORE), names))
    assert [(one.level, one.column) for one in found] == [("fail", "distance")]
    assert "has one value in all rows; it had" in found[0].message
    assert [one.level for one in constant(table, None, names)] == ["warn"]
    empty = TableView(change(NOW, "distance", pa.nulls(NOW.num_rows, pa.int64())))
    assert "has no value at all" in next(iter(constant(empty, TableView(BEFORE), names))).message
