"""Shifts: how far is measured, what is significant and small fails nothing, and few columns are blamed by chance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.data.tensors import compute
from plusone.data.views import TableView
from plusone.expectations.comparing import pair_of
from plusone.expectations.shifts import distance, label, shift, shifts, target_shifts
from tests.expectations.made import change, clean, month

BEFORE, NOW = clean(90), clean(120)
LEARNING = Learning(targets=("late",))


def told(find, now, before=BEFORE, bounds: Checks | None = None) -> list[tuple[str, str]]:
    return [(one.level, one.column) for one in find(pair_of(now, before, learning=LEARNING, bounds=bounds))]


def far(now, before) -> float:
    views = [TableView(pa.table({"x": one})).columns["x"] for one in (now, before)]
    found = distance(*views)
    assert found is not None
    return found.effect.value


def test_the_distance_of_two_columns_by_hand():
    assert far(["a"] * 50 + ["b"] * 50, ["a"] * 80 + ["b"] * 20) == pytest.approx(0.3)
    assert far([True] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.5)
    assert far(np.arange(100.0), np.arange(100.0)) == 0.0
    assert far(np.arange(50.0, 150.0), np.arange(100.0)) == pytest.approx(0.5)
    assert far([1.0, 2.0], [9.0, 10.0]) == 1.0
    # Texts that hardly come twice count by their length.
    assert far([f"{n:06}" for n in range(500)], [f"x{n:05}" for n in range(500)]) == 0.0


def test_what_has_no_values_has_no_distance():
    nothing = TableView(pa.table({"x": pa.nulls(3)})).columns["x"]
    lists = TableView(pa.table({"x": [[1], [2]]})).columns["x"]
    assert distance(nothing, nothing) is None
    assert distance(lists, lists) is None


def test_with_many_rows_a_small_shift_is_certain_and_no_failure():
    rng = np.random.default_rng(0)
    now, before = (pa.table({"x": rng.normal(mean, 1, 300_000)}) for mean in (0.05, 0.0))
    assert told(shift, now, before) == []
    found = shifts(pair_of(now, before))[0].effect
    assert 0 < found.low < found.value < 0.05


def test_a_season_warns():
    assert told(shift, month(2), month(1)) == [("warn", "temp")]


def test_a_season_that_goes_on_as_it_did_is_no_news():
    found = shifts(pair_of(NOW, BEFORE))[0]
    assert found.column == "temp"
    assert found.effect.low > 0.1
    assert told(shift, NOW) == []


def test_new_rows_that_move_a_column_further_than_before_warn():
    hours = NOW["sched_dep_time"].to_numpy().copy()
    hours[BEFORE.num_rows :] = 1205
    assert told(shift, change(NOW, "sched_dep_time", hours)) == [("warn", "sched_dep_time")]


def test_a_column_that_is_another_one_fails():
    assert ("fail", "temp") in told(shift, change(month(2), "temp", month(2)["distance"].to_numpy() * 1.0), month(1))


def test_the_past_has_no_season():
    values = NOW["temp"].to_numpy().copy()
    values[np.random.default_rng(0).random(len(values)) < 0.4] += 20
    assert ("fail", "temp") in told(shift, change(NOW, "temp", values))


def test_the_bounds_are_those_of_the_project():
    assert told(shift, month(2), month(1), Checks(shift=0.1)) == [("fail", "temp")]


def test_labels():
    assert told(label, NOW) == []
    late = NOW["late"].to_numpy(zero_copy_only=False)
    rng = np.random.default_rng(1)
    assert ("fail", "late") in told(label, change(NOW, "late", late | (rng.random(len(late)) < 0.1)))
    assert ("fail", "late") in told(
        label, change(month(2), "late", ~month(2)["late"].to_numpy(zero_copy_only=False)), month(1)
    )
    assert [one.column for one in target_shifts(pair_of(NOW, BEFORE, learning=LEARNING))] == ["late"]


def test_a_zone_that_was_lost_is_named_and_summer_time_is_not():
    hours = np.random.default_rng(0).choice([6, 7, 8, 9, 17, 18], 5000).astype("timedelta64[h]")
    moments = np.datetime64("2013-01-01", "us") + np.arange(5000).astype("timedelta64[D]") + hours
    before = pa.table({"t": moments})
    for apart, expected in ((5, [("fail", "t")]), (1, []), (0, [])):
        now = pa.table({"t": compute().add(before["t"], pa.scalar(apart * 3_600_000_000, pa.duration("us")))})
        assert told(shift, now, before) == expected


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_stated():
    """40 columns, 150 resamples of one table: in at most 1 % of them is any interval above 0."""
    rng = np.random.default_rng(3)
    rows, alarms = 400, 0
    for _ in range(150):
        now, before = (
            pa.table(
                {f"n{place}": rng.normal(size=rows) for place in range(20)}
                | {f"w{place}": rng.choice(["a", "b", "c", "d"], rows) for place in range(20)}
            )
            for _ in range(2)
        )
        alarms += any(one.effect.low > 0 for one in shifts(pair_of(now, before)))
    assert alarms <= 4
