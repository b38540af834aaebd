"""`plusone checks` and `plusone diff`: what is shown, which exit code, what is written for CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from junitparser import JUnitXml

from plusone.base.records import Check
from plusone.cli import main as cli
from tests.quality.released import add_checks, checked, run
from tests.release.written import Written

FAILED = Check(
    test="tests/test_model.py::test_bad", subject="model", outcome="failed", message="too slow", output="it took 3 s\n"
)


def test_an_open_gate_is_exit_code_0_and_the_checks_have_values_rows_and_warnings(
    written: Written, capsys: pytest.CaptureFixture[str]
):
    add_checks(written, written.release(checks=None), checked())
    assert run("checks", "m@1") == 0
    said = capsys.readouterr().out
    project, _, ours = said.partition("plusone's own checks")
    assert "test_rows" in project
    assert "shift[train_set]" in ours
    assert "plusone::" not in said
    for part in ("roc_auc is 0.7012; expected is at least 0.65", "candidate 0.7012", "12,345", "warning: temp moved"):
        assert part in said
    assert said.endswith("the gate is open\n")


def test_a_closed_gate_is_exit_code_1_and_says_why(written: Written, capsys: pytest.CaptureFixture[str]):
    add_checks(written, written.release(checks=None), checked(FAILED), problems=("tests/test_z.py was not collected",))
    assert run("checks", "m@1") == 1
    said = capsys.readouterr().out
    assert (
        "the gate is closed\n  - tests/test_z.py was not collected\n  - tests/test_model.py::test_bad: failed: too slow"
        in said
    )
    assert run("checks", "m@1", "--json") == 1
    assert run("checks", "m@2") == 2


def test_failed_shows_what_closes_or_warns_and_test_what_is_named(written: Written, capsys: pytest.CaptureFixture[str]):
    add_checks(written, written.release(checks=None), checked(FAILED))
    assert run("checks", "m@1", "--failed") == 1
    said = capsys.readouterr().out
    assert "test_bad" in said
    assert "shift[train_set]" in said
    assert "test_rows" not in said
    assert run("checks", "m@1", "--test", "test_rows", "--output") == 1
    said = capsys.readouterr().out
    assert "  | three columns\n" in said
    assert "test_bad" not in said
    assert "it took 3 s" not in said
    assert run("checks", "m@1", "--test", "nothing") == 2


def test_every_session_is_kept_and_an_earlier_one_can_be_shown(written: Written, capsys: pytest.CaptureFixture[str]):
    release = written.release(checks=None)
    first = add_checks(written, release, checked(FAILED))
    second = add_checks(written, release, checked())
    assert run("checks", "m@1", "--all") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [first.id, second.id]
    assert [line.split()[-1] for line in lines[1:]] == ["closed", "open"]
    assert run("checks", "m@1", "--all", "--json") == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [first.id, second.id]
    assert run("checks", "m@1", "--session", first.id) == 1
    assert "test_bad" in capsys.readouterr().out
    for wrong in ("zzz", "", "0"):
        assert run("checks", "m@1", "--session", wrong) == 2
        assert "plusone checks m@1 --all" in capsys.readouterr().err


def test_junit_is_written_whole_and_is_red_when_the_gate_is_closed(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    release = written.release(checks=None)
    add_checks(written, release, checked())
    file = tmp_path / "new" / "checks.xml"
    assert run("checks", "m@1", "--junit", str(file)) == 0
    suites = JUnitXml.fromfile(str(file))
    assert (suites.tests, suites.failures, suites.errors) == (4, 0, 0)
    assert [suite.name for suite in suites] == ["m@1"]
    add_checks(written, release, checked(FAILED))
    assert run("checks", "m@1", "--junit", str(file), "--json") == 1
    assert JUnitXml.fromfile(str(file)).failures == 1
    capsys.readouterr()
    assert run("checks", "m@1", "--junit", str(written.root / "pyproject.toml" / "x.xml")) == 2
    assert "can't be written" in capsys.readouterr().err
    assert run("checks", "m@1", "--junit", "-") == 1
    said = capsys.readouterr().out
    assert JUnitXml.fromstring(said.encode()).failures == 1
    assert said == file.read_text("utf-8")
    assert run("checks", "m@1", "--junit", "-", "--json") == 2


def test_the_shell_completes_releases_and_their_sessions(written: Written):
    release = written.release(checks=None)
    ids = [add_checks(written, release, checked()).id for _ in range(2)]
    shell = ShellComplete(cli.cli, {}, "plusone", "_PLUSONE_COMPLETE")
    assert [item.value for item in shell.get_completions(["checks"], "m@")] == ["m@1"]
    assert [item.value for item in shell.get_completions(["checks", "m@1", "--session"], "")] == ids[::-1]
    assert [item.value for item in shell.get_completions(["checks", "m@1", "--session"], ids[1])] == [ids[1]]
    for words in (["checks", "--session"], ["checks", "m@9", "--session"]):
        assert shell.get_completions(words, "") == []


def test_what_all_would_leave_out_is_refused_beside_it(written: Written, capsys: pytest.CaptureFixture[str]):
    add_checks(written, written.release(checks=None), checked())
    for words in (["--junit", "x.xml"], ["--session", "0"], ["--failed"], ["--test", "a"], ["--output"]):
        assert run("checks", "m@1", "--all", *words) == 2
        assert "--all lists sessions" in capsys.readouterr().err
    assert not list(written.root.glob("x.xml"))


def test_a_message_that_ends_with_what_was_measured_is_printed_once(
    written: Written, capsys: pytest.CaptureFixture[str]
):
    measured = {"message": "mean losses: 0.2 and 0.1"}
    bad = Check(
        test="plusone::baseline[t]", subject="model", outcome="failed", measured=(measured,),
        message="it loses more than 50%: mean losses: 0.2 and 0.1",
    )  # fmt: skip
    add_checks(written, written.release(checks=None), checked(bad))
    assert run("checks", "m@1", "--test", "baseline") == 1
    assert capsys.readouterr().out.count("mean losses: 0.2 and 0.1") == 1
    why = Check(
        test="plusone::performance[t]", subject="model", outcome="failed", measured=(measured,),
        message="mean losses: 0.2 and 0.1: more than 30% is lost",
    )  # fmt: skip
    add_checks(written, written.release(checks=None), checked(why))
    assert run("checks", "m@2", "--test", "performance") == 1
    said = capsys.readouterr().out
    assert (said.count("mean losses: 0.2 and 0.1"), said.count("more than 30% is lost")) == (1, 1)


def test_diff_shows_outcomes_and_values_side_by_side_and_what_is_new_or_gone(
    written: Written, capsys: pytest.CaptureFixture[str]
):
    add_checks(written, written.release(checks=None), checked(FAILED))
    better = {"check": "at_least", "metric": "roc_auc", "candidate": 0.75, "value": 0.65, "rows": 12345}
    new = Check(test="plusone::rows[train_set]", subject="data", outcome="passed")
    mended = Check(test="tests/test_model.py::test_good", subject="model", outcome="passed", measured=(better,))
    add_checks(written, written.release(checks=None), (checked()[0], mended, new))
    assert run("diff", "1", "2") == 0
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines() if line}
    assert lines["tests/test_model.py::test_bad"] == "failed gone"
    assert lines["rows[train_set]"] == "not there passed"
    assert lines["tests/test_model.py::test_good"] == (
        "passed metric roc_auc candidate 0.7012 value 0.6500 passed metric roc_auc candidate 0.7500 value 0.6500"
    )
    assert "tests/test_data.py::test_rows" not in lines, "it does not differ"
