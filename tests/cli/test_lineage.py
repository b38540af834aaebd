"""`plusone lineage` and `plusone runs files|get` as a person reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import plusone
from plusone.cli import main as cli


@pytest.fixture
def run_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run in the working folder that read in.csv and kept out/report.txt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("x")
    (tmp_path / "report.txt").write_text("report")
    with plusone.run("evaluate") as run:
        run.use("in.csv")
        run.log_file("report.txt", to="out/report.txt")
    return run.id


def say(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    assert ended.value.code in (code, None if code == 0 else code)
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_a_file_is_known_by_its_content_whatever_it_is_called(
    run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "renamed").write_text("report")
    lines = say(capsys, "lineage", "renamed").splitlines()
    assert lines[0].startswith("file ")
    assert lines[0].endswith("(renamed)")
    assert f"kept by run evaluate {run_id}" in lines[3]
    assert "read file in.csv" in lines[4]
    assert lines[-1] == "  nothing that this store knows of"
    found = json.loads(say(capsys, "lineage", "in.csv", "--json"))
    assert found["made"][0]["branches"][0]["thing"]["title"] == "out/report.txt"
    (tmp_path / "unknown").write_text("something else")
    assert "Nothing in this store is called" in say(capsys, "lineage", "unknown", code=2)


def test_depth_and_count_say_what_they_left_out(run_id: str, capsys: pytest.CaptureFixture[str]):
    assert "... (--depth)" in say(capsys, "lineage", "in.csv", "--depth", "1")
    with plusone.run(id=run_id) as run:
        run.log_table([{"x": 1}])
    assert "and 1 more (--count)" in say(capsys, "lineage", run_id, "--count", "1")


def test_files_are_listed_and_written(run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "out/report.txt  file  6 bytes" in say(capsys, "runs", "files", run_id)
    assert [one["path"] for one in json.loads(say(capsys, "runs", "files", run_id, "out", "--json"))] == [
        "out/report.txt"
    ]
    say(capsys, "runs", "get", run_id, "out/report.txt", "--to", str(tmp_path / "got"))
    assert (tmp_path / "got").read_text() == "report"
    (tmp_path / "report.txt").unlink()
    say(capsys, "runs", "get", run_id[:12], "out/report.txt")
    assert (tmp_path / "report.txt").read_text() == "report"
    assert "no artifact" in say(capsys, "runs", "get", run_id, "nothing", code=2)
    assert "can't be the path" in say(capsys, "runs", "get", run_id, "../x", code=2)
