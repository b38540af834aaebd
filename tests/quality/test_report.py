"""`plusone report`: a file that opens from disk."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from tests.quality.released import add_checks, checked, run
from tests.release.written import Written
from tests.report.reading import read


@pytest.fixture
def release(written: Written) -> str:
    add_checks(written, written.release(checks=None, live=False), checked())
    return "m@1"


def test_it_is_written_beside_where_one_is(written: Written, release: str, capsys: pytest.CaptureFixture[str]):
    assert run("report", release) == 0
    assert capsys.readouterr().out.startswith("m-1.html  ")
    html = (written.root / "m-1.html").read_text("utf-8")
    page = read(html)
    assert page.faults == []
    assert "m@1" in page.text
    assert run("report", release, "--out", "again.html") == 0
    assert (written.root / "again.html").read_text("utf-8") == html, "the same records give the same file"


def test_it_goes_where_it_is_told(written: Written, release: str, capsys: pytest.CaptureFixture[str]):
    assert run("report", release, "--out", "site/index.html") == 0
    html = (written.root / "site" / "index.html").read_text("utf-8")
    capsys.readouterr()
    assert run("report", release, "--out", "-") == 0
    assert capsys.readouterr().out == html
    assert run("report", release, "--json") == 0
    assert json.loads(capsys.readouterr().out)["html"] == html
    assert not (written.root / "m-1.html").exists()


def test_it_is_opened_when_asked(written: Written, release: str, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    assert run("report", release, "--open") == 0
    assert opened == [(written.root / "m-1.html").as_uri()]


def test_a_place_that_can_not_be_written_is_said(written: Written, release: str, capsys: pytest.CaptureFixture[str]):
    assert run("report", release, "--out", "pyproject.toml/x.html") != 0
    assert "can't be written" in capsys.readouterr().err
    assert run("report", "m@9") == 2
    assert not list(Path().glob("*.html"))
