"""Plusone's own checks in whole sessions: found by entry point, recorded like tests, and never in their place."""

from __future__ import annotations

import msgspec
import pandas as pd
import pytest

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.checks.built_in import Given
from plusone.checks.session import assemble
from plusone.checks.verdict import problems_of
from tests.checks.parts import only

OURS = """
from plusone.checks.built_in import BuiltIn
from plusone.measuring.outcomes import CheckFailed, Inconclusive, NotApplicable, warn

def checks(given):
    if given.context.subject == "model":
        yield BuiltIn("answers", lambda: len(given.model.predict(given.value("holdout"))))
        return
    training = given.learning.inputs[0]

    def counted():
        now, before = given.table(training).num_rows, given.table_before(training).num_rows
        warn("there are fewer rows", now=now, before=before)

    def failing():
        raise CheckFailed("the rows are wrong")

    def broken():
        raise ZeroDivisionError("ours")

    def unclear():
        raise Inconclusive("who knows")

    def nothing():
        raise NotApplicable("nothing to compare")

    for run in (counted, failing, broken, unclear, nothing):
        yield BuiltIn(f"{run.__name__}[{training}]", run)
"""


@pytest.fixture
def project(sandbox):
    """A project that brings checks of its own by an entry point, with a table now and one before."""
    sandbox.output(train_set=pd.DataFrame({"a": [1.0, 2.0]}))
    before = sandbox.context.outputs["train_set"]
    sandbox.output(train_set=pd.DataFrame({"a": [1.0]}))
    sandbox.change(before={"train_set": before}, learning=Learning(inputs=("train_set",)))
    sandbox.write("ours.py", OURS)
    sandbox.write("ours-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    sandbox.write("ours-1.0.dist-info/entry_points.txt", "[plusone.checks]\nours = ours:checks\n")
    sandbox.write("tests/test_all.py", "def test_data(flights):\n    assert flights\n")
    return sandbox


@pytest.mark.slow
def test_each_is_a_check_with_an_outcome_of_its_own(project):
    part = project.run("data")
    found = {check.test: check.outcome for check in part.checks if check.test.startswith("plusone::")}
    # Those of plusone itself run beside them.
    assert (
        found.items()
        >= {
            "plusone::counted[train_set]": "passed",
            "plusone::failing[train_set]": "failed",
            "plusone::broken[train_set]": "failed",
            "plusone::unclear[train_set]": "inconclusive",
            "plusone::nothing[train_set]": "not applicable",
        }.items()
    )
    checks = {check.test.partition("[")[0]: check for check in part.checks if check.test in found}
    assert checks["plusone::counted"].measured == ({"warning": "there are fewer rows", "now": 1, "before": 2},)
    assert checks["plusone::failing"].message == "the rows are wrong"
    assert checks["plusone::failing"].subject == "data"
    assert "ZeroDivisionError" in checks["plusone::broken"].message


@pytest.mark.slow
def test_the_project_leaves_one_out_by_its_name_and_all_by_a_switch(project):
    project.change(settings=Checks(skip=("failing", "broken[train_set]")))
    names = {check.test for check in project.run("data").checks}
    assert not {"plusone::failing[train_set]", "plusone::broken[train_set]"} & names
    assert "plusone::counted[train_set]" in names
    project.change(settings=Checks(built_in=False))
    assert not [check for check in project.run("data").checks if check.test.startswith("plusone::")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("ZeroDivisionError('ours')", "ZeroDivisionError: ours"),
        ("UnsafeValue('Types that nobody knows.', mend='plusone trust m@n')", "Types that nobody knows"),
    ],
)
def test_what_cannot_say_its_checks_is_one_that_broke_and_ends_no_session(project, raised, said):
    project.write(
        "ours.py",
        "from plusone.base.errors import UnsafeValue\nfrom plusone.checks.built_in import BuiltIn\n\n\n"
        f"def checks(given):\n    yield BuiltIn('one', int)\n    raise {raised}\n",
    )
    part = project.run("data")
    assert only(part, "one").outcome == "passed"
    assert only(part, "test_data").outcome == "passed"
    broke = only(part, "ours")
    assert (broke.outcome, said in broke.message) == ("failed", True), broke
    assert not [problem for problem in part.problems if "internal error" in problem]


@pytest.mark.slow
def test_no_option_of_pytest_takes_one_out(project):
    project.write("pytest.ini", "[pytest]\naddopts = -k test_data --deselect plusone::failing[train_set]\n")
    assert only(project.run("data"), "failing[train_set]").outcome == "failed"


@pytest.mark.slow
def test_they_do_not_stand_for_the_tests_of_the_project(project, packages, holdout):
    project.output(holdout=holdout)
    project.change(candidate=packages["good"])
    model = project.run("model")
    answered = next(check for check in model.checks if check.test == "plusone::answers")
    assert (answered.outcome, answered.subject) == ("passed", "model")
    data = msgspec.structs.replace(project.run("data"), checks=())
    problems = problems_of(assemble("d", data, model))
    assert any("no test passed on the model" in problem for problem in problems)
    assert any("no test passed on the data" in problem for problem in problems)


def test_a_table_with_all_fields_that_the_model_did_not_learn_from_is_a_holdout(sandbox):
    table = pd.DataFrame({"a": [1.0], "late": [True]})
    sandbox.output(train_set=table, holdout=table, joined=table, other=table[["a"]], note={"a": 1})
    learning = Learning(inputs=("train_set",), targets=("late",), upstream=("joined", "train_set"))
    sandbox.change(learning=learning)
    assert Given(sandbox.context).holdouts == ("holdout",)
    sandbox.change(learning=msgspec.structs.replace(learning, features=("b",)))
    assert Given(sandbox.context).holdouts == ()
    sandbox.change(learning=Learning())
    assert Given(sandbox.context).holdouts == ()
