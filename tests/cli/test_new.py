"""`plusone new`: a folder appears whole, or nothing does."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from plusone.base.config import load_project
from plusone.cli import main as cli


def _new(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["new", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "x-", "a b", "ä", "x" * 64, "a\n", "/x/y", "~", "*"])
def test_a_name_that_is_none_is_refused_and_leaves_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert _new("--", name) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flights").mkdir()
    (tmp_path / "flights" / "mine.txt").write_text("mine", "utf-8")
    (tmp_path / "file").write_text("mine", "utf-8")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("flights", "file", "link"):
        assert _new(name) == 2
        assert "exists already" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "flights").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["flights", "Flights.2", "9"])
def test_a_new_project_is_one_and_names_itself(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert _new(name, "--into", str(tmp_path / "deep" / "er")) == 0
    root = tmp_path / "deep" / "er" / name
    project = load_project(root)
    assert project.name == name
    assert project.pipeline.is_file()
    assert sorted(path.name for path in project.tests.glob("test_*.py")) == ["test_data.py", "test_model.py"]
    assert ".plusone" in (root / ".gitignore").read_text("utf-8")
    tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    for file in root.rglob("*.py"):
        compile(file.read_text("utf-8"), str(file), "exec")
    assert not list((tmp_path / "deep" / "er").glob(".tmp*"))


def test_a_folder_that_can_not_be_made_is_an_error_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("", "utf-8")
    assert _new("x", "--into", str(tmp_path / "file" / "below")) == 2
    assert "below" in capsys.readouterr().err
