"""Axes: every number has a place on the paper, and the ticks are round."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plusone.report.axes import axis_of

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite), st.booleans())
def test_whatever_the_numbers_are_they_lie_on_the_paper_and_ticks_are_few(values: list[float], zero: bool):
    axis = axis_of(values, 50, 400, zero=zero)
    assert all(50 <= axis.place(one) <= 400 for one in values)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 12
    assert all(50 <= axis.place(at) <= 400 for at, _ in ticks)


def test_ticks_are_round():
    assert [word for _, word in axis_of([0.0, 1.0], 0, 100).ticks()] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert [word for _, word in axis_of([0.0, 47.0], 0, 100, zero=True).ticks()] == ["0", "10", "20", "30", "40"]


def test_shares_do_not_leave_0_to_1_and_bars_begin_at_0():
    axis = axis_of([0.01, 0.995], 0, 100)
    assert (axis.low, axis.high) == (0.0, 1.0)
    assert axis_of([3.0, 5.0], 0, 100, zero=True).low == 0.0
    assert axis_of([-3.0, -5.0], 0, 100, zero=True).high == 0.0


def test_one_number_has_air_around_it():
    assert axis_of([7.0], 0, 100).place(7.0) == 50.0
