from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.records import Check, Outcome, Session
from plusone.checks.verdict import closes, problems_of, problems_so_far

OUTCOMES = get_args(Outcome)
SUBJECTS = ("data", "model", "code")


def check(test: str = "tests/test_a.py::test", subject: str = "data", outcome: str = "passed", **more) -> Check:
    return Check(test=test, subject=subject, outcome=outcome, **more)  # pyright: ignore[reportArgumentType]  outcomes that do not exist are tried too


def session(*checks: Check, problems: tuple[str, ...] = ()) -> Session:
    return Session(id="s", release="d", checks=checks, problems=problems)


GOOD = (check("d"), check("m", "model"))


def opens(outcome: str, allowed: bool, message: str) -> bool:
    """Law 1 for one check, in other words than the code's."""
    return {
        "passed": True,
        "failed": False,
        "inconclusive": allowed,
        "not applicable": True,
        "skipped": False,
        "deselected": False,
        "broken": False,
        "xfailed": message.strip() != "",
        "not run": False,
    }[outcome]


@pytest.mark.parametrize(
    ("outcome", "allowed", "message", "subject"), list(product(OUTCOMES, (False, True), ("", " ", "why"), SUBJECTS))
)
def test_every_outcome_beside_two_passed_tests(outcome: str, allowed: bool, message: str, subject: str):
    one = check("x", subject, outcome, allowed=allowed, message=message)
    problems = problems_of(session(*GOOD, one))
    assert (problems == []) == opens(outcome, allowed, message)
    assert all(problem.startswith("x: ") for problem in problems)
    assert (closes(one) == "") == (problems == [])


@given(
    st.lists(
        st.builds(
            check,
            test=st.sampled_from("abcdef"),
            subject=st.sampled_from(SUBJECTS),
            outcome=st.sampled_from(OUTCOMES),
            allowed=st.booleans(),
            message=st.sampled_from(["", "why"]),
        ),
        max_size=6,
    ),
    st.lists(st.sampled_from(["a file was never collected", "killed"]), max_size=2),
)
def test_the_gate_is_open_exactly_when_nothing_closes_and_both_subjects_have_a_pass(
    checks: list[Check], problems: list[str]
):
    expected = (
        not problems
        and all(opens(one.outcome, one.allowed, one.message) for one in checks)
        and {"data", "model"} <= {one.subject for one in checks if one.outcome == "passed"}
    )
    assert (problems_of(session(*checks, problems=tuple(problems))) == []) == expected


@pytest.mark.parametrize("outcome", [one for one in OUTCOMES if one != "passed"])
@pytest.mark.parametrize("subject", ["data", "model"])
def test_only_a_pass_counts_as_a_pass(outcome: str, subject: str):
    other = "model" if subject == "data" else "data"
    one = check("x", subject, outcome, allowed=True, message="why")
    problems = problems_of(session(check("y", other), check("z", "code"), one))
    assert any(problem.startswith(f"no test passed on the {subject}") for problem in problems)


def test_an_empty_session_closes_for_both_subjects():
    assert problems_of(session()) == [
        "no test passed on the data: there is no test that uses a step output",
        "no test passed on the model: there is no test that uses `model` or `live`",
    ]


def test_an_outcome_that_this_version_does_not_know_closes():
    assert problems_of(session(*GOOD, check("x", "model", "improved"))) == ["x: improved"]


def test_the_same_problem_is_said_once_and_part_of_a_session_can_be_judged():
    broken = check("tests/test_b.py", "code", "broken", message="can't be collected")
    said = "tests/test_b.py: broken: can't be collected"
    assert problems_so_far([broken, GOOD[0]], [said]) == [said]
    assert problems_so_far([GOOD[0]], []) == []
