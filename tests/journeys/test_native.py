"""A model in plain Python, lived through: released, served beside another, killed under load, n+1, rolled back."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.projects import PIPELINE, make_project, run_json
from tests.journeys.up import Up
from tests.native.conftest import is_there
from tests.packaged import environments
from tests.serving.serving_folder import BODY, Traffic, ask, until
from tests.shared import once

__all__ = ["environments"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FORECASTER = """
import os
import re
import time

HANG, DIE, FAIL = 901.0, 902.0, 903.0


class Forecaster:
    def __init__(self, bias):
        self.bias = bias

    def predict(self, frame):
        for x in frame["x"].tolist():
            if x == HANG:
                re.match("(a+)+$", "a" * 60 + "b")
            if x == DIE:
                os._exit(9)
            if x == FAIL:
                raise ValueError("a secret of the model")
        print("asked for", len(frame))
        return frame["x"].to_numpy() + frame["z"].to_numpy() + self.bias
"""
NATIVE = """

from forecaster import Forecaster


@plusone.step(version=lambda: 1)
def sums():
    x = np.linspace(0.0, 1.0, 50)
    return pa.table({"x": x, "z": x * 2, "total": x * 3})


@plusone.model("native", target="total")
def train_native(sums, *, bias: float = 0.0):
    return Forecaster(bias)
"""


DATA_TESTS = """
import pytest


@pytest.mark.model("m")
def test_rows(rows):
    assert len(rows) == 200


@pytest.mark.model("native")
def test_sums(sums):
    assert len(sums) == 50
"""
MODEL_TESTS = """
import pytest

ROW = {"x": 0.5, "z": 0.5}


@pytest.mark.model("m")
def test_m_answers(model):
    assert len(model.predict([ROW])) == 1


@pytest.mark.model("native")
def test_native_answers(model):
    assert model.predict([ROW])[0] - model.predict([{**ROW, "x": 0.0}])[0] == 0.5


@pytest.mark.model("native")
def test_native_is_not_far_from_live(model, live):
    assert abs(model.predict([ROW])[0] - live.predict([ROW])[0]) < 10.0
"""


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with two models whose releases 1 are live: `m`, which is compiled, and `native`."""

    def make(folder: Path) -> None:
        root = make_project(
            folder / "p",
            files={
                "pipeline.py": PIPELINE + NATIVE,
                "forecaster.py": FORECASTER,
                "tests/test_data.py": DATA_TESTS,
                "tests/test_model.py": MODEL_TESTS,
            },
            serve={"timeout_s": 15.0},
        )
        for model in ("m", "native"):
            done = run_json(root, "release", model)
            assert done["outcome"] == "live", done

    source = once(tmp_path_factory, "released natively", make) / "p"
    return Path(shutil.copytree(source, tmp_path / "p"))


@pytest.fixture
def up(project: Path) -> Iterator[Up]:
    """One worker that serves both."""
    with Up(project) as up:
        up.wait_for("ready")
        until(lambda: _ask(up, 0.5)[0] == 200, "the first answer", seconds=60.0)
        yield up


def _ask(up: Up, *xs: float) -> tuple[int, Any]:
    body = json.dumps({"rows": [{"x": x, "z": 1.0} for x in xs]}).encode()
    status, _, found = ask(up.port, "POST", "/models/native/predict", body)
    return status, json.loads(found)


def _healthy(up: Up) -> bool:
    return ask(up.port, "GET", "/v2/health/ready", None)[0] == 200


def _children(up: Up) -> list[int]:
    return [pid for pid in up.processes() if b"native/child.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_n_plus_1_and_back(up: Up, project: Path):
    assert _ask(up, 0.5)[1]["predictions"] == [1.5]
    done = run_json(project, "release", "native", "--set", "bias=2")
    assert (done["release"], done["served"]["state"]) == (2, "served")
    assert _ask(up, 0.5)[1]["predictions"] == [3.5]
    back = run_json(project, "rollback", "native")
    assert (back["release"], back["served"]["state"]) == (1, "served")
    assert _ask(up, 0.5)[1]["predictions"] == [1.5]
    # Many rows go by the process beside the worker.
    many = [place / 50_000 for place in range(50_000)]
    status, found = _ask(up, *many)
    assert status == 200, found
    assert found["predictions"] == pytest.approx([x + 1.0 for x in many])
    # A third release drops one of the first two, and its process with it.
    done = run_json(project, "release", "native", "--set", "bias=3")
    assert done["served"]["state"] == "served"
    assert _ask(up, 0.5)[1]["predictions"] == [4.5]


def test_its_death_is_a_503_of_its_own_and_others_never_notice(up: Up):
    with Traffic(up.port) as traffic:  # of the other model
        for _ in range(3):
            assert _ask(up, 902.0)[0] == 503
            assert _healthy(up)
            until(lambda: _ask(up, 0.5)[0] == 200, "it is up again", seconds=60.0)
        ended = _children(up)
        for pid in ended:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(is_there, ended)), "their end")
        assert _ask(up, 0.5)[0] == 200  # it died of no request
        status, found = _ask(up, 903.0)
        assert status == 500
        assert "secret" not in json.dumps(found)
        status, _ = _ask(up, 901.0)
        assert status == 504
        until(lambda: _ask(up, 0.5)[0] == 200, "it is up again", seconds=60.0)
        traffic.more(50)
    assert traffic.failures == []
    assert ask(up.port, "POST", "/models/m/predict", BODY)[0] == 200


def test_a_worker_that_is_killed_leaves_no_process_of_a_model(up: Up):
    before = _children(up)
    assert before
    worker = up.process_of("plusone.serving.worker")
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    until(lambda: not set(before) & set(_children(up)), "their end", seconds=10.0)
    until(lambda: _ask(up, 0.5)[0] == 200, "the next worker's answer", seconds=60.0)


def test_the_end_of_up_is_the_end_of_the_models(up: Up):
    up.process.terminate()
    up.process.wait(60.0)
    until(lambda: not _children(up), "their end", seconds=10.0)
