"""`plusone predictions` and `plusone label` as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from plusone.cli import main as cli
from plusone.predictions.collecting import collect
from tests.predictions.written import log_predictions, send_labels
from tests.release.written import Written


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the working folder, whose model `m` answered three predictions, one with two labels."""
    written = Written(tmp_path / "p")
    written.release(live=True)
    log_predictions(tmp_path, ["a", "b", "c"])
    send_labels(tmp_path, ("b", "1.0"), ("b", "2.0"))
    collect(written.store, tmp_path)
    written.close()
    monkeypatch.chdir(written.root)
    return written.root


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("project")
def test_predictions_are_listed_newest_first_with_their_labels(capsys: pytest.CaptureFixture[str]):
    assert run("predictions", "m", "--limit", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["c", "b"]
    assert lines[2].split()[-1] == "2.0"
    token = lines[-1].rpartition(" ")[2]
    assert run("predictions", "--page", token, "m") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["prediction", "a"]


@pytest.mark.usefixtures("project")
def test_one_is_shown_with_every_label(capsys: pytest.CaptureFixture[str]):
    assert run("predictions", "show", "b") == 0
    out = capsys.readouterr().out
    assert '"x": 1.0' in out
    assert out.index(" 1.0 ") < out.index(" 2.0 ")
    assert run("predictions", "show", "z") == 2
    assert "plusone predictions MODEL" in capsys.readouterr().err


def test_they_are_written_to_a_file(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run("predictions", "export", "m", "--to", "out.parquet") == 0
    assert "3 predictions, 1 of them with a label" in capsys.readouterr().out
    assert pq.read_table(project / "out.parquet")["label"].to_pylist() == [None, "2.0", None]
    assert run("predictions", "export", "m", "--to", "out.parquet", "--since", "1h", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"file": "out.parquet", "predictions": 0, "labelled": 0}
    assert run("predictions", "export", "cars", "--to", "out.parquet") == 2


def test_late_labels_come_from_a_file_and_an_error_names_the_line(project: Path, capsys: pytest.CaptureFixture[str]):
    (project / "late.csv").write_text("id,label\na,5\nc,nothing\n")
    assert run("label", "m", "late.csv") == 2
    assert "late.csv, line 3: 'nothing' can't be the label" in capsys.readouterr().err
    assert run("predictions", "m", "--labelled", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["predictions"]) == 1
    (project / "late.csv").write_text("id,label\na,5\n")
    for _ in range(2):
        assert run("label", "m", "late.csv") == 0
        assert capsys.readouterr().out == "1 label of m taken\n"
    assert run("predictions", "show", "a", "--json") == 0
    assert [one["value"] for one in json.loads(capsys.readouterr().out)["labels"]] == [5.0]


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]):
    assert run("predictions", "--help") == 0
    assert "export" in capsys.readouterr().out
