"""Pytest as people know it, in a project: parameters, -k, marks, a debugger, several processes, from another folder.

What is run here by hand decides nothing; how a session of a release runs them, tests/checks/test_session.py shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plusone.base.records import Code, Run, StepRun
from plusone.checks.context import ReleaseRef
from plusone.data.datasets import save
from plusone.packaging import keeping
from plusone.store import open_store
from plusone.store.rows import to_row
from tests.checks.conftest import Sandbox, light_sessions, packages, sandbox
from tests.checks.test_by_hand import add_release

__all__ = ["light_sessions", "packages", "sandbox"]
pytestmark = pytest.mark.slow

TESTS = """
import pytest
import plusone
from plusone.check import perturb

CASES = plusone.check.cases("cases.csv")


@pytest.mark.parametrize("case", CASES)
def test_case(model, case):
    answer = bool(model.predict([{"distance": case["distance"], "hour": case["hour"]}])[0])
    assert answer == case["expected"], case["because"]


@pytest.mark.quick
def test_all_cases(model):
    plusone.check.minimum(model, "cases.csv", expected="expected")


def test_hours_matter_little(model, flights):
    plusone.check.invariant(model, flights["rows"], perturb.add("hour", 1), at_most=0.9)


def test_each_by_itself(model, subtests):
    for case in CASES:
        with subtests.test(case.id):
            assert case.values[0]["distance"] is not None


def test_a_chain(model):
    plusone.check.contains(lambda case: f"it is {case}", ["a", "b"], text="it is", threads=2, timeout_s=60)


@pytest.mark.xfail(reason="nobody asked for it yet")
def test_later(model):
    assert False
"""
CASES = """case,distance,hour,expected,because
far away,2.5,12,true,the far ones are late
near by,-2.5,12,false,
"""


@pytest.fixture
def project(sandbox: Sandbox, packages: dict[str, ReleaseRef]) -> Path:
    """A project with a run and a release, as `plusone release` leaves it."""
    store = open_store(sandbox.root / ".plusone")
    flights = save({"rows": [{"distance": place / 10 - 2, "hour": place % 24} for place in range(40)]}, store.blobs)
    with store.db.write() as tx:
        tx.execute("run_add", **to_row(Run(id="r2", name="release", status="done", started_at="", code=Code())))
        tx.execute("dataset_add", **to_row(flights))
        step = StepRun(run_id="r2", step="flights", fingerprint="f", status="done", outputs={"flights": flights.digest})
        tx.execute("step_run_add", **to_row(step))
    add_release(store, keeping.keep(Path(packages["good"].folder), store.blobs), "delays", 1, live=True)
    store.close()
    sandbox.write("pyproject.toml", '[tool.plusone]\n[tool.pytest.ini_options]\nmarkers = ["quick: a short one"]\n')
    sandbox.write("tests/test_all.py", TESTS)
    sandbox.write("tests/cases.csv", CASES)
    return sandbox.root


def run(*arguments: str, cwd: Path, said: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"},
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.stdout + done.stderr


def test_everything_runs_and_each_case_is_a_test(project: Path):
    text = run("-v", cwd=project)
    assert re.search(r"6 passed, 1 xfailed", text), text
    assert "test_all.py::test_case[far away] PASSED" in text
    assert "test_all.py::test_case[near by] PASSED" in text


def test_one_is_chosen_by_its_name_from_another_folder(project: Path, tmp_path: Path):
    text = run("-v", f"{project}/tests/test_all.py::test_case[near by]", cwd=tmp_path)
    assert "1 passed" in text, text
    assert "plusone: model = delays@1" in text
    text = run("-v", "-k", "far and not near", str(project / "tests"), cwd=tmp_path)
    assert "1 passed, 6 deselected" in text, text
    assert "test_case[far away] PASSED" in text
    text = run("-m", "quick", cwd=project / "tests")
    assert "1 passed, 6 deselected" in text, text


def test_a_debugger_stops_where_a_case_fails(project: Path):
    (project / "tests" / "cases.csv").write_text(CASES.replace("-2.5,12,false,", "-2.5,12,true,wrong on purpose"))
    text = run("--pdb", "-k", "near", cwd=project, said="p case['because'], model.signature.output.name\nq\n")
    assert "('wrong on purpose', 'late')" in text, text
    assert "AssertionError: wrong on purpose" in text
    assert "1 failed" in text


def test_several_processes_share_the_work(project: Path):
    text = run("-n", "2", cwd=project)
    assert re.search(r"6 passed, 1 xfailed", text), text
