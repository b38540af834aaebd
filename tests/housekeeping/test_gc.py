"""`plusone gc` as a person meets it: it says what, asks, and frees."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from plusone.cli import main as cli
from plusone.store import Store, open_store
from tests.release.written import write_project


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The store of a project in the working folder, with one blob that nothing needs."""
    root = write_project(tmp_path / "p")
    monkeypatch.chdir(root)
    opened = open_store(root / ".plusone")
    digest = opened.blobs.put_bytes(b"x" * 3000)
    os.utime(opened.blobs.path(digest), (1000.0, 1000.0))
    yield opened
    opened.close()


def blobs(store: Store) -> int:
    return len(list(store.blobs.list()))


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["gc", *words])
    return int(ended.value.code or 0)


def test_a_dry_run_says_what_and_changes_nothing(store: Store, capsys: pytest.CaptureFixture[str]):
    assert run("--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "kept as  files  size",
        "unknown  1      2.9 KiB",
        "all      1      2.9 KiB",
        "would be freed: 2.9 KiB",
    ]
    assert run("--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kinds"] == {"unknown": {"count": 1, "size_bytes": 3000}}
    assert blobs(store) == 1


def test_nothing_is_freed_when_nobody_can_be_asked(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        for words in ((), ("--json",)):
            assert run(*words) == 2
            assert "plusone gc --yes, or --dry-run" in capsys.readouterr().err
    assert blobs(store) == 1


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 130, 1), ("y\n", 0, 0)])
def test_it_asks_on_a_terminal(store: Store, answer: str, code: int, left: int):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from plusone.cli.main import main; main(['gc'])"],
        stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=store.folder.parent,
    )  # fmt: skip
    os.write(master, answer.encode())
    out, _ = process.communicate(timeout=60)
    os.close(master)
    os.close(slave)
    assert "Free it?" in out
    assert process.returncode == code, out
    assert blobs(store) == left


def test_yes_frees_and_says_so(store: Store, capsys: pytest.CaptureFixture[str]):
    assert run("--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["size_bytes"] == 3000
    assert blobs(store) == 0
    assert run("--yes") == 0
    assert capsys.readouterr().out == "nothing freed\n"


@pytest.mark.parametrize("age", ["", "x", "30", "-1d", "1w", "d", "1e9d", "nan"])
def test_an_age_that_is_none_is_refused(store: Store, age: str, capsys: pytest.CaptureFixture[str]):
    assert run("--dry-run", "--older-than", age) == 2
    assert "--older-than" in capsys.readouterr().err


@pytest.mark.parametrize("age", ["0", "0s", "90min", "12h", "1.5d"])
def test_ages(store: Store, age: str):
    assert run("--dry-run", "--older-than", age) == 0
