"""Small whole projects that are really released: two columns, a linear classifier, one test on each subject.

The classifier is written as ONNX by hand: most of what a release of a small model costs is the import of scikit-learn
and its converter, twice the rest. `SKLEARN_PIPELINE` is the same project with them, for the tests that are to see a
model compiled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.shared import once

__all__ = [
    "MODEL_TEST",
    "PIPELINE",
    "SKLEARN_PIPELINE",
    "environment",
    "make_project",
    "ran",
    "released_once",
    "run",
    "run_json",
]

_STEPS = """@plusone.step(version=lambda: 1)
def rows():
    note("rows")
    x = np.linspace(-1.0, 1.0, 200)
    return pa.table({"x": x, "z": np.cos(7.0 * x), "y": x + 0.3 * np.sin(40.0 * x) > 0.0})


@plusone.step(outputs=("train_set", "holdout"))
def split(rows, *, stride: int = 2):
    note("split")
    return rows.take(list(range(0, len(rows), stride))), rows.take(list(range(1, len(rows), stride)))


@plusone.model("m", target="y")
def train(train_set, *, C: float = 1.0):
    note("train")
    x = np.column_stack([train_set["x"].to_numpy(), train_set["z"].to_numpy()])
    plusone.log(rows=float(len(train_set)))
"""
"""The steps of both projects, and how their training begins."""
PIPELINE = (
    """
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
from onnx import helper

import plusone
from plusone.formats.onnx import OnnxModel

RAN = Path(__file__).parent / "ran.txt"


def note(step):
    with RAN.open("a") as stream:
        stream.write(step + "\\n")


def classifier(weights):
    # Written by hand: scikit-learn and its converter take seconds to be imported.
    number, label = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"]),
        helper.make_node("Sigmoid", ["s"], ["yes"]),
        helper.make_node("Sub", ["one", "yes"], ["no"]),
        helper.make_node("Concat", ["no", "yes"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
    ]
    kept = [
        helper.make_tensor("w", number, [2, 1], weights.tolist()),
        helper.make_tensor("one", number, [1], [1.0]),
    ]
    takes = [helper.make_tensor_value_info("x", number, [None, 2])]
    answers = [
        helper.make_tensor_value_info("label", label, [None]),
        helper.make_tensor_value_info("p", number, [None, 2]),
    ]
    graph = helper.make_graph(nodes, "m", takes, answers, kept)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return OnnxModel(made.SerializeToString(), beside=lambda path: None)


"""
    + _STEPS
    + """    y = np.where(train_set["y"].to_numpy(), 1.0, -1.0)
    return classifier(np.linalg.solve(x.T @ x + np.eye(2) / C, x.T @ y))
"""
)
SKLEARN_PIPELINE = (
    """
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

import plusone

RAN = Path(__file__).parent / "ran.txt"


def note(step):
    with RAN.open("a") as stream:
        stream.write(step + "\\n")


"""
    + _STEPS
    + """    return LogisticRegression(C=C).fit(x, train_set["y"].to_numpy())
"""
)
DATA_TEST = "def test_rows(rows):\n    assert len(rows) == 200\n"
MODEL_TEST = (
    "import plusone\n\n\ndef test_auc(model, holdout):\n"
    '    plusone.check.at_least(model, holdout, metric="roc_auc", value=0.8)\n'
)
Done = subprocess.CompletedProcess[str]


def make_project(
    root: Path, *, files: dict[str, str] | None = None, serve: dict[str, Any] | None = None, built_in: bool = False
) -> Path:
    """Write a project to `root` and return it; `files` adds to it or takes the place of what it has.

    Without plusone's own checks, which would cost each of its many releases a second.
    """
    own = "" if built_in else "[tool.plusone.checks]\nbuilt_in = false\n\n"
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in (serve or {}).items())
    content = {
        "pyproject.toml": f'[project]\nname = "p"\n\n[tool.plusone]\n\n{own}[tool.plusone.serve]\n{settings}',
        "pipeline.py": PIPELINE,
        "tests/test_data.py": DATA_TEST,
        "tests/test_model.py": MODEL_TEST,
        **(files or {}),
    }
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would reach into a project's commands."""
    kept = {
        k: v for k, v in os.environ.items() if k == "PLUSONE_ENVIRONMENTS" or not k.startswith(("PLUSONE_", "PYTEST_"))
    }
    # The plugin of hypothesis imports all of it, and no test of these projects uses it: a second for each pytest.
    return {**kept, "PLUSONE_BY": "a person", "PYTEST_ADDOPTS": "-p no:hypothesispytest", **more}


def run(root: Path, *words: str, env: dict[str, str] | None = None, timeout: float = 280.0) -> Done:
    """Run `plusone WORDS` in the project and return how it ended."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("plusone")), *words],
        cwd=root,
        env=env or environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_json(root: Path, *words: str, code: int = 0) -> Any:
    """Run `plusone WORDS --json`, check its exit code, and return the one JSON value that it printed."""
    done = run(root, *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def released_once(factory: pytest.TempPathFactory) -> Path:
    """Return a project whose release 1 is live, made once for all tests: to be copied."""

    def make(folder: Path) -> None:
        done = run_json(make_project(folder / "p", built_in=True), "release")
        assert (done["outcome"], done["release"], done["stage"]) == ("live", 1, "live")

    return once(factory, "released", make) / "p"


def ran(root: Path) -> list[str]:
    """Return the steps that really ran, in order."""
    file = root / "ran.txt"
    return file.read_text("utf-8").split() if file.exists() else []
