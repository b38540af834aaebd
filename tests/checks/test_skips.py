"""Names in `checks.skip`: each is of a check, and plusone's own modules say the names of all that they bring."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from plusone.base.config import Checks
from plusone.base.errors import ConfigError
from plusone.base.records import Output
from plusone.built_in import data, model, replay
from plusone.checks.skips import check_skips, known_skips
from tests.built_in.given import given

OUTPUTS = ("train_set", "holdout")


@pytest.mark.parametrize("name", ["columns", "columns[train_set]", "performance[holdout]", "replay", "replay[latency]"])
def test_what_a_check_is_called_is_let(name: str):
    check_skips([name], OUTPUTS, "pyproject.toml")
    assert known_skips([name], OUTPUTS) == (name,)


@pytest.mark.parametrize(
    ("skip", "wrong", "says", "mend"),
    [
        (["leakage", "colums"], "colums", "plusone has no such check", 'skip = ["leakage", "columns"]'),
        (["shift[trainset]"], "shift[trainset]", "no step makes 'trainset'", 'skip = ["shift[train_set]"]'),
        (["replay[speed]", "fast"], "replay[speed]", "no step makes 'speed'", 'skip = ["replay[answers]", "fast"]'),
        (["plusone::rows"], "plusone::rows", "no such check", 'skip = ["rows"]'),
        (["replay[latency][x]"], "replay[latency][x]", "", 'skip = ["replay[latency]"]'),
        (["columns", "zzzzzz"], "zzzzzz", "no such check", 'skip = ["columns"]'),
        (["", "fast"], "", "no such check", 'skip = ["fast"]'),
        (["colums", "columns"], "colums", "no such check", 'skip = ["columns"]'),
    ],
)
def test_what_is_called_nothing_is_an_error_with_the_line_that_mends_it(skip, wrong: str, says: str, mend: str):
    with pytest.raises(ConfigError) as raised:
        check_skips(skip, OUTPUTS, "/p/pyproject.toml")
    assert f"/p/pyproject.toml, [tool.plusone.checks] skip names {wrong!r}" in raised.value.message
    assert says in raised.value.message
    assert "Known: columns, ranges, " in raised.value.message
    assert "replay[latency]" in raised.value.message
    assert raised.value.mend == mend
    assert wrong not in known_skips(skip, OUTPUTS)


def test_the_names_are_those_of_all_checks_that_may_be_made():
    tables = {"train_set": [{"late": True}], "holdout": [{"late": False}]}
    answers = SimpleNamespace(signature=SimpleNamespace(output=Output(name="delay", kind="number")))
    made = {check.name.partition("[")[0] for check in model.checks(given(answers, tables))}
    assert made == set(model.NAMES)
    made = {check.name.partition("[")[0] for check in data.checks(given(None, tables, subject="data"))}
    assert made == set(data.NAMES)
    asked = given(object(), {}, live=object())
    asked.context.requests = "requests.arrow"
    assert {"replay", *(check.name for check in replay.checks(asked))} == set(replay.NAMES)


@pytest.mark.slow
def test_in_a_session_it_is_an_error_before_any_test(sandbox):
    sandbox.write("tests/test_all.py", "def test_data(flights):\n    assert flights\n")
    sandbox.change(settings=Checks(skip=("colums",)))
    part = sandbox.run("data")
    assert part.checks == ()
    assert "skip names 'colums'" in part.problems[0]
    assert 'to mend it: skip = ["columns"]' in part.problems[0]


def test_who_does_not_say_the_names_of_its_checks_may_have_any(sandbox, monkeypatch: pytest.MonkeyPatch):
    sandbox.write("theirs.py", "def checks(given):\n    return []\n")
    sandbox.write("theirs-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    sandbox.write("theirs-1.0.dist-info/entry_points.txt", "[plusone.checks]\ntheirs = theirs:checks\n")
    monkeypatch.syspath_prepend(str(sandbox.root))
    check_skips(["colums"], OUTPUTS, "pyproject.toml")
    assert known_skips(["colums"], OUTPUTS) == ("colums",)
