"""One cause is one line, and what has another cause is a line of its own."""

from __future__ import annotations

from typing import Any

import pytest

from plusone.base.records import Check
from plusone.built_in.causes import HARDER, WORSE, causes_of, only_message, reasons_of
from plusone.checks.verdict import closes


def check(name: str, outcome: Any = "passed", message: str = "", *measured: dict[str, Any]) -> Check:
    test = name if name.startswith("tests/") else f"plusone::{name}"
    return Check(test=test, subject="model", outcome=outcome, message=message, measured=measured)


def warns(name: str, text: str, **more: Any) -> Check:
    return check(name, "passed", "", {"warning": text, **more})


def failed(name: str, text: str, *columns: str) -> Check:
    return check(name, "failed", text, *({"outcome": "failed", "column": one, "message": text} for one in columns))


def told(*checks: Check) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (cause.check.test.removeprefix("plusone::"), "closes" if cause.closing else cause.said, cause.others)
        for cause in causes_of(checks)
    ]


def test_a_candidate_that_is_simply_worse_is_one_line():
    performance = check(
        "performance[h]", "failed", "it loses", {"warning": "and more than live on its own", "cause": HARDER}
    )
    found = told(
        performance,
        failed("baseline[h]", "worse than a linear one"),
        failed("slices[h]", "where x"),
        warns("calibration[h]", "off"),
        warns("overfit[h]", "by heart"),
    )
    assert found == [("performance[h]", "closes", ("baseline[h]", "slices[h]", "calibration[h]", "overfit[h]"))]
    # On another holdout it is another finding, and what is not known to come of it is one, too.
    found = told(performance, failed("slices[other]", "where x"), failed("features[h]", "x"), warns("fast[h]", "slow"))
    assert [name for name, _, others in found if not others] == [
        "performance[h]", "slices[other]", "features[h]", "fast[h]",
    ]  # fmt: skip


def test_what_broke_before_it_ran_for_one_reason_is_one_line():
    text = "nobody trusts it. " * 60
    tests = [check(f"tests/test_m.py::test_{n}", "broken", f"in set-up: {text}"[:898]) for n in range(3)]
    ours = check("model", "failed", text[:898])
    [(first, _, others)] = told(*tests, ours)
    assert (first, others) == (
        "tests/test_m.py::test_0",
        ("tests/test_m.py::test_1", "tests/test_m.py::test_2", "model"),
    )
    # What ran and failed is a test's own, also in the same words; so is what broke of something else.
    ran = [check(f"tests/test_m.py::test_{n}", "failed", "assert False") for n in "ab"]
    other = check("tests/test_m.py::test_c", "broken", "in set-up: no such table")
    assert len(told(*tests, *ran, other)) == 4
    assert len(told(ours, *ran)) == 3


def test_what_closes_the_gate_never_comes_of_a_warning_and_what_broke_of_nothing():
    worse = warns("performance[h]", "the candidate is worse", cause=WORSE)
    assert told(worse, failed("slices[h]", "where x"), warns("baseline[h]", "a linear one is better")) == [
        ("slices[h]", "closes", ()),
        ("performance[h]", "the candidate is worse", ("baseline[h]",)),
    ]
    unknown = warns("performance[h]", "the rows are too few")
    assert len(told(unknown, warns("slices[h]", "where x"))) == 2
    lost = failed("performance[h]", "it loses")
    assert len(told(lost, check("slices[h]", "broken", "ZeroDivisionError"))) == 2
    assert len(told(check("performance[h]", "broken", "ValueError"), failed("slices[h]", "where x"))) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_table_that_is_harder_for_both_models_is_told_once_and_apart_from_a_worse_candidate(fails: bool):
    beside = {"warning": "of the candidate, on h", "cause": HARDER}
    performance = check("performance[h]", "failed" if fails else "passed", "it loses" if fails else "", beside)
    drifted = warns("live_holds[h]", "the data has drifted", cause=HARDER)
    lost = [("performance[h]", "closes", ())] if fails else []
    assert told(performance, drifted) == [*lost, ("live_holds[h]", "the data has drifted", ("performance[h]",))]


def test_the_same_columns_of_a_source_and_of_the_training_data_are_told_once():
    assert told(
        failed("units[train_set]", "temp: 1.8 times as large", "temp"),
        failed("nulls[train_set]", "wind: 3 % more are missing", "wind"),
        failed("units[weather]", "temp: 1.79 times as large", "temp"),
        failed("nulls[weather]", "wind: 2 % more are missing; temp: 5 %", "wind", "temp"),
        warns("shift[train_set]", "temp moved", column="temp"),
        warns("shift[weather]", "temp moved far", column="temp"),
    ) == [
        ("units[train_set]", "closes", ("units[weather]",)),
        ("nulls[train_set]", "closes", ()),
        ("nulls[weather]", "closes", ()),
        ("shift[train_set]", "temp moved", ("shift[weather]",)),
    ]  # fmt: skip


def test_two_things_that_one_check_says_of_a_column_stay_two():
    both = ({"warning": "temp moved", "column": "temp"}, {"warning": "temp moved among new rows", "column": "temp"})
    found = told(check("shift[a]", "passed", "", *both), check("shift[b]", "passed", "", *both))
    assert found == [
        ("shift[a]", "temp moved", ("shift[b]",)),
        ("shift[a]", "temp moved among new rows", ("shift[b]",)),
    ]


def test_the_same_words_of_all_checks_are_one_line_that_names_some():
    broken = [check(f"c{place}[t{place}]", "broken", f"no blob of t{place}") for place in range(9)]
    [cause] = causes_of(broken)
    assert cause.check is broken[0]
    assert cause.also == " (also said by c1[t1], c2[t2], c3[t3], c4[t4], c5[t5], c6[t6] and 2 more)"


def test_tests_of_the_project_are_never_put_together():
    same = [check("tests/test_a.py::test_a", "failed", "no"), check("tests/test_a.py::test_b", "failed", "no")]
    assert len(told(*same, failed("a", "no"))) == 3
    assert len(told(*(check(f"tests/t.py::{name}", "passed", "", {"warning": "look"}) for name in "ab"))) == 2


def test_reasons_are_all_problems_but_those_that_come_of_another():
    checks = (
        check("tests/t.py::test", "failed", "no"),
        failed("performance[h]", "it loses"),
        failed("slices[h]", "where x"),
        warns("fast[h]", "slow"),
    )
    problems = ["the session is not complete", *(closes(one) for one in checks[:3])]
    assert reasons_of(checks, problems) == [
        ("the session is not complete", None),
        ("tests/t.py::test: failed: no", checks[0]),
        ("plusone::performance[h]: failed: it loses (also said by slices[h])", checks[1]),
    ]
    assert reasons_of((), ["x"]) == [("x", None)]


def test_the_one_sentence_of_a_check_that_says_nothing_else():
    same = check("rows[t]", "passed", "", {"check": "rows", "rows": 3, "message": "byte by byte"})
    assert only_message(same) == "byte by byte"
    assert only_message(check("rows[t]", "not applicable", "no live")) == "no live"
    assert only_message(warns("rows[t]", "look")) == ""
    assert only_message(check("tests/t.py::t", "passed", "", {"message": "m"})) == ""
    assert only_message(check("rows[t]", "passed", "", {"message": "m"}, {"message": "n"})) == ""
    assert only_message(check("rows[t]", "passed", "", {"message": "m", "figure": {}})) == ""
    assert only_message(check("rows[t]", "failed", "m")) == ""
