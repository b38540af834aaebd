"""Numbers as people read them, whatever they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.report import numbers


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (0.70123, "0.7012"),
        (28104.0, "28,104"),
        (1234.56, "1,235"),
        (0.0000001, "1e-07"),
        (0.0, "0"),
        (-3.5, "-3.5"),
        (float("nan"), "NaN"),
        (float("-inf"), "-∞"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(found: float, shown: str):
    assert numbers.number(found) == shown


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        ([1, None, "a"], "1, -, a"),
        ({"a": 0.5}, "a 0.5"),
        (10**400, "about 2^1328"),
        (list(range(30)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, and 10 more"),
    ],
)
def test_any_value_in_few_words(found: Any, shown: str):
    assert numbers.value(found) == shown


@pytest.mark.slow
@given(st.recursive(st.one_of(st.none(), st.integers(), st.floats(), st.text()), lambda part: st.lists(part)))
def test_no_value_is_long(found: Any):
    assert len(numbers.value(found)) <= 200


@given(st.floats(min_value=0))
def test_every_time_span_has_a_text(seconds: float):
    assert numbers.duration(seconds)


def test_times_sizes_shares_and_moments():
    assert [numbers.duration(s) for s in (0.034, 1.25, 59.9, 125.0, 10_800.0)] == [
        "34 ms", "1.25 s", "59.9 s", "2 min 5 s", "3 h 0 min",
    ]  # fmt: skip
    assert [numbers.size(n) for n in (17, 4300, 5 * 1024**2, 3e15)] == ["17 bytes", "4.2 KiB", "5.0 MiB", "2728.5 TiB"]
    assert (numbers.share(0.05), numbers.share(0.33333)) == ("5 %", "33.3 %")
    assert numbers.moment("2026-11-27T10:00:05.123456Z") == "2026-11-27 10:00:05 UTC"
    assert numbers.moment("") == "-"
