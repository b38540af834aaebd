"""A series is drawn as it is: no spike is lost, and what is no number is a gap."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from plusone.app.app import App
from plusone.base.errors import NotFound, UsageError
from plusone.cli.main import cli
from plusone.recording.recorder import Recorder
from plusone.tracking.runs import start_run

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    with App(tmp_path) as app:
        run = start_run(app.store, name="plotted")
        recorder = Recorder(app.store, run.record.id)
        for step in range(20_000):
            recorder.log({"loss": 9.0 if step == 12_345 else 1 / (step + 1)}, step=step)
        for step, value in enumerate([1.0, math.nan, 2.0, math.inf, 3.0]):
            recorder.log({"odd": value}, step=step)
        recorder.close()
        run.finish("done")
        yield app


def _parsed(picture: bytes) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - what we drew ourselves


def run_of(app: App) -> str:
    return app.list_runs()[0].id


def test_a_long_series_comes_short_with_its_spike(app: App) -> None:
    curve = app.get_series(run_id=run_of(app), key="loss", count=200)
    assert len(curve.steps) <= 200
    assert list(curve.steps) == sorted(curve.steps)
    assert (12_345, 9.0) in zip(curve.steps, curve.values, strict=True)
    narrow = app.get_series(run_id=run_of(app), key="loss", first_step=100, last_step=109)
    assert list(narrow.steps) == list(range(100, 110))


def test_what_is_not_there_is_said_with_what_is(app: App) -> None:
    with pytest.raises(NotFound, match="It has: loss, odd"):
        app.get_series(run_id=run_of(app), key="los")
    for count in (1, 0, -5, 100_001):
        with pytest.raises(UsageError, match="expected 2 to 100000"):
            app.get_series(run_id=run_of(app), key="loss", count=count)


def test_the_command_draws_a_picture_and_prints_points(app: App, tmp_path: Path) -> None:
    words = ["--project", str(tmp_path), "runs", "plot", run_of(app)[:26], "loss", "odd"]
    shown = CliRunner().invoke(cli, [*words, "--to", str(tmp_path / "loss.svg")])
    assert shown.exit_code == 0, shown.output
    assert "20000" not in shown.output
    assert "drawn:" in shown.output
    picture = _parsed((tmp_path / "loss.svg").read_bytes())
    assert len(picture.findall(f"{SVG}polyline")) == 1 + 3, "NaN and infinity are gaps"
    printed = json.loads(CliRunner().invoke(cli, [*words, "--json", "--count", "10"]).output)
    assert [one["key"] for one in printed] == ["loss", "odd"]
    assert printed[1]["values"] == [1.0, "NaN", 2.0, "Infinity", 3.0]


def test_experiments_are_listed(app: App, tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["--project", str(tmp_path), "runs", "experiments"])
    assert "Default" in shown.output
    assert [one.name for one in app.list_experiments()] == ["Default"]
