"""Law 1, by the command itself on a small project: what may not go live does not, and says why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plusone.checks.verdict import is_built_in
from tests.journeys.projects import (
    MODEL_TEST,
    PIPELINE,
    environment,
    make_project,
    ran,
    released_once,
    run,
    run_json,
)
from tests.serving.serving_folder import until

pytestmark = pytest.mark.slow

DATA_FAILS = "def test_rows(rows):\n    assert len(rows) == 201, 'a row is missing'\n"
MODEL_FAILS = MODEL_TEST.replace("0.8", "0.999")


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project whose release 1 is live."""
    return Path(shutil.copytree(released_once(tmp_path_factory), tmp_path / "p"))


def _stages(root: Path) -> dict[int, str]:
    models = run_json(root, "status")["models"]
    return {one["number"]: one["stage"] for one in models[0]["releases"]} if models else {}


CLOSED: dict[str, tuple[dict[str, str], str]] = {
    "no tests": ({"tests/test_data.py": "", "tests/test_model.py": ""}, "no test passed on the data"),
    "data only": ({"tests/test_model.py": ""}, "no test passed on the model"),
    "model only": ({"tests/test_data.py": ""}, "no test passed on the data"),
    "a skipped test": (
        {"tests/test_x.py": "import pytest\n\n\n@pytest.mark.skip(reason='later')\ndef test_x(model): ...\n"},
        "skipped: later",
    ),
    "deselected by addopts": (
        {
            "pyproject.toml": '[tool.plusone]\n[tool.pytest.ini_options]\naddopts = "-k auc"\n',
            "tests/test_data.py": "def test_rows(rows):\n    assert len(rows) > 1\n",
        },
        "deselected",
    ),
    "xfail without a reason": (
        {"tests/test_x.py": "import pytest\n\n\n@pytest.mark.xfail\ndef test_x(model):\n    assert False\n"},
        "xfail without a reason",
    ),
    "a test that is not collected": ({"tests/test_x.py": "import nothing_of_that_name\n"}, "nothing_of_that_name"),
    "a model test that ends the process": (
        {"tests/test_x.py": "import os\n\n\ndef test_x(model):\n    os._exit(0)\n"},
        "not complete",
    ),
    "a test that changes the tests": (
        {
            "tests/test_x.py": "from pathlib import Path\n\n\ndef test_x(model):\n"
            "    Path(__file__).with_name('more.txt').write_text('x')\n"
        },
        "the test files were changed while the tests ran",
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_without_complete_checks_nothing_goes_live(project: Path, name: str):
    files, says = CLOSED[name]
    make_project(project, files=files)
    done = run_json(project, "release", code=1)
    assert done["outcome"] in ("failed", "stopped")
    assert any(says in problem for problem in done["problems"]), done["problems"]
    assert run_json(project, "status")["models"][0]["route"]["version"] == 1
    assert _stages(project) in ({1: "live"}, {1: "live", 2: "failed"})


def test_a_failing_data_test_stops_it_before_training_and_uses_no_number(project: Path):
    before = ran(project)
    (project / "tests" / "test_data.py").write_text(DATA_FAILS, "utf-8")
    done = run(project, "release")
    assert done.returncode == 1
    assert "a row is missing" in done.stdout
    assert "where to look: plusone runs show" in done.stdout
    assert ran(project) == before, "nothing was trained"
    assert _stages(project) == {1: "live"}
    newest = run_json(project, "runs")["runs"][0]
    assert newest["status"] == "failed"
    shown = run_json(project, "runs", "show", newest["id"])
    checks = [check for session in shown["sessions"] for check in session["checks"]]
    assert [check["outcome"] for check in checks if not is_built_in(check["test"])] == ["failed"]
    (project / "tests" / "test_data.py").write_text("def test_rows(rows):\n    assert len(rows) > 1\n", "utf-8")
    assert run_json(project, "release")["release"] == 2


def test_a_failing_model_test_fails_the_release_which_then_goes_live_only_by_name_and_reason(project: Path):
    (project / "tests" / "test_model.py").write_text(MODEL_FAILS, "utf-8")
    done = run_json(project, "release", code=1)
    assert (done["outcome"], done["release"], done["stage"], done["route"]) == ("failed", 2, "failed", None)
    measured = [check["measured"] for check in done["checks"] if check["measured"] and not is_built_in(check["test"])]
    assert measured[0][0]["metric"] == "roc_auc"
    assert _stages(project) == {1: "live", 2: "failed"}
    assert run_json(project, "promote", "m@2", code=1)["error"]["code"] == "gate_closed"
    assert run_json(project, "promote", "m@2", "--override", code=2)["error"]["code"] == "usage"
    assert _stages(project) == {1: "live", 2: "failed"}
    # It is the newest and nothing changed: making it again would give the same verdict.
    assert run_json(project, "release", code=1)["outcome"] == "unchanged"
    moved = run_json(project, "promote", "m@2", "--override", "--reason", "checked by hand", "--by", "ann")
    assert moved["decisions"][0]["override"] is True
    assert _stages(project) == {1: "previous", 2: "live"}
    last = run(project, "decisions").stdout
    assert "OVERRIDE" in last
    assert "checked by hand" in last
    assert run_json(project, "rollback")["release"] == 1


def test_when_nothing_changed_no_test_runs_and_no_release_is_made(project: Path):
    before = ran(project)
    done = run_json(project, "release")
    assert (done["outcome"], done["release"], done["checks"]) == ("unchanged", 1, [])
    assert ran(project) == before
    # A comment or a docstring is no change.
    (project / "pipeline.py").write_text('"""New words."""\n# more\n' + PIPELINE, "utf-8")
    assert run_json(project, "release")["outcome"] == "unchanged"
    again = run_json(project, "release", "--again", "--no-promote")
    assert (again["outcome"], again["release"]) == ("passed", 2)
    assert ran(project) == before, "all steps were taken over"
    metrics = [one["metrics"] for one in run_json(project, "status")["models"][0]["releases"]]
    assert metrics == [{"rows": 100.0}] * 2, "what was logged in a step that was taken over counts as well"
    assert _stages(project) == {1: "live", 2: "passed"}
    assert "plusone promote m@2" in run(project, "release").stdout
    assert run_json(project, "promote", "@2")["release"] == 2
    assert _stages(project) == {1: "previous", 2: "live"}


def test_until_force_and_settings(project: Path):
    assert run_json(project, "release", "--until", "split", "--force", "split")["outcome"] == "ran"
    assert ran(project) == ["rows", "split", "train", "split"]
    for words, says in (
        (["--set", "bogus=1"], "bogus"),
        (["--set", "C"], "C"),
        (["--set", "train.stride=3"], "stride"),
        (["--force", "bogus"], "bogus"),
        (["--until", "bogus"], "bogus"),
        (["cars"], "cars"),
    ):
        error = run_json(project, "release", *words, code=2)["error"]
        assert says in error["message"], words
    assert ran(project) == ["rows", "split", "train", "split"]
    done = run_json(project, "release", "--set", "train.C=0.25")
    assert (done["release"], ran(project)[-1]) == (2, "train")
    assert run_json(project, "diff", "1", "2")["settings"] == {"C": [1.0, 0.25]}


def test_a_step_that_raises_is_the_projects_mistake_and_keeps_run_and_log(project: Path):
    text = PIPELINE.replace(
        '    note("split")\n', '    note("split")\n    print("half done")\n    raise ValueError("no rows")\n'
    )
    (project / "pipeline.py").write_text(text, "utf-8")
    line = text.split("\n").index('    raise ValueError("no rows")') + 1
    error = run_json(project, "release", code=2)["error"]
    assert error["code"] == "step_failed"
    assert f"pipeline.py:{line}" in error["message"]
    assert "ValueError: no rows" in error["message"]
    newest = run_json(project, "runs")["runs"][0]
    assert newest["status"] == "failed"
    assert "no rows" in newest["error"]
    log = run(project, "runs", "log", newest["id"]).stdout
    assert "half done" in log
    assert "Traceback" in log
    assert _stages(project) == {1: "live"}


def test_a_metric_that_is_not_a_number_leaves_a_release_that_can_be_read(project: Path):
    text = PIPELINE.replace(
        "plusone.log(rows=float(len(train_set)))", 'plusone.log(loss=float("nan"), top=float("inf"))'
    )
    (project / "pipeline.py").write_text(text, "utf-8")
    assert run_json(project, "release")["release"] == 2
    assert run_json(project, "status")["models"][0]["releases"][1]["metrics"] == {"loss": None, "top": None}
    assert run(project, "diff", "1", "2").returncode == 0
    assert run(project, "runs", "show", run_json(project, "runs")["runs"][0]["id"]).returncode == 0


def test_two_releases_at_once_make_one(project: Path, tmp_path: Path):
    gate = tmp_path / "go"
    text = PIPELINE.replace(
        '    note("split")\n',
        f'    note("split")\n    import time\n    while not Path({str(gate)!r}).exists():\n        time.sleep(0.01)\n',
    )
    (project / "pipeline.py").write_text(text, "utf-8")
    first = subprocess.Popen(
        [str(Path(sys.executable).with_name("plusone")), "release", "--set", "C=0.5"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until(lambda: ran(project).count("split") == 2, "the first is in the middle of it", seconds=60)
        error = run_json(project, "release", code=2)["error"]
        assert error["code"] == "conflict"
        assert str(first.pid) in error["message"]
        assert run_json(project, "status")["models"][0]["live"] == 1, "looking does not wait for it"
    finally:
        gate.touch()
        out, _ = first.communicate(timeout=120)
    assert first.returncode == 0, out
    assert _stages(project) == {1: "previous", 2: "live"}
    assert all(one["status"] == "done" for one in run_json(project, "runs")["runs"])


def test_two_models_of_one_project_are_released_apart(tmp_path: Path):
    second = (
        PIPELINE.partition('@plusone.model("m"')[2]
        .replace("def train(", "def train_other(")
        .replace('train"', 'other"')
    )
    files = {
        "pipeline.py": PIPELINE + '\n\n@plusone.model("other"' + second,
        "tests/test_other.py": 'import pytest\n\n\n@pytest.mark.model("other")\ndef test_other(model):\n    assert 0\n',
        "tests/test_model.py": MODEL_TEST.replace(
            "def test_auc", 'import pytest\n\n\n@pytest.mark.model("m")\ndef test_auc'
        ),
    }
    root = make_project(tmp_path / "p", files=files)
    error = run_json(root, "release", code=2)["error"]
    assert "m, other" in error["message"]
    assert run_json(root, "release", "m")["stage"] == "live"
    assert run_json(root, "release", "other", code=1)["stage"] == "failed"
    assert run_json(root, "release", "m")["outcome"] == "unchanged"
    status = {one["model"]: one["live"] for one in run_json(root, "status")["models"]}
    assert status == {"m": 1, "other": None}
    assert run_json(root, "rollback", code=2)["error"]["code"] == "usage", "which model?"


def test_a_decision_taken_while_it_was_tested_is_not_overruled(project: Path):
    """Release 2 is live and a person rolls it back just when the tests of release 3 compare with it."""
    assert run_json(project, "release", "--set", "C=0.5")["release"] == 2
    plusone = Path(sys.executable).with_name("plusone")
    test = f"""import subprocess


def test_meanwhile(model, live):
    subprocess.run([{str(plusone)!r}, "rollback", "--reason", "complaints"], check=True)
"""
    make_project(project, files={"tests/test_meanwhile.py": test})
    done = run(project, "release", "--set", "C=0.4")
    assert done.returncode == 1
    assert "m@1 is live now, and m@2 was when the tests compared with it" in done.stdout
    assert _stages(project) == {1: "live", 2: "rolled back", 3: "passed"}
