"""`plusone environments` as a person and a program meet it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from plusone.cli import main as cli
from plusone.execution import venvs
from tests.execution.made import write_distribution


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two environments, by the one distribution that they hold; `old` was used in 2001."""
    monkeypatch.setenv("PLUSONE_ENVIRONMENTS", str(tmp_path / "environments"))
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    found: dict[str, str] = {}
    for name in ("old", "new"):
        write_distribution(tmp_path / "site", name)
        place = venvs.ensure(f"{name}==1.0\n").parent.parent
        found[name] = place.name
    os.utime(tmp_path / "environments" / found["old"] / ".plusone.used", (1e9, 1e9))
    return found


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["environments", *words])
    printed = capsys.readouterr()
    out = json.loads(printed.out) if "--json" in words else printed.out
    return int(ended.value.code or 0), out, printed.err


def names(out: Any) -> list[str]:
    return [one["name"] for one in out["environments"]]


def test_they_are_listed_without_a_project_the_one_used_last_first(
    made: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    code, out, _ = run(capsys, "--json")
    assert (code, names(out), out["removed"]) == (0, [made["new"], made["old"]], [])
    code, text, _ = run(capsys)
    assert code == 0
    assert "old 1.0" in text
    assert text.index("new 1.0") < text.index("old 1.0")


def test_the_old_ones_go_and_the_others_stay(made: dict[str, str], capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "--older-than", "30d", "--json")
    assert (names(out), out["removed"]) == ([made["old"]], [])
    code, out, _ = run(capsys, "--remove", "--older-than", "30d", "--json")
    assert (code, out["removed"]) == (0, [made["old"]])
    _, out, _ = run(capsys, "--json")
    assert names(out) == [made["new"]]


def test_one_is_removed_by_the_beginning_of_its_name(made: dict[str, str], capsys: pytest.CaptureFixture[str]):
    code, text, _ = run(capsys, "--remove", made["new"][:8])
    assert code == 0
    assert "removed: 1" in text
    _, out, _ = run(capsys, "--json")
    assert names(out) == [made["old"]]


@pytest.mark.parametrize("words", [("--remove",), ("--remove", "zzz"), ("--remove", ""), ("--older-than", "soon")])
def test_what_is_not_clear_removes_nothing(
    made: dict[str, str], capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "error" in err
    _, out, _ = run(capsys, "--json")
    assert len(names(out)) == 2


def test_none_at_all_is_an_empty_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PLUSONE_ENVIRONMENTS", str(tmp_path / "nowhere"))
    assert run(capsys, "--json")[1]["environments"] == []
