"""Plain pytest in a project, as an engineer uses it: nothing of it needs plusone's command, and nothing is recorded."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.projects import environment, released_once, run_json
from tests.shared import once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KINDS = """
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st


@pytest.mark.parametrize("column", ["x", "z"])
def test_columns(rows, column):
    assert column in rows.column_names


@pytest.mark.xfail(reason="not yet", strict=True)
def test_expected(rows):
    assert len(rows) == 1


@pytest.mark.skip(reason="later")
def test_later(rows):
    raise AssertionError


def test_parts(rows, subtests):
    for name in ("x", "y"):
        with subtests.test(name=name):
            assert name in rows.column_names


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(x=st.floats(-1, 1))
def test_any_x_is_answered(model, x):
    assert model.predict([{"x": x, "z": 0.0}]).shape == (1,)


@pytest.fixture(scope="module")
def first(rows):
    return rows.slice(0, 10)


class TestGroup:
    @pytest.mark.slow
    def test_in_it(self, first, live):
        assert len(first) == 10
"""
DEEP = "def test_deep(rows, model):\n    assert len(rows) == 200\n"
FAILS = "def test_fails(rows):\n    count = len(rows)\n    assert count == 7\n"


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project whose release 1 is live, with tests of every kind that were added since."""

    def make(folder: Path) -> None:
        root = Path(shutil.copytree(released_once(tmp_path_factory), folder / "p"))
        (root / "tests" / "test_kinds.py").write_text(KINDS)
        (root / "tests" / "deep").mkdir()
        (root / "tests" / "deep" / "test_deep.py").write_text(DEEP)
        with (root / "pyproject.toml").open("a") as file:
            file.write('\n[tool.pytest.ini_options]\nmarkers = ["slow: takes long"]\n')

    return Path(shutil.copytree(once(tmp_path_factory, "kinds", make) / "p", tmp_path / "p"))


def by_hand(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder,
        env=environment(PYTEST_ADDOPTS=""),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_every_kind_of_test_runs(project: Path):
    before = run_json(project, "show", "m@1")
    done = by_hand(project)
    assert "8 passed, 1 skipped, 1 xfailed" in done.stdout, done.stdout
    assert "plusone: model = m@1, step outputs of the last run: holdout, rows, train_set" in done.stdout
    assert run_json(project, "show", "m@1") == before, "nothing is recorded"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-k", "columns"], "2 passed, 8 deselected"),
        (["-m", "slow"], "1 passed, 9 deselected"),
        (["-n", "2"], "8 passed, 1 skipped, 1 xfailed"),
        (["tests/test_kinds.py::TestGroup::test_in_it"], "1 passed"),
        (["--fixtures", "-q"], "The step output 'rows', a fresh copy for each test."),
    ],
)
def test_options_do_what_they_do(project: Path, words: list[str], says: str):
    done = by_hand(project, *words)
    assert (done.returncode, says in done.stdout) == (0, True), done.stdout


def test_one_file_runs_from_any_folder(project: Path, tmp_path: Path):
    file = project / "tests" / "deep" / "test_deep.py"
    for folder, words in (
        (project / "tests" / "deep", []),
        (tmp_path, [str(file)]),
        (tmp_path, ["p/tests/deep/test_deep.py::test_deep"]),
        (Path("/"), [str(file), "--rootdir", str(tmp_path)]),
    ):
        done = by_hand(folder, *words)
        assert "1 passed" in done.stdout, f"{folder} {words}\n{done.stdout}"


def test_a_project_in_a_repository_that_has_pytests_options_above(project: Path, tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-p no:randomly'\n")
    settings = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(settings.partition("[tool.pytest")[0])
    shutil.rmtree(project / "tests" / "deep")
    (project / "tests" / "test_kinds.py").write_text(DEEP)
    assert "3 passed" in by_hand(project).stdout
    assert "3 passed" in by_hand(tmp_path, "p/tests").stdout
    assert "1 passed" in by_hand(project / "tests", "test_kinds.py").stdout
    # Whose repository it is has tests of its own, which get nothing of ours.
    (tmp_path / "test_other.py").write_text("def test_other(pytestconfig):\n    assert pytestconfig\n")
    other = by_hand(tmp_path, "test_other.py")
    assert ("1 passed" in other.stdout, "plusone:" in other.stdout) == (True, False)


def test_the_last_failed_test_is_run_again_first(project: Path):
    (project / "tests" / "test_fails.py").write_text(FAILS)
    assert "1 failed" in by_hand(project, "tests/test_fails.py", "tests/test_data.py").stdout
    again = by_hand(project, "-x", "--lf")
    assert "1 failed" in again.stdout
    assert " passed" not in again.stdout.splitlines()[-1]


def test_a_debugger_stops_in_a_failed_test(project: Path):
    (project / "tests" / "test_fails.py").write_text(FAILS)
    done = by_hand(project, "--pdb", "tests/test_fails.py", stdin="p count * 1000 + 1\nq\n")
    assert "(Pdb) 200001" in done.stdout, done.stdout


def test_a_debugger_has_the_terminal_in_tests_of_an_old_release(project: Path):
    (project / "tests" / "test_data.py").write_text(FAILS)
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("plusone")), "test", "m@1", "--now", "--", "--pdb", "-k", "fails"]
    process = subprocess.Popen(command, cwd=project, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said, sent = b"", False
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        said += piece
        if b"(Pdb)" in said and not sent:
            os.write(ours, b"p count * 1000 + 1\nq\n")
            sent = True
        if not piece:
            break
    os.close(ours)
    process.wait(60)
    assert b"200001" in said, said.decode("utf-8", "replace")


def test_the_same_tests_decide_in_a_release(project: Path):
    """What opens the gate there is stricter: a skipped test closes it."""
    kinds = (project / "tests" / "test_kinds.py").read_text()
    unskipped = kinds.replace('@pytest.mark.skip(reason="later")\n', "").replace("raise AssertionError", "pass")
    (project / "tests" / "test_kinds.py").write_text(unskipped)
    done = run_json(project, "release", "--set", "C=0.5")
    assert done["outcome"] == "live", done["problems"]
    outcomes = {one["test"].rpartition("::")[2]: one["outcome"] for one in done["checks"]}
    assert outcomes["test_expected"] == "xfailed"
    assert outcomes["test_columns[x]"] == outcomes["test_parts"] == outcomes["test_any_x_is_answered"] == "passed"
