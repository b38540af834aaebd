"""Real requests to a served release, asked again of the next one: as checks of its release, and by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plusone.app.app import App
from tests.journeys.projects import PIPELINE, environment, released_once, run, run_json
from tests.journeys.up import Up
from tests.serving.serving_folder import ask, until
from tests.shared import once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLING = Path(__file__).parent / "killing"
REQUESTS = 400
ROWS = [{"x": place / 200 - 1.0, "z": 0.5} for place in range(REQUESTS)]


def send(up: Up) -> list[str]:
    """Send one row at a time in every protocol; return the ids of the predictions."""
    ids: list[str] = []
    for place, row in enumerate(ROWS):
        if place % 3 == 2:
            tensors = [
                {"name": name, "datatype": "FP64", "shape": [1, 1], "data": [value]} for name, value in row.items()
            ]
            status, _, body = ask(up.port, "POST", "/v2/models/m/infer", json.dumps({"inputs": tensors}))
            assert status == 200, body
            ids.append(json.loads(body)["parameters"]["prediction_id"])
        else:
            status, _, body = ask(up.port, "POST", "/models/m/predict", json.dumps({"rows": [row]}))
            assert status == 200, body
            ids.append(json.loads(body)["id"])
    return ids


def logged(root: Path) -> int:
    with App(root) as app:
        return len(app.list_predictions(model="m", count=1000).predictions)


def live_of(app: App) -> int | None:
    return app.status(model="m").models[0].live


# What is tried here is the replay: what else would be said of candidates that are wrong on purpose is left out.
OTHERS = (
    *("columns", "ranges", "nulls", "categories", "units", "rows", "gaps", "history", "links", "shift", "label"),
    *("duplicates", "constant", "leakage", "overlap", "performance", "live_holds", "baseline", "slices"),
    *("calibration", "overfit", "skew", "features", "answers"),
)
CHECKS = "[tool.plusone.checks]\n"


@pytest.fixture
def asked(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project whose release 1 was asked 400 rows and has the labels of 300."""

    def make(folder: Path) -> None:
        root = Path(shutil.copytree(released_once(tmp_path_factory), folder / "p"))
        with Up(root) as up:
            up.wait_for("ready")
            ids = send(up)
            labels = [{"id": one, "label": row["x"] > 0.0} for one, row in zip(ids[:300], ROWS, strict=False)]
            status, _, body = ask(up.port, "POST", "/models/m/labels", json.dumps({"labels": labels}))
            assert status == 202, body
            until(lambda: logged(root) == REQUESTS, "all requests are in the store")
        shutil.rmtree(root / ".plusone" / "serving" / "workers")  # a socket can't be copied

    root = Path(shutil.copytree(once(tmp_path_factory, "asked", make) / "p", tmp_path / "p"))
    with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{CHECKS}skip = {json.dumps(OTHERS)}\n")
    return root


def replay_checks(session: dict[str, Any] | list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    checks = session["checks"] if isinstance(session, dict) else session
    return {one["test"]: one for one in checks if one["test"].startswith("plusone::replay")}


def test_the_next_release_is_asked_what_the_live_one_was_asked(asked: Path):
    first = replay_checks(run_json(asked, "checks", "m@1"))
    assert {name: one["outcome"] for name, one in first.items()} == {"plusone::replay": "not applicable"}
    done = run_json(asked, "release", "--set", "C=0.25")
    assert (done["outcome"], done["release"]) == ("live", 2)
    found = replay_checks(done["checks"])
    assert {name: one["outcome"] for name, one in found.items()} == {
        f"plusone::replay[{part}]": "passed" for part in ("errors", "answers", "labels", "latency")
    }
    errors = found["plusone::replay[errors]"]["measured"][-1]
    assert (errors["requests"], errors["rows"], errors["releases"]) == (REQUESTS, REQUESTS, {"1": REQUESTS})
    labels = found["plusone::replay[labels]"]["measured"][-1]
    assert (labels["metric"], labels["difference"]) == ("accuracy", 0.0)
    kinds = {one["figure"]["kind"] for one in found["plusone::replay[answers]"]["measured"] if "figure" in one}
    assert kinds == {"bars", "histograms"}


def test_a_candidate_that_takes_other_fields_is_refused_with_the_field(asked: Path):
    renamed = PIPELINE.replace('"z": np.cos', '"zed": np.cos').replace('train_set["z"]', 'train_set["zed"]')
    (asked / "pipeline.py").write_text(renamed, "utf-8")
    done = run(asked, "release", "--json")
    assert done.returncode == 1, done.stderr
    found = replay_checks(json.loads(done.stdout)["checks"])
    assert found["plusone::replay[errors]"]["outcome"] == "failed"
    message = found["plusone::replay[errors]"]["message"]
    assert f"refuses {REQUESTS} of {REQUESTS} requests that m@1 answers" in message
    assert "'zed'" in message
    assert found["plusone::replay[answers]"]["outcome"] == "not applicable"
    by_hand = run(asked, "replay", "m@2")
    assert by_hand.returncode == 1
    assert "zed" in by_hand.stdout


def test_a_candidate_that_answers_the_opposite_fails_by_answers_and_labels(asked: Path):
    (asked / "tests" / "test_model.py").write_text("def test_answers(model, holdout):\n    model.predict(holdout)\n")
    pipeline = (asked / "pipeline.py").read_text("utf-8")
    (asked / "pipeline.py").write_text(pipeline.replace("1.0, -1.0)", "-1.0, 1.0)"), "utf-8")
    done = run(asked, "release", "--json")
    assert done.returncode == 1, done.stderr
    found = replay_checks(json.loads(done.stdout)["checks"])
    assert found["plusone::replay[answers]"]["outcome"] == "failed"
    assert found["plusone::replay[labels]"]["outcome"] == "failed"
    # The bounds are the project's: a model that is meant to answer the opposite passes.
    settings = (asked / "pyproject.toml").read_text("utf-8")
    loose = f"{CHECKS}replay_changed = 1.0\nreplay_labels_margin = 1.0\n"
    (asked / "pyproject.toml").write_text(settings.replace(CHECKS, loose), "utf-8")
    assert run_json(asked, "release")["outcome"] == "live"


def test_a_replay_by_hand_records_nothing_and_says_who_is_answered_differently(asked: Path):
    run_json(asked, "release", "--set", "C=0.25", "--no-promote")
    before = run_json(asked, "checks", "m@2")
    found = run_json(asked, "replay", "m@2", "--requests", "50")
    assert (found["replayed"]["requests"], found["replayed"]["live"]) == (50, "m@1")
    assert {one["part"]: one["outcome"] for one in found["verdicts"]}["errors"] == "passed"
    assert run_json(asked, "checks", "m@2") == before
    shown = run(asked, "replay", "m@1", "--against", "2")
    assert shown.returncode == 0, shown.stderr
    assert "m@1 beside m@2: 400 requests" in shown.stdout
    for words, text in (
        (["replay", "m@1"], "can't be compared with itself: it is live"),
        (["replay", "m@2", "--requests", "0"], "expected 1 to 1,000,000"),
        (["replay", "m@7"], "There is no m@7"),
    ):
        wrong = run(asked, *words)
        assert wrong.returncode == 2
        assert text in wrong.stderr


def test_killed_while_the_requests_are_written_for_the_tests(asked: Path, tmp_path: Path):
    """At each write boundary of that file: the release before is live, and the next one finishes."""
    counter = tmp_path / "counter"

    def release(root: Path, at: int) -> int:
        variables = environment(
            PYTHONPATH=os.pathsep.join([str(KILLING), os.environ.get("PYTHONPATH", "")]),
            PLUSONE_KILL_COUNTER=str(counter),
            PLUSONE_KILL_AT=str(at),
            PLUSONE_KILL_ROOT=str(root),
        )
        counter.unlink(missing_ok=True)
        command = [str(Path(sys.executable).with_name("plusone")), "release", "--set", "C=0.5"]
        return subprocess.run(command, cwd=root, env=variables, capture_output=True, check=False).returncode

    whole = Path(shutil.copytree(asked, tmp_path / "whole"))
    assert release(whole, 0) == 0
    lines = counter.read_text().splitlines()
    places = [at for at, line in enumerate(lines, 1) if "requests.arrow" in line]
    assert places, lines
    for at in {places[0], places[-1], places[-1] + 1}:
        root = Path(shutil.copytree(asked, tmp_path / f"killed-{at}"))
        assert release(root, at) == -9
        with App(root) as app:
            assert live_of(app) == 1
        done = run_json(root, "release", "--set", "C=0.5")
        assert (done["outcome"], done["release"]) == ("live", 2)
        assert replay_checks(done["checks"])["plusone::replay[errors]"]["outcome"] == "passed"
        assert not list((root / ".plusone").rglob("requests.arrow*"))
