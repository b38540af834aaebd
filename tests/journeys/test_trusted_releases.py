"""Releases whose types a person has to trust, lived through: refused, trusted, served, asked again, withdrawn."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.projects import make_project, run, run_json
from tests.journeys.up import Up
from tests.packaged import environments
from tests.serving.serving_folder import BODY, ask, until
from tests.shared import once

__all__ = ["environments"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PARTS = "def doubled(x):\n    return x * 2\n"
PIPELINE = """
import numpy as np
import pandas as pd
import plusone
from parts import doubled


@plusone.step(version=lambda: 1, outputs=("rows", "holdout"))
def data():
    x = np.linspace(-1.0, 1.0, 200)
    frame = pd.DataFrame({"x": x, "z": np.cos(7.0 * x), "y": x > 0.0})
    return frame[::2].reset_index(drop=True), frame[1::2].reset_index(drop=True)


@plusone.model("m", target="y")
def train(rows, *, depth: int = 3):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.tree import DecisionTreeClassifier

    # A function of one's own does not compile, and skops asks about every tree.
    model = make_pipeline(FunctionTransformer(doubled), DecisionTreeClassifier(max_depth=depth, random_state=0))
    return model.fit(rows[["x", "z"]], rows["y"])
"""
DATA_TEST = "def test_rows(rows):\n    assert len(rows) == 100\n"


def _released(factory: pytest.TempPathFactory) -> Path:
    """Return a project whose release 1 failed its checks, because nobody trusts it yet: to be copied."""

    def make(folder: Path) -> None:
        files = {"pipeline.py": PIPELINE, "parts.py": PARTS, "tests/test_data.py": DATA_TEST}
        root = make_project(folder / "p", files=files, serve={"timeout_s": 15.0})
        done = run(root, "release")
        (root / "said.txt").write_text(f"{done.returncode}\n{done.stdout}{done.stderr}", "utf-8")

    return once(factory, "asking for trust", make) / "p"


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(_released(tmp_path_factory), tmp_path / "p"))


def _answer(up: Up) -> tuple[int, Any]:
    status, _, found = ask(up.port, "POST", "/models/m/predict", BODY)
    return status, json.loads(found)


def _refused(up: Up) -> bool:
    try:
        return _answer(up)[0] == 503
    except OSError:  # the next worker does not listen yet
        return False


def test_from_a_refusal_to_traffic_and_again(project: Path):
    """What a user lives who releases a decision tree with a function of their own in front of it."""
    code, said = (project / "said.txt").read_text("utf-8").split("\n", 1)
    assert code == "1", said
    assert "sklearn.tree._tree.Tree" in said
    assert "nothing loads it until a person trusts it: plusone trust m@1, then plusone release m --again\n" in said
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    # The next one is asked about as well, by the digest of its own package.
    asked = run_json(project, "trust", "m@1")
    assert [one["name"] for one in asked["types"]] == ["sklearn.tree._tree.Tree"]
    assert (asked["stage"], asked["trusted"]) == ("failed", False)
    nobody = run(project, "trust", "m@1")
    assert nobody.returncode == 2
    assert "plusone trust m@1 --yes --reason 'why'" in nobody.stderr
    record = run_json(project, "trust", "m@1", "--yes", "--reason", "our own pipeline made it", "--by", "ann")
    assert (record["digest"], record["by"]) == (asked["digest"], "ann")
    # The same bytes are another release, whose checks can load them now.
    made = run_json(project, "release", "--again")
    assert (made["release"], made["stage"], made["mend"]) == (2, "live", ""), made
    assert run_json(project, "trust", "m@2")["digest"] == asked["digest"]
    with Up(project) as up:
        up.wait_for("ready")
        until(lambda: _answer(up)[0] == 200, "the first answer", seconds=60.0)
        assert [one["label"] for one in _answer(up)[1]["predictions"]] == [True]
        # Another model is asked about anew, and the live one goes on.
        held = run_json(project, "release", "--set", "depth=1", code=1)
        assert (held["release"], held["stage"]) == (3, "failed")
        assert held["mend"] == "plusone trust m@3, then plusone release m --again --set depth=1"
        assert run_json(project, "trust", "m@3")["trusted"] is False
        assert (_answer(up)[0], _answer(up)[1]["release"]) == (200, 2)
        # What is in memory goes on when trust is withdrawn; who loads anew does not load it.
        run_json(project, "trust", "m@2", "--withdraw", "--reason", "that laptop was stolen", "--by", "bob")
        until(lambda: asked["digest"] not in (up.serving / "trusted.json").read_text("utf-8"), "it is published")
        assert _answer(up)[0] == 200
        worker = up.process_of("plusone.serving.worker")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        until(lambda: up.process_of("plusone.serving.worker") not in (None, worker), "the next worker", seconds=60.0)
        until(lambda: _refused(up), "it is refused", seconds=60.0)
    said = [(one["release"], one["withdrawn"], one["by"]) for one in run_json(project, "trust")]
    assert said == [(1, False, "ann"), (1, True, "bob")]  # of one digest, which two releases have
