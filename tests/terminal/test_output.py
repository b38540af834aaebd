"""How values look in a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.terminal.output import sparkline


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1.0], "▁"),
        ([2.0, 2.0], "▁▁"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
        ([1.0, None, 0.0], "█ ▁"),
        ([None, None], "  "),
        ([-1.7e308, 1.7e308], "▁█"),
    ],
)
def test_a_row_of_bars(values: list[float | None], bars: str):
    assert sparkline(values) == bars


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=100), st.integers(1, 40))
def test_every_row_is_as_wide_as_asked_or_as_there_are_values(values: list[float | None], width: int):
    assert len(sparkline(values, width)) == min(width, len(values))
