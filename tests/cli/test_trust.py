"""`plusone trust` as a person meets it: it shows what is asked for, asks back, and keeps the reason."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from plusone.cli import main as cli
from plusone.store import Store
from plusone.trust.records import list_trust, trusted_digests
from tests.release.written import PASSED, Written, asking_package


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The store of a project in the working folder, with m@1, whose checks failed, and n@1, which asks for nothing."""
    written = Written(tmp_path / "p")
    package = written.store.blobs.put_bytes(asking_package("m", "os.system", "sklearn.tree._tree.Tree"))
    written.release(package=package, checks=[*PASSED, ("model", "failed")])
    written.release("n")
    monkeypatch.chdir(written.root)
    yield written.store
    written.close()


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["trust", *words])
    return int(ended.value.code or 0)


def test_it_says_what_is_asked_for_before_anything_is_trusted(store: Store, capsys: pytest.CaptureFixture[str]):
    assert run("m@1", "--json") == 0
    asked = json.loads(capsys.readouterr().out)
    assert [(one["own_name"], one["source"], one["powerful"]) for one in asked["types"]] == [
        ("system", "the standard library", True),
        ("Tree", "scikit-learn", False),
    ]
    assert trusted_digests(store.db) == frozenset()


def test_nothing_is_trusted_when_nobody_can_be_asked(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert run("m@1", "--reason", "mine") == 2
    printed = capsys.readouterr()
    assert "can run programs or reach files" in printed.out
    assert "plusone trust m@1 --yes --reason 'why'" in printed.err
    assert trusted_digests(store.db) == frozenset()


@pytest.mark.parametrize(("answers", "code", "count"), [("n\n", 130, 0), ("y\nI made it\n", 0, 1)])
def test_it_asks_on_a_terminal(store: Store, answers: str, code: int, count: int):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from plusone.cli.main import main; main(['trust', 'm@1', '--by', 'ann'])"],
        stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=store.folder.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    os.write(master, answers.encode())
    out, _ = process.communicate(timeout=60)
    os.close(master)
    os.close(slave)
    assert "Do you know who made it" in out
    assert process.returncode == code, out
    assert len(trusted_digests(store.db)) == count
    assert [(one.by, one.reason) for one in list_trust(store.db)] == [("ann", "I made it")] * count


def test_it_says_what_comes_next_and_lists_what_was_said(store: Store, capsys: pytest.CaptureFixture[str]):
    assert run("m@1", "--yes", "--reason", "mine", "--by", "ann") == 0
    said = capsys.readouterr().out
    assert "plusone release m --again" in said  # the project may have several models
    assert "It names 2 types that are not known" in said
    assert run("m@1", "--withdraw", "--reason", "not mine", "--by", "bob") == 0
    assert "until it loads it anew" in capsys.readouterr().out
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["release", "m@1", "m@1"]
    assert "trusted once" in lines[1]
    assert "withdrawn" in lines[2]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["n@1", "--yes", "--reason", "x"], "asks for no trust"),
        (["m@1", "--yes"], "needs a reason"),
        (["m@9"], "There is no m@9"),
        (["--yes"], "Which release?"),
        (["--withdraw", "--reason", "x"], "Which release?"),
        (["0" * 64, "--withdraw", "--reason", "x"], "is not trusted"),
        (["m@1", "--withdraw", "--reason", "x"], "is not trusted"),
    ],
)
def test_mistakes_are_said(store: Store, capsys: pytest.CaptureFixture[str], words: list[str], text: str):
    assert run(*words) == 2
    assert text in capsys.readouterr().err
