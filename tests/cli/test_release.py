"""`plusone release`: options that contradict each other are told before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.cli import main as cli
from tests.release.written import write_project


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--live", "--no-promote"], "say opposite things"),
        (["--trust", "a" * 64], "--from"),
        (["--from", "m@1", "--until", "split"], "--until makes no release"),
        (["n", "--from", "m@1"], "another model"),
    ],
)
def test_options_that_contradict_each_other(
    tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    root = write_project(tmp_path / "p")
    with pytest.raises(SystemExit) as ended:
        cli.main(["--project", str(root), "release", *words])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
