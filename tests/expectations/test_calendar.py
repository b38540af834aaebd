"""Columns that are a part of a date: one that begins on another day is found, in new rows alone too."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from plusone.expectations.calendar import calendar
from plusone.expectations.comparing import pair_of
from plusone.expectations.findings import Finding
from tests.expectations.made import change, clean

FIRST = dt.datetime.fromisoformat("2013-01-01")


def hours(count: int, days: int = 60) -> pa.Table:
    """Rows at every hour, with what follows from them, and a number that does not."""
    rng = np.random.default_rng(count)
    times = [FIRST + dt.timedelta(hours=int(one)) for one in rng.integers(0, 24 * days, count)]
    return pa.table(
        {
            "at": times,
            "hour": [one.hour for one in times],
            "weekday": [one.isoweekday() for one in times],
            "day": [one.day for one in times],
            "code": rng.integers(0, 7, count),
        }
    )


def plus(table: pa.Table, name: str, by: int, size: int, rows: np.ndarray) -> pa.Table:
    values = np.asarray(table.column(name))
    return change(table, name, np.where(rows, values % size + by, values))


def found(now: pa.Table, before: pa.Table) -> list[Finding]:
    return list(calendar(pair_of(now, before)))


BEFORE, NOW = hours(4000), hours(6000, days=90)
NEW = np.array([one >= FIRST + dt.timedelta(days=60) for one in NOW.column("at").to_pylist()])


def test_what_is_as_it_was_says_nothing():
    assert found(NOW, BEFORE) == []
    assert found(clean(120), clean(90)) == []


@pytest.mark.parametrize(
    ("name", "size", "part"), [("weekday", 7, "weekday"), ("hour", 24, "hour"), ("day", 31, "day of the month")]
)
def test_a_part_of_another_moment_is_named(name: str, size: int, part: str):
    (one,) = found(plus(NOW, name, 1, size, NEW), BEFORE)
    assert (one.level, one.column) == ("fail", name)
    assert one.message.startswith(f"was the {part} of at in all rows of the live release's data, and is not in ")
    assert one.measured["rows"] == pytest.approx(NEW.sum(), abs=2)


def test_single_odd_values_and_codes_of_their_own_are_none():
    few = np.arange(NOW.num_rows) < 5
    assert found(plus(NOW, "weekday", 1, 7, few), BEFORE) == []
    assert found(plus(NOW, "code", 1, 7, NEW), BEFORE) == []


def test_days_that_were_not_there_have_no_meaning_yet():
    week = BEFORE.filter(pa.array([one.isoweekday() <= 5 for one in BEFORE.column("at").to_pylist()]))
    assert found(plus(NOW, "weekday", 0, 100, NEW), week) == []
    weekend = np.array([one.isoweekday() > 5 for one in NOW.column("at").to_pylist()])
    assert found(plus(NOW, "weekday", 9, 1, weekend), week) == []


def test_few_different_values_holes_and_empty_tables_say_nothing():
    constant = pa.table({"at": BEFORE.column("at"), "year": [2013] * 4000})
    later = pa.table({"at": BEFORE.column("at"), "year": [2014] * 4000})
    assert found(later, constant) == []
    holes = change(
        NOW, "weekday", [None if new else one for one, new in zip(NOW.column("weekday").to_pylist(), NEW, strict=True)]
    )
    assert found(holes, BEFORE) == []
    assert found(NOW, BEFORE.slice(0, 0)) == found(NOW.slice(0, 0), BEFORE) == []
    early = pa.table(
        {"at": [FIRST.replace(year=1890, month=3, day=day) for day in range(1, 29)], "day": list(range(1, 29))}
    )
    assert found(early, early) == []
