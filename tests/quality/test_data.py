"""`plusone data`: a profile that says what a table holds, and tests that are written once and pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from plusone.app.app import App
from plusone.base.errors import NotFound, UsageError
from plusone.cli.main import cli
from plusone.release.making import Request

PIPELINE = """
import numpy as np
import pyarrow as pa
import plusone

@plusone.step
def flights():
    rng = np.random.default_rng(0)
    return pa.table({
        "day": np.arange(300).astype("datetime64[D]"),
        "carrier": rng.choice(["AA", "UA"], 300),
        "distance": np.where(rng.random(300) < 0.1, np.nan, rng.integers(80, 4984, 300)),
    })

@plusone.step
def note(flights):
    return {"rows": len(flights)}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    (folder / "pipeline.py").write_text(PIPELINE, "utf-8")
    with App(folder) as app:
        app.make_release(Request(until="note"), on_event=lambda event: None)
    return folder


def run(project: Path, *words: str):
    return CliRunner().invoke(cli, ["--project", str(project), "data", *words])


def test_the_profile_of_a_step(project: Path):
    out = run(project, "profile", "flights")
    assert out.exit_code == 0, out.output
    lines = out.output.splitlines()
    assert lines[0].startswith("flights  300 rows, 3 columns, key day, longest gap in day 1 days")
    assert [line.split()[0] for line in lines[1:]] == ["column", "day", "carrier", "distance"]
    assert "▁" in lines[4] or "█" in lines[4]


def test_the_profile_as_json(project: Path):
    found = json.loads(run(project, "profile", "flights", "--json").output)
    assert found["rows"] == 300
    day, carrier, distance = found["columns"]
    assert (day["minimum"], day["maximum"], day["kind"]) == ("1970-01-01", "1970-10-27", "time")
    assert sum(carrier["top"].values()) == 300
    assert distance["missing"] > 10
    assert sum(distance["shares"]) == pytest.approx(1)


def test_the_tests_are_written_once(project: Path):
    out = run(project, "expect", "flights")
    assert out.exit_code == 0, out.output
    file = project / "tests" / "test_flights.py"
    assert "tests of flights, inferred from 300 rows" in out.output
    assert "plusone.check.no_gaps" in file.read_text("utf-8")
    file.write_text("# edited\n", "utf-8")
    again = run(project, "expect", "flights")
    assert isinstance(again.exception, UsageError)
    assert "--force" in again.exception.mend
    assert file.read_text("utf-8") == "# edited\n"
    assert json.loads(run(project, "expect", "flights", "--force", "--json").output)["tests"] >= 5
    assert file.read_text("utf-8").startswith('"""What is expected of flights')


def test_the_tests_go_where_they_are_told(project: Path, tmp_path: Path):
    assert run(project, "expect", "flights", "--out", "-").output.startswith('"""What is expected of flights')
    run(project, "expect", "flights", "--out", str(tmp_path / "deep" / "test_x.py"))
    assert (tmp_path / "deep" / "test_x.py").exists()
    assert run(project, "expect", "flights", "--out", str(tmp_path / "deep" / "test_x.py" / "y")).exit_code != 0


def test_what_is_no_table_or_not_there(project: Path, tmp_path: Path):
    assert isinstance(run(project, "profile", "note").exception, UsageError)
    missing = run(project, "profile", "fligths").exception
    assert isinstance(missing, NotFound)
    assert missing.mend == "plusone data profile flights"
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    assert run(tmp_path, "profile", "flights").exit_code != 0
