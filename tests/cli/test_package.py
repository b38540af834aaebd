"""A release is shown and tried in a clean environment, at the command line; `--clean` tries it before the gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from plusone.app.app import App
from plusone.base.ids import digest_bytes
from plusone.checks.clean import CLEAN
from plusone.cli import main as cli
from plusone.execution.venvs import lines_of
from plusone.replaying.asking import compiled_lock
from tests.release.written import Written
from tests.shared import once

PIPELINE = """
import numpy as np, pandas as pd, plusone
from sklearn.linear_model import LogisticRegression

@plusone.step
def points():
    x = np.linspace(-1.0, 1.0, 200)
    return pd.DataFrame({"x": x, "positive": x > 0})

@plusone.model("sign", target="positive")
def train(points):
    return LogisticRegression().fit(points[["x"]], points["positive"])
"""
CHECKS = """
def test_points(points):
    assert len(points) == 200

def test_sign(model):
    assert model.predict([{"x": 0.9}])[0]
"""

pytestmark = pytest.mark.slow


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    return int(ended.value.code or 0)


def _make(root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    (root / "pipeline.py").write_text(PIPELINE, "utf-8")
    (root / "tests").mkdir()
    (root / "tests" / "test_all.py").write_text(CHECKS, "utf-8")
    assert run("--project", str(root), "release", "--clean", "-q") == 0


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one release that was made with `--clean`; it is only read."""
    root = once(tmp_path_factory, "clean", _make)
    monkeypatch.chdir(root)
    return root


def test_the_check_is_part_of_the_release(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run("checks", "@live", "--json") == 0
    checks = {one["test"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks[CLEAN]["outcome"], checks[CLEAN]["subject"]) == ("passed", "code")
    assert checks[CLEAN]["measured"][0]["rows"] == 20


def test_a_release_is_shown_with_its_files_lock_and_proof(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run("package", "show", "@live", "--json") == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [file["path"] for file in shown["files"]] == [
        "manifest.json", "environment.txt", "examples.json", "model.onnx"
    ]  # fmt: skip
    assert shown["digest"] == shown["files"][0]["digest"]
    assert shown["size_bytes"] == sum(file["size_bytes"] for file in shown["files"])
    assert shown["lock"] == [f"{name}=={version}" for name, version in lines_of(compiled_lock()).items()]
    assert run("package", "show", "@live") == 0
    text = capsys.readouterr().out
    assert all(word in text for word in (shown["digest"], "model.onnx", "numpy==", "x (float64)", "max_difference"))


def test_it_works_elsewhere_and_the_run_keeps_the_whole_listing(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run("package", "verify", "@live", "--each-line") == 0
    text = capsys.readouterr().out
    assert "works in an environment" in text
    rows = {line.split("==")[0]: line.split("  ", 1)[1].strip() for line in text.splitlines() if "==" in line}
    assert rows["numpy"].startswith("fails: no module 'numpy'")
    assert rows["numpy"].endswith("does not answer")
    assert rows["typing-extensions"].startswith("fails: no module 'typing_extensions'")
    assert rows["typing-extensions"].endswith("answers equally")
    assert "optional for its examples (a request unlike all of them may need one): typing-extensions" in text
    assert f"without any of the {len(rows)} it fails, by name" in text
    assert run("package", "verify", "@live", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    with App(project) as app:
        release = app.get_release(target="@live").release
        whole = app.store.blobs.get(app.get_run(run_id=release.run_id).run.environment or "").decode()
    assert set(found["found"]["lines"][0]) >= {"name", "version", "imported", "without", "module"}
    assert {f"{line['name']}=={line['version']}" for line in found["found"]["lines"]} < set(whole.splitlines())


def test_a_line_that_is_deleted_from_the_lock_by_hand_is_refused_before_anything_is_tried(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = Path(shutil.copytree(project, tmp_path / "copy"))
    with App(root) as app:
        (lock,) = (file for file in app.get_package(target="@live").files if file.path == "environment.txt")
    blob = root / ".plusone" / "blobs" / lock.digest[:2] / lock.digest[2:]
    text = "".join(line for line in blob.read_text().splitlines(keepends=True) if not line.startswith("typing-"))
    blob.chmod(0o600)
    blob.write_text(text.replace(" typing_extensions", ""))
    assert run("--project", str(root), "package", "verify", "@live", "--each-line") == 3
    out = capsys.readouterr()
    assert f"was changed: expected sha256 {lock.digest}" in out.err
    assert "environment" not in out.out


def test_equal_training_makes_an_equal_package(project: Path, tmp_path: Path):
    root = tmp_path / "again"
    root.mkdir()
    _make(root)
    with App(project) as one, App(root) as other:
        assert one.get_package(target="@live").digest == other.get_package(target="@live").digest


def test_a_package_with_no_files_is_told_and_not_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    written = Written(tmp_path / "p")
    written.release("flights", package=digest_bytes(b"gone"))
    written.close()
    monkeypatch.chdir(tmp_path / "p")
    assert run("package", "verify", "flights@1", "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] in ("broken_artifact", "not_found")
    assert run("package", "show", "flights@7") == 2
