"""The example of a forecaster in plain Python is released, on two months of data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.journeys.projects import run_json
from tests.packaged import environments

__all__ = ["environments"]

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "demand"


@pytest.mark.slow
def test_it_is_released_at_small_size(tmp_path: Path):
    root = tmp_path / "demand"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".plusone", "__pycache__"))
    made = run_json(root, "release", "--set", "until=2013-02")
    assert made["outcome"] == "live", made
    shown = run_json(root, "show", "departures@1")
    assert shown["package"]["format"] == "python"
    assert {"project/forecaster.py"} < {file["path"] for file in shown["package"]["files"]}
