"""Two tables held against each other: the same is the same, and no table makes it break."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings

from plusone.base.records import Learning
from plusone.expectations.comparing import COMPARISONS, compare, pair_of
from plusone.expectations.leaks import leakage
from plusone.expectations.rows import overlap
from plusone.expectations.schema import constant
from tests.expectations.hostile import tables, weird
from tests.expectations.made import clean, month

WEIRD = weird()


def everything(now, before, learning: Learning):
    pair = pair_of(now, before, learning=learning)
    found = compare(now, before, learning=learning)
    found["leakage"] = list(leakage(pair.now, pair.before, learning, pair.bounds))
    found["overlap"] = list(overlap(pair.now, pair.before, learning, pair.bounds))
    found["constant"] = list(constant(pair.now, pair.before, list(pair.now.columns)))
    for findings in found.values():
        for one in findings:
            assert one.message
            json.dumps(msgspec.to_builtins(one), allow_nan=True)
    return found


def failures(found) -> dict[str, list[str]]:
    return {
        check: [one.message for one in findings if one.level == "fail"]
        for check, findings in found.items()
        if any(one.level == "fail" for one in findings)
    }


@pytest.mark.slow
@pytest.mark.parametrize("now", WEIRD)
@pytest.mark.parametrize("before", ["nothing", "no rows", "one row", "huge", "odd names", "constants", "all null"])
def test_no_table_breaks_it(now: str, before: str):
    for learning in (
        Learning(),
        Learning(targets=("a",), inputs=("x",)),
        Learning(targets=("t",), features=("a", "w")),
    ):
        everything(WEIRD[now], WEIRD[before], learning)
        everything(WEIRD[before], WEIRD[now], learning)


@pytest.mark.parametrize("name", WEIRD)
def test_a_table_differs_in_nothing_from_itself(name: str):
    assert not any(compare(WEIRD[name], WEIRD[name]).values())


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(tables(), tables())
def test_any_two_tables_are_compared_without_an_error(now, before):
    names = [*now.column_names, "late"]
    everything(now, before, Learning(targets=(names[0],)))


def test_a_month_more_of_the_same_fails_nothing():
    """The clean case: rows of three months, then of four."""
    for seed in range(3):
        before, now = clean(90, seed=seed), clean(120, seed=seed)
        found = everything(now, before, Learning(targets=("late",), inputs=("flights",)))
        del found["overlap"]  # the two share three months by design
        assert failures(found) == {}


def test_another_month_of_the_same_fails_nothing():
    for seed in range(3):
        found = everything(month(2, seed), month(1, seed + 10), Learning(targets=("late",)))
        assert failures(found) == {}


def test_every_comparison_has_a_name_that_can_be_skipped():
    assert all(name.isidentifier() for name in COMPARISONS)
