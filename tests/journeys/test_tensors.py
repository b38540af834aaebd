"""A model of images, as docs/tasks/tensors.md has it: released, released again, served, asked with a file."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.journeys.projects import run, run_json
from tests.journeys.up import Up
from tests.serving.serving_folder import ask, until

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks" / "tensors.md"
NO_WORSE = """

def test_it_is_no_worse(model, live, holdout):
    plusone.check.no_worse(model, live, holdout, metric="accuracy", margin=0.1)
"""


def write_project(root: Path) -> None:
    """Write the files that the page shows, each below the comment that names it."""
    fences = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (root / "tests").mkdir()
    (root / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    for text in fences:
        for name, content in re.findall(r"^# (\S+\.py)\n(.*?)(?=^# \S+\.py$|\Z)", text, re.MULTILINE | re.DOTALL):
            (root / name).write_text(content.partition("train_set, holdout = digits()\n")[0], "utf-8")
    assert {"pipeline.py", "test_data.py", "test_model.py"} <= {path.name for path in root.rglob("*.py")}


def test_a_model_of_images_lives(tmp_path: Path) -> None:
    root = tmp_path / "p"
    root.mkdir()
    write_project(root)
    made = run_json(root, "release")
    assert (made["outcome"], made["release"], made["stage"]) == ("live", 1, "live")
    assert "uint8 [8, 8]" in run(root, "show", "digits@1").stdout
    assert run_json(root, "release")["outcome"] == "unchanged"
    tests = root / "tests" / "test_model.py"
    tests.write_text(tests.read_text("utf-8") + NO_WORSE, "utf-8")
    made = run_json(root, "release", "--set", "train_rows=1100")
    assert (made["outcome"], made["release"]) == ("live", 2)
    found: Any = load_digits()
    sink = io.BytesIO()
    Image.fromarray(found.images[0].astype(np.uint8)).save(sink, "PNG")
    with Up(root) as up:
        up.wait_for("ready")
        path = "/models/digits/predict"
        until(lambda: ask(up.port, "GET", "/health/ready")[0] == 200, "ready")
        status, _, answer = ask(up.port, "POST", path, sink.getvalue(), {"content-type": "image/png"})
        body = json.dumps({"rows": [{"image": found.images[0].astype(int).tolist()}]})
        same = ask(up.port, "POST", path, body, {"content-type": "application/json"})
        assert (status, same[0]) == (200, 200), answer
        assert json.loads(answer)["predictions"] == json.loads(same[2])["predictions"]
        assert json.loads(answer)["predictions"][0]["label"] == 0
        content = json.loads(ask(up.port, "GET", "/openapi.json")[2])["paths"][path]["post"]["requestBody"]["content"]
        assert {"image/png", "image/jpeg", "application/json"} <= set(content)
