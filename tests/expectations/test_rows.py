"""Rows that are there twice, keys that are none any more, and rows that are learned from and tested on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.data.views import TableView
from plusone.expectations.rows import duplicates, find_key, overlap, repeated
from tests.expectations.made import clean, month

TABLE = clean(60).append_column("id", pa.array(range(6000)))
BOUNDS = Checks()


def levels(found) -> list[str]:
    return [one.level for one in found]


def again(share: float) -> TableView:
    rows = np.random.default_rng(0).random(TABLE.num_rows) < share
    return TableView(pa.concat_tables([TABLE, TABLE.filter(pa.array(rows))]))


def test_rows_are_counted_over_all_columns_or_some():
    table = TableView(pa.table({"a": [1, 1, 1, None], "b": ["x", "x", "y", None]}))
    assert repeated(table) == 1
    assert repeated(table, ["a"]) == 2
    # In another order of columns, of another width: the same rows.
    other = TableView(pa.table({"b": pa.array(["x"], pa.large_string()), "a": pa.array([1.0])}))
    assert np.array_equal(np.asarray(other.hashes()), np.asarray(table.hashes())[:1])


def test_two_percent_that_are_there_twice_fail():
    found = list(duplicates(again(0.02), TableView(TABLE), BOUNDS))
    assert levels(found) == ["fail"]
    assert "are equal to another one in all columns; it was 0 %" in found[0].message


def test_without_a_table_before_they_only_warn():
    assert levels(duplicates(again(0.02), None, BOUNDS)) == ["warn"]
    assert levels(duplicates(TableView(TABLE), None, BOUNDS)) == []


def test_a_table_that_always_repeats_itself_is_left_alone():
    before, now = (TableView(pa.table({"a": np.arange(rows) % 7})) for rows in (1000, 1500))
    assert levels(duplicates(now, before, BOUNDS)) == []


def test_a_key_is_found_and_missed():
    assert find_key(TableView(TABLE)) == ["id"]
    twice = pa.concat_tables([TABLE, TABLE.slice(0, 200).set_column(2, "distance", pa.array([1] * 200))])
    found = list(duplicates(TableView(twice), TableView(TABLE), BOUNDS))
    assert [(one.level, one.column) for one in found] == [("fail", "id")]
    assert "200 rows (3.23 %) have the id of another one" in found[0].message


def test_a_time_and_a_place_are_a_key_together():
    hours = np.repeat(np.arange(500), 3).astype("datetime64[h]").astype("datetime64[us]")
    stations = pa.table({"hour": hours, "origin": ["a", "b", "c"] * 500})
    table = TableView(stations.append_column("temp", pa.array([1.5] * 1500)))
    assert find_key(table) == ["hour", "origin"]


def test_a_holdout_that_was_learned_from():
    learning = Learning(targets=("late",))
    train, holdout = TABLE.slice(0, 5050), TABLE.slice(5050)
    assert levels(overlap(TableView(train), TableView(holdout), learning, BOUNDS)) == ["warn"]  # the day both have
    mixed = TableView(pa.concat_tables([train, holdout.slice(0, 30)]))
    found = list(overlap(mixed, TableView(holdout), learning, BOUNDS))
    assert levels(found) == ["fail", "warn"]
    assert found[0].message == "30 rows of it (3.16 %) are in the training data too"
    assert "of its rows are no later than the last that the model learns from (2013-02-20" in found[1].message


def test_a_split_that_takes_no_notice_of_time_is_told_once():
    train, holdout = TableView(TABLE.slice(0, 5050)), TableView(TABLE.slice(5050))
    learning = Learning(targets=("late",))
    assert levels(overlap(train, holdout, learning, BOUNDS, before=(train, holdout))) == []
    later = (TableView(month(1)), TableView(month(2)))
    assert levels(overlap(train, holdout, learning, BOUNDS, before=later)) == ["warn"]


def test_rows_that_are_equal_by_chance_are_no_leak():
    rng = np.random.default_rng(0)
    few = pa.table({"a": rng.integers(0, 3, 4000), "late": rng.random(4000) < 0.5})
    train, holdout = TableView(few.slice(0, 3000)), TableView(few.slice(3000))
    assert levels(overlap(train, holdout, Learning(targets=("late",)), BOUNDS)) == ["warn"]


@pytest.mark.parametrize("features", [None, ("carrier", "temp", "distance", "sched_dep_time")])
def test_another_month_shares_no_rows(features):
    learning = Learning(targets=("late",), features=features)
    assert levels(overlap(TableView(month(1)), TableView(month(2)), learning, BOUNDS)) == []
