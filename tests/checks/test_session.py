"""Whole sessions: real pytest processes on small projects."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from plusone.checks.session import assemble, pytest_options, run_tests, test_sources
from plusone.checks.verdict import is_built_in, problems_of, problems_so_far
from tests.checks.parts import by_name, only

TWO = """
def test_data(flights):
    assert flights["rows"]

def test_model(model):
    assert model
"""


@pytest.fixture
def released(sandbox, packages, holdout):
    """A project with data, a candidate and a live release."""
    sandbox.output(holdout=holdout)
    sandbox.change(candidate=packages["good"], live=packages["good"])
    return sandbox


@pytest.mark.slow
def test_a_release_whose_tests_pass_opens_the_gate_and_leaves_nothing_behind(released):
    released.write(
        "tests/test_all.py",
        """
        import helper
        import plusone

        def test_rows(flights):
            assert len(flights["rows"]) == helper.THREE

        def test_no_worse(model, live, holdout):
            plusone.check.no_worse(model, live, holdout, metric="roc_auc", margin=0.01)

        def test_few_rows(model, holdout):
            plusone.check.at_least(model, holdout.head(30), metric="accuracy", value=0.7, inconclusive="allowed")

        def test_code():
            assert helper.THREE == 3
        """,
    )
    released.write("helper.py", "THREE = 3\n")
    before = sorted(path for path in released.root.rglob("*") if ".plusone" not in path.parts)
    lines: list[str] = []
    data, model = released.run("data", on_line=lines.append), released.run("model")
    session = assemble("digest", data, model, run_id="run")
    assert problems_of(session) == []
    assert (session.release, session.run_id) == ("digest", "run")
    own = [check for check in session.checks if not is_built_in(check.test)]
    assert {check.test: (check.subject, check.outcome) for check in own} == {
        "tests/test_all.py::test_rows": ("data", "passed"),
        "tests/test_all.py::test_code": ("code", "passed"),
        "tests/test_all.py::test_no_worse": ("model", "passed"),
        "tests/test_all.py::test_few_rows": ("model", "inconclusive"),
    }
    assert any("2 passed" in line for line in lines)
    assert only(model, "test_no_worse").measured[0]["outcome"] == "passed"
    assert only(model, "test_few_rows").allowed
    assert "can't tell" in only(model, "test_few_rows").message
    assert sorted(path for path in released.root.rglob("*") if ".plusone" not in path.parts) == before
    # Each process knows every test, and runs its own.
    ours, theirs = (
        {one.test: one.here for one in part.collected if not is_built_in(one.test)} for part in (data, model)
    )
    assert ours == {test: not here for test, here in theirs.items()}


@pytest.mark.slow
def test_a_worse_model_is_stopped_with_what_was_measured(released, packages):
    released.change(candidate=packages["bad"])
    released.write(
        "tests/test_all.py",
        """
        import plusone

        def test_no_worse(model, live, holdout):
            print("looking at", len(holdout))
            plusone.check.no_worse(model, live, holdout, metric="roc_auc", margin=0.01)

        def test_few(model, live, holdout):
            plusone.check.no_worse(model, model, holdout, metric="roc_auc", margin=0.01)
            plusone.check.at_least(model, holdout, metric="accuracy", value=0.27)
        """,
    )
    part = released.run("model")
    failed = only(part, "test_no_worse")
    assert failed.outcome == "failed"
    assert failed.message.startswith("roc_auc of the candidate is 0.")
    assert failed.measured[0]["outcome"] == "failed"
    assert "looking at 1500" in failed.output
    assert failed.duration_s > 0
    few = only(part, "test_few")
    assert few.outcome == "inconclusive"
    assert [one["outcome"] for one in few.measured] == ["passed", "inconclusive"]
    assert len(problems_so_far(part.checks, part.problems)) == 2


@pytest.mark.slow
def test_fixtures_of_the_project_decide_the_subject_and_no_test_changes_the_data_of_another(sandbox):
    sandbox.output(frame=pd.DataFrame({"a": [1.0, 2.0]}), nested=pd.DataFrame({"a": [{"k": 1}, {"k": 2}]}))
    sandbox.write(
        "tests/conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def wide(frame):
            return frame

        @pytest.fixture(scope="module")
        def wider(wide, frame):
            return wide, frame

        @pytest.fixture
        def spoiled(frame, flights):
            frame["b"] = 0
            flights["rows"].append(4)
            return frame

        @pytest.fixture
        def scored(model, frame):
            return model
        """,
    )
    sandbox.write(
        "tests/test_all.py",
        """
        import pytest

        def test_one(frame, spoiled, wide, nested):
            assert frame is spoiled
            assert wide is not frame
            assert list(wide) == ["a"]
            frame.loc[0, "a"] = 9.0
            nested.loc[0, "a"]["k"] = 7

        def test_two(spoiled, frame, wide, wider, flights, nested):
            assert frame is spoiled
            assert frame["a"].tolist() == wide["a"].tolist() == [1.0, 2.0]
            assert wider[0] is wide
            assert wider[1] is not frame
            assert flights["rows"] == [1, 2, 3, 4]
            assert nested["a"][0] == {"k": 1}

        def test_three(frame, flights):
            assert list(frame) == ["a"]
            assert flights["rows"] == [1, 2, 3]

        class TestFour:
            @pytest.fixture(autouse=True)
            def own(self, flights):
                self.flights = flights

            def test_four(self):
                assert self.flights["rows"] == [1, 2, 3]

        @pytest.mark.usefixtures("scored")
        def test_indirect(): pass
        """,
    )
    part = sandbox.run("data")
    assert by_name(part) == dict.fromkeys(["test_one", "test_two", "test_three", "test_four"], "passed"), [
        check.output for check in part.checks if check.outcome != "passed"
    ]
    assert {one.test.rpartition("::")[2]: one.subject for one in part.collected} == {
        "test_one": "data",
        "test_two": "data",
        "test_three": "data",
        "test_four": "data",
        "test_indirect": "model",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "outcome"),
    [
        pytest.param(
            {"pyproject.toml": '[tool.plusone]\n[tool.pytest.ini_options]\naddopts = "-k one"\n'}, "deselected", id="-k"
        ),
        pytest.param(
            {"tests/conftest.py": "def pytest_collection_modifyitems(items):\n    del items[1:]\n"},
            "deselected",
            id="hook",
        ),
        pytest.param(
            {"tests/conftest.py": "def pytest_collection_finish(session):\n    del session.items[1:]\n"},
            "not run",
            id="late hook",
        ),
        pytest.param(
            {"pytest.ini": "[pytest]\naddopts = -x\n", "tests/test_0.py": "def test_0(): assert 0\n"},
            "not run",
            id="-x",
        ),
        pytest.param({"pytest.ini": "[pytest]\naddopts = --collect-only\n"}, "not run", id="--collect-only"),
        pytest.param({"pytest.ini": "[pytest]\naddopts = --setup-only\n"}, "not run", id="--setup-only"),
    ],
)
def test_a_test_that_is_left_out_closes_the_gate(sandbox, files: dict[str, str], outcome: str):
    sandbox.write("tests/test_all.py", "def test_one(flights): pass\ndef test_two(flights): pass\n")
    for name, text in files.items():
        sandbox.write(name, text)
    part = sandbox.run("data")
    assert by_name(part)["test_two"] == outcome
    assert any("test_two" in problem for problem in problems_so_far(part.checks, part.problems))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {"tests/test_bad.py": "import os\ndef test_dies(flights): os._exit(0)\n"},
            "session on the data is not complete: .* while tests/test_bad.py::test_dies ran",
            id="os._exit",
        ),
        pytest.param(
            {"tests/test_bad.py": "import os, signal\ndef test_dies(flights): os.kill(os.getpid(), signal.SIGKILL)\n"},
            "killed by SIGKILL while tests/test_bad.py::test_dies ran",
            id="killed",
        ),
        pytest.param(
            {"tests/conftest.py": "import sys\nsys.exit(0)\n"}, "session on the data is not complete", id="sys.exit"
        ),
        pytest.param(
            {"tests/conftest.py": "raise ValueError('boo')\n"}, "not complete: .*exit code 4 .*boo", id="conftest"
        ),
        pytest.param(
            {"tests/test_bad.py": "import pytest\ndef test_stops(flights): pytest.exit('enough', 0)\n"},
            "the session was stopped: .*enough",
            id="pytest.exit",
        ),
        pytest.param(
            {"tests/conftest.py": "def pytest_runtest_logreport(report):\n    raise RuntimeError('boo')\n"},
            "internal error: RuntimeError: boo",
            id="internal error",
        ),
        pytest.param(
            {"pytest.ini": "[pytest]\naddopts = --no-such-option\n"}, "exit code 4.*no-such-option", id="usage"
        ),
    ],
)
def test_a_session_that_is_not_whole_closes_the_gate(sandbox, files: dict[str, str], problem: str):
    sandbox.write("tests/test_all.py", "def test_one(flights): pass\n")
    for name, text in files.items():
        sandbox.write(name, text)
    part = sandbox.run("data")
    problems = problems_so_far(part.checks, part.problems)
    assert any(re.search(problem, one, re.DOTALL) for one in problems), problems


def test_a_file_that_is_left_out_or_can_not_be_collected_closes_the_gate(sandbox):
    sandbox.write("tests/test_all.py", "def test_one(flights): pass\n")
    sandbox.write("tests/test_syntax.py", "def test(:\n")
    sandbox.write("tests/test_import.py", "import nothing_like_it\n")
    sandbox.write("tests/test_skip.py", "import pytest\npytest.skip('not here', allow_module_level=True)\n")
    sandbox.write("tests/conftest.py", "collect_ignore = ['test_ignored.py']\n")
    sandbox.write("tests/test_ignored.py", "def test(flights): assert 0\n")
    sandbox.write("pytest.ini", "[pytest]\naddopts = --ignore=tests/deep\npython_files = test_*.py *_test.py\n")
    sandbox.write("tests/deep/also_test.py", "def test(): assert 0\n")
    sandbox.write("tests/build/test_not_looked_into.py", "def test(): assert 0\n")
    sandbox.write("tests/.hidden/test_copy.py", "def test(): assert 0\n")
    sandbox.write("tests/test_expected.txt", "no test\n")
    part = sandbox.run("data")
    problems = problems_so_far(part.checks, part.problems)
    expected = [
        r"tests/build/test_not_looked_into\.py: a test file that was never collected",
        r"tests/deep/also_test\.py: a test file that was never collected",
        r"tests/test_ignored\.py: a test file that was never collected",
        r"tests/test_import\.py: broken: can't be collected: .*nothing_like_it",
        r"tests/test_skip\.py: skipped: .*not here",
        r"tests/test_syntax\.py: broken: can't be collected: .*SyntaxError",
    ]
    assert len(problems) == len(expected)
    for pattern, problem in zip(expected, sorted(problems), strict=True):
        assert re.match(pattern, problem)
    # The rest ran, so that one sees everything at once.
    assert by_name(part)["test_one"] == "passed"


@pytest.mark.slow
def test_a_test_that_hangs_is_ended_with_its_children(sandbox):
    sandbox.write(
        "tests/test_all.py",
        """
        import subprocess, sys, time

        def test_hangs(flights):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open("child", "w").write(str(child.pid))
            time.sleep(600)
        """,
    )
    for timeout_s in (3, 10, 40):  # a slow machine needs longer until the test runs at all
        part = sandbox.run("data", timeout_s=timeout_s)
        assert any(f"ended after {timeout_s} s" in problem for problem in part.problems), part
        if (sandbox.root / "child").exists():
            break
    child = int((sandbox.root / "child").read_text())
    deadline = time.monotonic() + 60
    while _alive(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_an_interpreter_there_is_a_problem_and_no_exception(sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "could not be started" in sandbox.run("data").problems[0]


def test_several_models(sandbox):
    sandbox.change(models=("delays", "fares"))
    sandbox.write(
        "tests/test_all.py",
        """
        import pytest

        def test_data(flights): pass
        def test_unnamed(model): pass
        @pytest.mark.model("fares")
        def test_fares(model): assert 0
        @pytest.mark.model("fares")
        def test_fares_data(flights): assert 0
        @pytest.mark.model("delays", "fares")
        def test_both(flights): pass
        @pytest.mark.model("delays")
        def test_delays(model): pass
        @pytest.mark.model("delay")
        def test_unknown(flights): pass
        """,
    )
    part = sandbox.run("data")
    assert by_name(part) == {"test_data": "passed", "test_both": "passed"}
    assert sorted(one.test.rpartition("::")[2] for one in part.collected) == ["test_both", "test_data", "test_delays"]
    assert [problem.partition(": ")[0].rpartition("::")[2] for problem in part.problems] == [
        "test_unnamed",
        "test_unknown",
    ]
    assert '@pytest.mark.model("delays")' in part.problems[0]
    assert "names 'delay', and the project's models are: delays, fares" in part.problems[1]


def test_options_that_would_change_what_a_session_means_do_not_reach_it(sandbox, monkeypatch):
    (sandbox.root.parent / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    sandbox.write("pytest.ini", "[pytest]\naddopts = -p no:plusone\n")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    sandbox.write(
        "tests/test_all.py",
        """
        import os, sys

        def test_asserts(flights):
            assert "PLUSONE_CHECKS" not in os.environ  # a pytest that is started in here is another session
            assert not sys.flags.optimize

        def test_fails(flights):
            assert flights["rows"] == [1]
        """,
    )
    part = sandbox.run("data")
    assert by_name(part) == {"test_asserts": "passed", "test_fails": "failed"}
    assert "assert [1, 2, 3] == [1]" in only(part, "test_fails").message  # rewritten assertions


def test_a_listener_that_fails_does_not_stop_the_tests(sandbox):
    sandbox.write("tests/test_all.py", "def test_one(flights): pass\n")

    def listener(line: str) -> None:
        raise OSError("the terminal is gone")

    assert by_name(sandbox.run("data", on_line=listener)) == {"test_one": "passed"}


def test_assembling_only_one_part_or_different_ones_closes_the_gate(sandbox):
    sandbox.write("tests/test_all.py", TWO)
    data = sandbox.run("data")
    alone = assemble(None, data)
    assert {check.test.rpartition("::")[2]: check.outcome for check in alone.checks} == {
        "test_data": "passed",
        "test_model": "not run",
    }
    assert "the tests on the model were not run" in alone.problems
    other = msgspec.structs.replace(data, subject="model", collected=data.collected[:1])
    assert any("not the same in the sessions" in problem for problem in assemble("d", data, other).problems)


def test_sources_are_all_files_of_the_tests_and_the_root_conftest(sandbox):
    sandbox.write("tests/test_all.py", TWO)
    sandbox.write("tests/deep/expected.csv", "a,b\n")
    sandbox.write("tests/__pycache__/test_all.pyc", "no")
    sandbox.write("pipeline.py", "")
    before = test_sources(sandbox.root / "tests")
    assert list(before) == ["tests/deep/expected.csv", "tests/test_all.py"]
    sandbox.write("conftest.py", "")
    sandbox.write("tests/deep/expected.csv", "a,c\n")
    after = test_sources(sandbox.root / "tests")
    assert list(after) == ["conftest.py", "tests/deep/expected.csv", "tests/test_all.py"]
    assert before["tests/deep/expected.csv"] != after["tests/deep/expected.csv"]
    deep = test_sources(sandbox.root / "tests" / "deep", sandbox.root)
    assert list(deep) == ["conftest.py", "tests/deep/expected.csv"]


@pytest.mark.slow
def test_an_empty_tests_folder_is_a_session_that_closes(sandbox):
    part = sandbox.run("data")
    assert part.problems == ()
    assert (
        len(problems_of(assemble("d", part, run_tests(msgspec.structs.replace(sandbox.context, subject="model"))))) == 2
    )
    missing = msgspec.structs.replace(sandbox.context, tests=str(sandbox.root / "nothing"))
    assert run_tests(missing).problems != ()


def test_pytest_by_hand(sandbox):
    sandbox.write("tests/test_all.py", "def test_a(flights): pass\ndef test_live(live): pass\ndef test_plain(): pass\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=sandbox.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "1 passed, 2 errors" in result.stdout
    assert result.stdout.count("no run yet: plusone release --until STEP") >= 2
    assert "There is no 'live' to test: no run yet" in result.stdout
    assert "to mend it: plusone release --until STEP" in result.stdout


def test_only_pytests_part_of_pyproject_counts_as_its_options(tmp_path: Path):
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nname = "a"\n[tool.pytest.ini_options]\naddopts = "-q"\n', "utf-8")
    before = pytest_options(tmp_path)
    file.write_text('[project]\nname = "b"\n[tool.pytest.ini_options]\naddopts = "-q"\n', "utf-8")
    assert pytest_options(tmp_path) == before
    file.write_text('[project]\nname = "b"\n[tool.pytest.ini_options]\naddopts = "-q -k data"\n', "utf-8")
    assert pytest_options(tmp_path) != before
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\n", "utf-8")
    assert set(pytest_options(tmp_path)) == {"pyproject.toml", "pytest.ini"}


@pytest.mark.slow
def test_checks_of_plusone_are_of_one_session_each_and_no_difference(released):
    released.write("tests/test_all.py", "def test_rows(holdout): ...\ndef test_model(model):\n    assert model\n")
    data, model = released.run("data"), released.run("model")
    assert any(is_built_in(one.test) for one in model.collected)
    assert assemble("digest", data, model).problems == ()


@pytest.mark.slow
def test_options_choose_tests_and_what_is_left_out_is_no_problem_of_a_partial_session(released):
    released.write("tests/test_all.py", "def test_rows(holdout): ...\ndef test_other(holdout): ...\n")
    released.write("tests/test_more.py", "def test_more(holdout): ...\n")
    released.change(partial=True)
    chosen = released.run("data", options=["tests/test_all.py::test_rows"])
    assert ({one.test for one in chosen.collected}, chosen.problems) == ({"tests/test_all.py::test_rows"}, ())
    named = {one.test: one.outcome for one in released.run("data", options=["-k", "more"]).checks}
    assert named["tests/test_more.py::test_more"] == "passed"
    assert named["tests/test_all.py::test_rows"] == "deselected"
    released.change(partial=False)
    whole = released.run("data", options=["tests/test_all.py"])
    assert any("test_more.py: a test file that was never collected" in one for one in whole.problems)
