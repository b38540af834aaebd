"""`plusone route`: the present route, its versions, and what the shell completes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from plusone.base import clock
from plusone.base.records import ServerReport, WorkerReport
from plusone.cli import main as cli
from plusone.store.rows import to_row
from tests.release.written import Written


@pytest.fixture
def written(tmp_path: Path):
    made = Written(tmp_path / "p")
    yield made
    made.close()


def call(written: Written, *words: str) -> Result:
    return CliRunner().invoke(cli.cli, ["--project", str(written.root), "route", *words])


def serve(written: Written, *workers: WorkerReport) -> None:
    report = ServerReport(
        id="s1",
        host="here",
        pid=1,
        address="http://127.0.0.1:7401",
        control="http://127.0.0.1:7400",
        workers=workers,
        heartbeat_at=clock.now(),
    )
    with written.store.db.write() as tx:
        tx.execute("server_report", **to_row(report), evidence="{}")


def worker(
    slot: int,
    *,
    versions: dict[str, int] | None = None,
    failed: dict[str, dict[str, Any]] | None = None,
    ready: bool = True,
) -> WorkerReport:
    return WorkerReport(
        pid=100 + slot, slot=slot, generation="g", ready=ready, versions=versions or {}, failed=failed or {}
    )


def test_the_present_route_names_its_releases_why_and_that_nobody_serves_it(written: Written) -> None:
    written.release(live=True)
    written.release(live=True)
    lines = call(written).output.splitlines()
    assert lines[0].startswith("m  route version 2, ")
    assert lines[0].endswith(", not yet served")
    assert [line.split()[:4] for line in lines[2:4]] == [["2", "live", "100", "%"], ["1", "previous", "-", "-"]]
    assert lines[4:] == ["why: promoted (a person)", "no server is up. To start one: plusone up"]


def test_each_worker_says_which_version_it_serves(written: Written) -> None:
    written.release(live=True)
    written.release(live=True)
    serve(
        written,
        worker(0, versions={"m": 2}),
        worker(1, versions={"m": 1}),
        worker(2, versions={"m": 1}, failed={"m": {"version": 2, "error": "too big"}}),
        worker(3),
        worker(4, versions={"m": 2}, ready=False),
    )
    lines = call(written).output.splitlines()
    assert "3 of 5 workers do not serve it yet" in lines[0]
    assert [line.split(maxsplit=3)[1:] for line in lines[-5:]] == [
        ["0", "100", "version 2"],
        ["1", "101", "version 1, not yet 2"],
        ["2", "102", "version 1; version 2 failed: too big"],
        ["3", "103", "nothing of this model, not yet 2"],
        ["4", "104", "version 2, not ready"],
    ]
    found = json.loads(call(written, "--json").output)
    assert found["served"]["state"] == "waiting"
    assert [one["slot"] for one in found["servers"][0]["workers"]] == [0, 1, 2, 3, 4]


def test_a_server_without_workers_and_a_model_without_a_route_are_said(written: Written) -> None:
    written.release(live=True)
    serve(written)
    assert call(written).output.splitlines()[-1] == "no worker is up yet"
    written.release("other")
    found = call(written, "other")
    assert found.exit_code == 0
    assert "has no route: no release of it was live. To make one: plusone release other" in found.output
    assert json.loads(call(written, "other", "--json").output)["route"] is None


def test_the_history_has_every_version_with_its_decision(written: Written) -> None:
    for _ in range(3):
        written.release(live=True)
    rows = [line.split() for line in call(written, "--history").output.splitlines()]
    assert [row[0] for row in rows] == ["version", "3", "2", "1"]
    assert rows[1][3:] == ["3:", "100", "%", "-", "2", "a", "person", "promoted"]
    assert rows[3][3:] == ["1:", "100", "%", "-", "-", "a", "person", "promoted"]
    assert [one["version"] for one in json.loads(call(written, "--history", "--json").output)] == [1, 2, 3]


@pytest.mark.parametrize("words", [("cars",), ("../x",), ("",), ("ä\u2028",), ("m@1",), ("cars", "--history")])
def test_a_model_that_is_none_is_said_with_those_that_are(
    written: Written, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    written.release(live=True)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--project", str(written.root), "route", *words])
    assert ended.value.code == 2
    assert "Models: m." in capsys.readouterr().err


def completed(root: Path, *words: str) -> list[str]:
    *before, incomplete = words
    found = ShellComplete(cli.cli, {}, "plusone", "_PLUSONE_COMPLETE").get_completions(
        ["--project", str(root), *before], incomplete
    )
    return [one.value for one in found]


def test_models_are_completed_and_without_a_store_nothing_is(written: Written, tmp_path: Path) -> None:
    for model in ("flights", "ferries", "ships"):
        written.release(model)
    assert sorted(completed(written.root, "route", "f")) == ["ferries", "flights"]
    assert completed(written.root, "route", "\udcff") == []
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n", "utf-8")
    assert completed(tmp_path, "route", "") == []
    assert not (tmp_path / ".plusone").exists()


def test_plain_text_has_no_colours_in_a_pipe(written: Written) -> None:
    written.release(live=True)
    printed = call(written).output
    assert click.unstyle(printed) == printed
