"""`plusone test` on releases that were really made: what is run, what is recorded, and what the gate makes of it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from plusone.app.app import App
from plusone.base.errors import PlusoneError
from tests.journeys.projects import MODEL_TEST, environment, make_project, released_once, run, run_json
from tests.shared import once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project whose release 1 is live."""
    return Path(shutil.copytree(released_once(tmp_path_factory), tmp_path / "p"))


@pytest.fixture
def grown(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with two releases, 2 live: release 1 had other code, other tests and a file that one of them reads."""

    def make(folder: Path) -> None:
        root = make_project(
            folder / "p",
            files={
                "helping.py": "LEAST = 0.8\n",
                "tests/least.txt": "200",
                "tests/test_data.py": "from pathlib import Path\n\n\ndef test_rows(rows):\n"
                "    assert len(rows) == int((Path(__file__).parent / 'least.txt').read_text())\n",
                "tests/test_model.py": "import plusone\nfrom helping import LEAST\n\n\ndef test_auc(model, holdout):\n"
                "    plusone.check.at_least(model, holdout, metric='roc_auc', value=LEAST)\n\n\n"
                "def test_live(model, live, holdout):\n    assert live.digest\n",
            },
        )
        run_json(root, "release")
        (root / "helping.py").unlink()
        (root / "tests" / "least.txt").write_text("7")
        (root / "tests" / "test_data.py").write_text("def test_other(rows):\n    assert len(rows)\n")
        (root / "tests" / "test_model.py").write_text(MODEL_TEST)
        run_json(root, "release", "--set", "C=0.5")

    return Path(shutil.copytree(once(tmp_path_factory, "grown", make) / "p", tmp_path / "p"))


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    checks = found["session"]["checks"]
    return {one["test"]: one["outcome"] for one in checks if not one["test"].startswith("plusone::")}


def live_of(app: App) -> int | None:
    return app.status(model="m").models[0].live


def sessions(project: Path, target: str) -> list[str]:
    with App(project) as app:
        return [one.id for one in app.get_release(target=target).sessions]


def test_an_old_release_is_tested_with_its_own_tests_code_and_data(grown: Path):
    found = run_json(grown, "test", "m@1")
    assert outcomes(found) == {
        "tests/test_data.py::test_rows": "passed",
        "tests/test_model.py::test_auc": "passed",
        "tests/test_model.py::test_live": "passed",
    }, "live, which it had not then, is today's"
    assert (found["recorded"], found["problems"], found["release"]) == (True, [], 1)
    assert len(sessions(grown, "m@1")) == 2
    assert sessions(grown, "m@1")[1] == found["session"]["id"]
    assert not (grown / "helping.py").exists(), "nothing is laid out in the working folder"


def test_without_a_release_the_newest_is_tested_and_shown(grown: Path):
    done = run(grown, "test", "-q")
    assert done.returncode == 0, done.stderr
    assert "m@2: its tests pass. Recorded: plusone checks m@2" in done.stdout
    assert len(sessions(grown, "m@2")) == 2


def test_tests_of_the_working_folder_are_not_recorded(grown: Path):
    found = run_json(grown, "test", "m@1", "--now")
    assert outcomes(found) == {"tests/test_data.py::test_other": "passed", "tests/test_model.py::test_auc": "passed"}
    assert found["recorded"] is False
    assert run_json(grown, "test", "m@1", "--no-record")["recorded"] is False
    assert len(sessions(grown, "m@1")) == 1


def test_a_check_left_out_that_is_none_is_told_of_the_working_folder_alone(project: Path):
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(f'{text}\n[tool.plusone.checks]\nskip = ["colums"]\n')
    wrong = run(project, "test", "m@1", "--now")
    assert wrong.returncode == 2
    assert "skip names 'colums'" in " ".join(wrong.stderr.split())
    # What the release was made with is what it was: nobody can mend it there.
    assert run(project, "test", "m@1", "--no-record", "-q").returncode == 0


def test_options_for_pytest_choose_tests_and_nothing_is_recorded(grown: Path, tmp_path: Path):
    done = run(grown, "test", "m@1", "--json", "--", "-k", "auc")
    found = json.loads(done.stdout)
    assert (outcomes(found), found["problems"], done.returncode) == (
        {"tests/test_model.py::test_auc": "passed"}, [], 0
    )  # fmt: skip
    one = json.loads(run(grown, "test", "m@1", "--json", "--", "tests/test_data.py::test_rows").stdout)
    assert outcomes(one) == {"tests/test_data.py::test_rows": "passed"}
    assert len(sessions(grown, "m@1")) == 1
    wrong = run(grown, "test", "m@1", "--", "--no-such-option")
    assert wrong.returncode == 2
    assert "pytest does not take these options: --no-such-option" in wrong.stderr
    assert "unrecognized arguments" in wrong.stderr, "what pytest itself says"


def test_options_that_leave_no_test_are_no_success_and_some_tests_say_nothing_of_the_gate(grown: Path):
    none = run(grown, "test", "m@1", "--", "-k", "no_such_test")
    assert (none.returncode, none.stdout.count("in order")) == (2, 0)
    assert "These options leave none of the 3 tests: -k no_such_test." in none.stderr
    missing = run(grown, "test", "m@1", "--", "tests/test_data.py::test_other")
    assert missing.returncode == 2
    assert "not found: " in missing.stderr
    one = run(grown, "test", "m@1", "--", "-k", "auc")
    assert one.returncode == 0
    assert "m@1: in order. Nothing was recorded." in one.stdout
    assert "the gate is" not in one.stdout


def test_what_pytest_can_not_begin_with_here_says_nothing_of_a_release(project: Path):
    """A plugin that this environment lacks must not close the gate of a live release."""
    before = sessions(project, "@live")
    done = run(project, "test", "@live", env=environment(PYTEST_ADDOPTS="-p no_such_plugin"))
    assert done.returncode == 2
    assert "pytest can't begin with the tests of m@1 here, so nothing is said of it" in done.stderr
    assert "no_such_plugin" in done.stderr
    assert sessions(project, "@live") == before


def test_nothing_is_drawn_over_a_debugger(project: Path):
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("plusone")), "test", "m@1", "--", "-k", "test_auc", "--trace"]
    process = subprocess.Popen(
        command, cwd=project, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    try:
        while b"(Pdb)" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, b"print(type(model).__name__)\nc\n")
        with contextlib.suppress(OSError):  # how Linux says that nobody has the other end any more
            while part := os.read(ours, 4096):
                seen += part
        assert process.wait(60) == 0, seen
    finally:
        process.kill()
        os.close(ours)
    assert b"Predictor" in seen
    assert b"\x1b[2K" not in seen, "a bar erases the line that it is drawn on"
    assert b"Nothing was recorded." in seen


def test_a_failing_rerun_of_the_live_release_closes_its_gate_and_leaves_it_live(project: Path):
    root = make_project(
        project.parent / "q",
        files={
            "tests/test_model.py": "import os\n\n\ndef test_weather(model):\n    assert 'RAIN' not in os.environ\n",
        },
    )
    run_json(root, "release")
    run_json(root, "release", "--set", "C=0.5")
    done = run(root, "test", "@live", env=environment(RAIN="1"))
    assert done.returncode == 1, done.stderr
    assert "m@2: its gate is closed from now on." in done.stdout
    assert "It is live and goes on" in done.stdout
    before = run(root, "test", "@previous", env=environment(RAIN="1"))
    assert "plusone rollback refuses it. Past that: plusone promote m@1 --override" in before.stdout
    with App(root) as app:
        assert live_of(app) == 2
        with pytest.raises(PlusoneError, match="m@1 may not go live"):
            app.roll_back(target="m")
        assert live_of(app) == 2
    # The newest session is what the gate reads: a rerun that passes opens it again.
    run_json(root, "test", "m@1")
    with App(root) as app:
        assert app.roll_back(target="m").release == 1


def test_junit_has_every_test_of_both_sessions(project: Path):
    run_json(project, "test", "m@1", "--junit", "new/report.xml")
    suites = ET.parse(project / "new" / "report.xml").getroot()  # noqa: S314  pytest has written it
    assert [suite.get("name") for suite in suites] == ["data", "model"]
    assert {case.get("name") for case in suites.iter("testcase")} >= {"test_rows", "test_auc", "replay"}
    wrong = run(project, "test", "m@1", "--junit", "pyproject.toml/report.xml")
    assert wrong.returncode == 2
    assert "can't be written" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["m@9"], "There is no m@9"),
        (["other@1"], "There is no release of a model 'other'"),
        (["@nothing"], "'@nothing' names no release"),
    ],
)
def test_what_is_no_release_is_the_callers_mistake(project: Path, words: list[str], says: str):
    done = run(project, "test", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
