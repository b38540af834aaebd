from __future__ import annotations

import datetime as dt
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, NotApplicable, recording
from tests.check.models import classes, number, ranking, vector
from tests.check.people import GOOD, NUMBER, people, right

ROWS = people(300)
NOW = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "model",
    [
        GOOD,
        NUMBER,
        classes(lambda f: (f["x"] > 0).astype(int), probabilities=False),
        vector(lambda f: np.stack([f["x"], f["x"]], axis=1)),
        ranking(lambda f: np.tile([1, 0, -1], (len(f), 1)), ("p", "q"), 3),
    ],
    ids=["classes", "number", "labels", "vector", "ranking"],
)
def test_a_model_that_does_not_waver_is_stable(model: Any):
    with recording() as measured:
        check.stable(model, ROWS)
    assert (measured[0]["apart"], measured[0]["rows"], measured[0]["outcome"]) == (0, 300, "passed")


def times() -> Any:
    asked = count()
    return number(lambda f: f["x"] + next(asked))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (number(lambda f: np.where(np.arange(len(f)) == 7, np.nan, 1.0)), "nan in 1 of 300 rows, first in row 7"),
        (number(lambda f: 1 / (f["x"] * 0)), "inf in 300 of 300 rows, first in row 0"),
        (classes(lambda f: np.where(f["x"] > 0, np.nan, 0.5)), "the model answers nan"),
        (times(), "asked the same again"),
        (number(lambda f: f["x"] - f["x"].mean()), "in another order|asked alone, row 0"),
        (number(lambda f: np.arange(len(f))), "in another order"),
        (classes(lambda f: np.arange(len(f)) % 2, probabilities=False), "in another order.*another label"),
    ],
)
def test_what_wavers_fails(model: Any, message: str):
    with pytest.raises(CheckFailed, match=message):
        check.stable(model, ROWS)


def test_a_label_may_change_where_its_probability_is_another_s():
    def tied(frame: pd.DataFrame) -> np.ndarray:
        return 0.5 + np.where(np.arange(len(frame)) % 2, 1e-7, -1e-7)

    check.stable(classes(tied), ROWS)
    with pytest.raises(CheckFailed, match=r"in another order|asked the same"):
        check.stable(classes(lambda f: 0.5 + np.where(np.arange(len(f)) % 2, 0.1, -0.1)), ROWS)


def slower(model: Any, work: int) -> Any:
    def answer(frame: pd.DataFrame) -> np.ndarray:
        for _ in range(work):
            np.sort(np.arange(20_000.0)[::-1])
        return right(frame)

    return classes(answer)


def test_a_model_that_takes_several_times_as_long_is_slow():
    live = slower(GOOD, 1)
    with recording() as measured, pytest.raises(CheckFailed, match=r"a request of 1 row takes .* allowed is 1.5"):
        check.fast(slower(GOOD, 25), live, ROWS, budget_s=0.1)
    one = measured[0]
    assert 1.5 < one["low"] <= one["ratio"] <= one["high"]
    assert one["pairs"] >= 9
    check.fast(live, live, ROWS, at_most=5, budget_s=0.1, rows=64)


def test_fast_needs_a_live_release():
    with pytest.raises(NotApplicable, match="no release is live"):
        check.fast(GOOD, None, ROWS)


DATES = pd.date_range("2026-03-01", "2026-03-08 18:00", periods=10)


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"at": DATES}),
        pd.DataFrame({"at": DATES.tz_localize("UTC").tz_convert("America/New_York")}),
        pl.DataFrame({"at": DATES.to_pydatetime().tolist()}),
        pa.table({"at": pa.array(DATES.to_pydatetime().tolist(), pa.timestamp("s"))}),
        [{"at": one.to_pydatetime()} for one in DATES],
    ],
    ids=["pandas", "zone", "polars", "pyarrow", "dicts"],
)
def test_data_is_as_old_as_its_newest_row(data: Any):
    with recording() as measured:
        check.fresh(data, "at", at_most_days=2, now=NOW)
    assert measured[0]["days"] == pytest.approx(1.75)
    with pytest.raises(CheckFailed, match=r"newest 'at' is 2026-03-08 18:00 UTC, 1.8 days ago; allowed is 1 day"):
        check.fresh(data, "at", at_most_days=1, now=NOW)


def test_dates_and_the_future():
    check.fresh(pd.DataFrame({"at": [dt.date(2026, 3, 10), None]}), "at", at_most_days=1, now=NOW)
    with pytest.raises(CheckFailed, match="days from now: is the clock or the column wrong"):
        check.fresh(pd.DataFrame({"at": [dt.date(2026, 4, 1)]}), "at", at_most_days=1, now=NOW)
    check.fresh([{"at": dt.datetime.now(dt.UTC)}], "at", at_most_days=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check.fresh(ROWS, "x", at_most_days=1), "of type double: expected dates"),
        (lambda: check.fresh(ROWS, "at", at_most_days=1), "no column 'at'"),
        (lambda: check.fresh(pd.DataFrame({"at": DATES}), "at", at_most_days=-1), "at_most_days = -1"),
        (lambda: check.fresh(pd.DataFrame({"at": DATES}), "at", at_most_days=1, now=NOW.replace(tzinfo=None)), "zone"),
        (lambda: check.fresh(pd.DataFrame({"at": DATES[:0]}), "at", at_most_days=1), "no value in 0 rows"),
        (lambda: check.stable(GOOD, ROWS.head(0)), "0 rows"),
        (lambda: check.stable(GOOD, ROWS, rows=0), "rows = 0"),
        (lambda: check.fast(GOOD, GOOD, ROWS, at_most=0), "at_most = 0"),
        (lambda: check.fast(GOOD, GOOD, ROWS.head(0)), "0 rows"),
        (lambda: check.fast(GOOD, GOOD, ROWS, budget_s=float("nan")), "budget_s = nan"),
    ],
)
def test_what_can_not_be_used_is_refused(call: Any, message: str):
    with pytest.raises(UsageError, match=message):
        call()
