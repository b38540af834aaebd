"""Data on the report: what steps made and what columns held; a profile is shown as far as it is known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from plusone.report.data import data_section
from tests.report.made import material
from tests.report.reading import read


def shown(profile: dict[str, Any]) -> str:
    whole = material()
    page = read(
        data_section(msgspec.structs.replace(whole, package=msgspec.structs.replace(whole.package, profile=profile)))
    )
    assert page.faults == []
    return page.text


def test_datasets_have_the_step_that_made_them_and_numbers_their_spread():
    page = read(data_section(material()))
    assert "x x 4 1 10 bytes made in 0 ms eeeeeeeeeeee" in page.text
    assert "25 % 0 to 9, mean 3 1 % 0, 25 % 1, median 2, 75 % 4, 99 % 9" in page.text
    assert f"in package {'p' * 64}" in page.text


def test_the_most_frequent_values_come_first():
    assert "b 60 %, c 30 %, a 10 %" in shown({"w": {"count": 10, "top": {"a": 1, "b": 6, "c": 3}}})


@pytest.mark.parametrize(
    "column",
    [
        {}, {"count": 0}, {"count": None, "nulls": None}, {"quantiles": {}}, {"quantiles": {"0.5": "x"}}, {"top": {}},
        {"top": {"a": "many"}}, {"top": {"a": -1}}, {"minimum": "2013-01-01", "maximum": None}, {"type": None},
        {"quantiles": dict.fromkeys(("0.01", "0.25", "0.5", "0.75", "0.99"), 7.0)}, {"type": ["x"] * 1000},
    ],
)  # fmt: skip
def test_what_a_profile_lacks_is_left_out(column: dict[str, Any]):
    assert "column" in shown({"name": column})


def test_of_very_many_columns_the_first_are_shown():
    assert "the first 200 of 5,000 columns" in shown({f"c{n}": {"count": 1} for n in range(5000)})


def test_without_data_it_says_so():
    whole = material(datasets={}, steps=())
    assert "No record" in data_section(
        msgspec.structs.replace(whole, package=msgspec.structs.replace(whole.package, profile={}))
    )
