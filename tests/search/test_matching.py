"""Filters and orders over one record in Python."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.search.filter import parse_filter, parse_order
from plusone.search.matching import is_like, matches, select

ONE = {
    "attribute": {"run_name": "Ann's", "start_time": 10, "end_time": None},
    "metric": {"auc": 0.9, "none": float("nan"), "much": float("inf")},
    "param": {"depth": "3"},
    "tag": {"x": "Ab"},
    "dataset": [{"name": "flights", "digest": "d1", "context": "train"}, {"name": "ships", "digest": "d2"}],
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "metrics.auc > 0.8 and metrics.auc <= 0.9 and metrics.auc = 0.9 and metrics.auc != 1",
        "metrics.much > 1e300",
        "params.depth = '3' and params.depth in ('3', '4') and params.depth not in ('4') and params.depth != 'x'",
        "params.none is null and params.depth is not null",
        "tags.x like 'A%' and tags.x ilike 'aB' and tags.x like '__'",
        "run_name = 'Ann''s' and start_time >= 10 and start_time < 10.5",
        "datasets.name = 'ships' and datasets.name = 'flights' and datasets.context = 'train'",
        "datasets.name != 'ships'",
    ],
)
def test_what_holds(text: str):
    assert matches(parse_filter(text), ONE)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.auc > 0.9",
        "metrics.none = 0",
        "metrics.none != 0",
        "metrics.other != 0",
        "params.other != '3'",
        "params.other not in ('3')",
        "params.depth is null",
        "tags.x like 'a%'",
        "tags.x like '_'",
        "end_time != 1",
        "datasets.context != 'train'",
    ],
)
def test_what_does_not_hold(text: str):
    assert not matches(parse_filter(text), ONE)


@given(st.text("ab%_A[*\n"), st.text("ab%_A[*\n"), st.booleans())
def test_like_is_what_a_regular_expression_says(text: str, pattern: str, ignore_case: bool):
    wild = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern)
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    assert is_like(text, pattern, ignore_case=ignore_case) == bool(re.fullmatch(wild, text, flags))


def test_like_ignores_the_case_of_a_to_z_alone():
    assert is_like("STRASSE", "%ass%", ignore_case=True)
    assert not is_like("É", "é", ignore_case=True)


def test_a_hostile_pattern_costs_little():
    assert not is_like("a" * 2000, "%a" * 500 + "b")


def test_values_come_first_then_nan_then_what_is_missing_in_either_direction():
    records = {"a": 1.0, "b": float("nan"), "c": None, "d": 3.0, "e": 1.0, "f": float("-inf")}

    def values(name: str) -> dict[str, dict[str, float | None]]:
        return {"metric": {"x": records[name]}}

    assert select(records, (), parse_order(["metrics.x"]), values) == ["f", "a", "e", "d", "b", "c"]
    assert select(records, (), parse_order(["metrics.x DESC"]), values) == ["d", "a", "e", "f", "b", "c"]
    assert select(records, parse_filter("metrics.x < 2"), parse_order(["metrics.x"]), values) == ["f", "a", "e"]


def test_several_keys_sort_in_turn():
    records = [("a", "2"), ("b", "1"), ("a", "1"), ("b", "2")]
    orders = parse_order(["params.x DESC", "tags.y"])
    found = select(records, (), orders, lambda pair: {"param": {"x": pair[0]}, "tag": {"y": pair[1]}})
    assert found == [("b", "1"), ("b", "2"), ("a", "1"), ("a", "2")]
