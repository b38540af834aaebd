"""The runners of editors: their plugins see a project's tests and plusone's own checks, from any folder."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plusone.base.records import Code, Run, StepRun
from plusone.data.datasets import save
from plusone.store import open_store
from plusone.store.rows import to_row
from tests.checks.conftest import light_sessions, sandbox
from tests.checks.parts import by_name

__all__ = ["light_sessions", "sandbox"]

TESTS = """
import pytest

def test_data(flights):
    assert flights["rows"] == [1, 2]

class TestMore:
    class TestDeep:
        @pytest.mark.parametrize("row", [1, 2])
        def test_row(self, flights, row):
            assert row in flights["rows"]

    def test_wrong(self, flights):
        assert not flights
"""
_ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def with_adapter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let every pytest of a test find the adapter, and say where it writes."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("ADAPTER", str(tmp_path / "adapter.json"))


def give_run(root: Path, **outputs: Any) -> None:
    """Write a run into the project's store, in which each output was made by a step of its name."""
    store = open_store(root / ".plusone")
    try:
        with store.db.write() as tx:
            tx.execute("run_add", **to_row(Run(id="r", name="release", status="done", started_at="", code=Code())))
            for name, value in outputs.items():
                dataset = save(value, store.blobs)
                tx.execute("dataset_add", **to_row(dataset))
                step = StepRun(run_id="r", step=name, fingerprint="f", status="done", outputs={name: dataset.digest})
                tx.execute("step_run_add", **to_row(step))
    finally:
        store.close()


@pytest.fixture
def project(sandbox) -> Path:
    """A project with a run, whose tests are in classes and have parameters."""
    give_run(sandbox.root, flights={"rows": [1, 2]})
    sandbox.write("tests/test_all.py", TESTS)
    return sandbox.root


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def adapt(folder: Path, *options: str) -> dict[str, Any]:
    result = run_pytest(folder, "-p", "tests.journeys.adapter", *options)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    return json.loads(Path(os.environ["ADAPTER"]).read_text("utf-8"))


@pytest.mark.slow
def test_a_tree_is_drawn_and_one_of_its_tests_run_by_id_from_another_folder(project: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    drawn = adapt(elsewhere, f"--rootdir={project}", "--collect-only", str(project))
    file = str(project / "tests" / "test_all.py")
    rows = {f"[{row}]": f"{file}::TestMore::TestDeep::test_row[{row}]" for row in (1, 2)}
    wrong = f"{file}::TestMore::test_wrong"
    more = {"TestDeep": {"test_row": rows}, "test_wrong": wrong}
    assert drawn["tree"] == {"tests": {"test_all.py": {"test_data": f"{file}::test_data", "TestMore": more}}}
    assert drawn["outcomes"] == {}
    for rootdir in (project, tmp_path):  # the project is opened in the editor, or a folder above it
        ran = adapt(elsewhere, f"--rootdir={rootdir}", rows["[2]"])
        assert ran["outcomes"] == {rows["[2]"]: "passed"}
    assert adapt(elsewhere, wrong)["outcomes"] == {wrong: "failed"}


@pytest.mark.slow
def test_the_checks_of_plusone_lie_in_the_file_in_which_one_is_left_out(sandbox, monkeypatch: pytest.MonkeyPatch):
    sandbox.write("tests/test_all.py", TESTS.replace("[1, 2]\n", "[1, 2, 3]\n", 1))
    sandbox.write("ours.py", "from plusone.checks.built_in import BuiltIn\ndef checks(given):\n"
                  "    return [BuiltIn('one[flights]', lambda: None), BuiltIn('two', lambda: 1 / 0)]\n")  # fmt: skip
    sandbox.write("ours-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    sandbox.write("ours-1.0.dist-info/entry_points.txt", "[plusone.checks]\nours = ours:checks\n")
    plain = by_name(sandbox.run("data"))
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{os.environ['PYTEST_ADDOPTS']} -p tests.journeys.adapter")
    part = sandbox.run("data")
    assert part.problems == ()
    assert by_name(part) == plain
    assert {check.test: check.outcome for check in part.checks if check.test.startswith("plusone::")} == {
        "plusone::one[flights]": "passed",
        "plusone::two": "failed",
    }
    seen = json.loads(Path(os.environ["ADAPTER"]).read_text("utf-8"))
    place = str(sandbox.root / "pyproject.toml")
    assert seen["tree"]["pyproject.toml"] == {"one[flights]": f"{place}::one[flights]", "two": f"{place}::two"}
    assert (seen["outcomes"][f"{place}::one[flights]"], seen["outcomes"][f"{place}::two"]) == ("passed", "failed")


@pytest.mark.slow
def test_a_test_of_another_project_is_refused_what_is_of_this_one(project: Path, tmp_path: Path):
    other = tmp_path / "other"
    (other / "tests").mkdir(parents=True)
    (other / "pyproject.toml").write_text("[tool.plusone]\n")
    (other / "tests" / "test_other.py").write_text("def test_data(flights): pass\ndef test_none(): pass\n")
    mine = str(project / "tests" / "test_all.py::test_data")
    result = run_pytest(tmp_path, f"--rootdir={tmp_path}", mine, str(other / "tests" / "test_other.py"))
    assert "2 passed, 1 error" in result.stdout, result.stdout + result.stderr
    assert f"is a test of the project {other}, and what this pytest gives to tests is of {project}" in result.stdout
    assert f"to mend it: pytest {other}" in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("teamcity") is None, reason="not run: teamcity-messages is not installed")
def test_the_plugin_that_pycharm_speaks_tells_of_all(project: Path, tmp_path: Path, sandbox, monkeypatch):
    name = "tests/test_all.py::TestMore::TestDeep::test_row[2]"
    told = run_pytest(tmp_path / "elsewhere", "--teamcity", f"--rootdir={project}", str(project / name)).stdout
    assert re.findall(r"##teamcity\[(test\w+) .*?name='(.*?)'\]", told) == [
        ("testStarted", "tests.test_all.TestMore.TestDeep.test_row(2)"),
        ("testFinished", "tests.test_all.TestMore.TestDeep.test_row(2)"),
    ]
    # A server that builds with it sets the variable: a session of plusone is told to it as well.
    monkeypatch.setenv("TEAMCITY_VERSION", "2026.1")
    sandbox.write("tests/test_all.py", "def test_data(flights): assert flights\n")
    lines: list[str] = []
    part = sandbox.run("data", on_line=lines.append)
    assert by_name(part) == {"test_data": "passed"}
    assert any("testFinished" in line and "name='tests.test_all.test_data'" in line for line in lines), lines
