"""Checks of two tables and of a target: leaks, overlaps and shifts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, recording
from tests.expectations.made import clean, month

FLIGHTS = clean(60)


def test_no_leak():
    with recording() as measured:
        check.no_leak(FLIGHTS, "late")
    assert measured[0]["best"] == "sched_dep_time"
    leaking = FLIGHTS.append_column("status", FLIGHTS["late"])
    with pytest.raises(CheckFailed, match=r"status alone tells late with an AUC of 1\.000"):
        check.no_leak(leaking, "late")
    check.no_leak(leaking, ["late"], features=["carrier", "temp"])
    for rows in (FLIGHTS.slice(0, 0), FLIGHTS.slice(0, 20)):
        with pytest.raises(UsageError, match="Nothing of late can be learned from these"):
            check.no_leak(rows, "late")
    with pytest.raises(UsageError, match="no column 'delay'"):
        check.no_leak(FLIGHTS, "delay")
    with pytest.raises(UsageError, match=r"features = \['late'\]: expected columns without the target"):
        check.no_leak(FLIGHTS, "late", features=["late"])
    with pytest.raises(UsageError, match=r"bound = 0\.2: expected an AUC"):
        check.no_leak(FLIGHTS, "late", bound=0.2)


def test_no_overlap():
    train, holdout = FLIGHTS.slice(0, 5000), FLIGHTS.slice(5000)
    check.no_overlap(train, holdout)
    mixed = pa.concat_tables([train, holdout.slice(3, 2)])
    with pytest.raises(
        CheckFailed, match=r"2 of 1,000 rows of the holdout \(0\.2 %\) are in the training data: rows 3, 4"
    ):
        check.no_overlap(mixed, holdout)
    check.no_overlap(mixed, holdout, at_most=0.01)
    with pytest.raises(CheckFailed):
        check.no_overlap(train, holdout, columns=["carrier"])
    with pytest.raises(UsageError, match="no column in common"):
        check.no_overlap(train, pa.table({"other": [1]}))


def test_no_shift():
    check.no_shift(clean(60, seed=1), clean(60, seed=2))
    with recording() as measured, pytest.raises(CheckFailed, match=r"temp: .* of the rows are others than before"):
        check.no_shift(month(3), month(1), columns=["temp", "carrier"])
    assert measured[0]["figure"]["kind"] == "bars"
    assert measured[0]["farthest"] == "temp"
    check.no_shift(month(3), month(1), bound=0.99)
    check.no_shift(month(3), month(1), columns=["carrier"])
    check.no_shift(month(3), month(1), columns="carrier")
    for other in (FLIGHTS.slice(0, 0), pa.table({"other": [1]})):
        with pytest.raises(UsageError, match="nothing was looked at"):
            check.no_shift(FLIGHTS, other)
    for options in ({"bound": 2.0}, {"confidence": 1.0}, {"columns": ["nope"]}, {"bound": "x"}):
        with pytest.raises(UsageError):
            check.no_shift(FLIGHTS, FLIGHTS, **options)  # pyright: ignore[reportArgumentType]  that it is wrong is what is tried
