"""`plusone runs`: search, show, compare, and what the shell completes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from plusone.base.records import Code
from plusone.cli import main as cli
from plusone.recording.recorder import Recorder
from plusone.store import open_store
from plusone.tracking.artifacts import log_bytes
from plusone.tracking.changing import change_run, set_tags
from plusone.tracking.experiments import add_experiment
from plusone.tracking.runs import start_run
from tests.release.written import write_project

Call = Callable[..., str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A project with three runs, and their ids: the losses fall to 0.5, 0.25 and NaN."""
    root = write_project(tmp_path_factory.mktemp("runs") / "p")
    store = open_store(root / ".plusone")
    experiment = add_experiment(store, "nets")
    ids: list[str] = []
    for number, last in enumerate((0.5, 0.25, math.nan)):
        lock = store.blobs.put_bytes(f"numpy==2.{number}\nplusone==1\n".encode())
        run = start_run(
            store,
            name=f"run {number}",
            settings={"depth": 3 + number, "fixed": "same"},
            code=Code(commit="c" * 40, files={"pipeline.py": f"{number}" * 64}),
            environment=lock,
            experiment=experiment.id if number else "0",
            source="script",
        )
        recorder = Recorder(store, run.record.id)
        for step in range(100):
            recorder.log({"loss": 100.0 - step if step < 99 else last}, step=step)
        recorder.close()
        run.finish("done")
        ids.append(run.record.id)
    set_tags(store, ids[0], {"owner": "ann"})
    log_bytes(store, ids[0], "notes/a.txt", b"12345")
    gone = start_run(store, name="deleted")
    gone.finish("failed")
    change_run(store, gone.record.id, deleted=True)
    store.close()
    return root, ids


@pytest.fixture
def plusone(
    project: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Call:
    """Run `plusone runs ...` in the project; return what it printed."""

    def call(*words: str, code: int = 0) -> str:
        monkeypatch.chdir(project[0])
        with pytest.raises(SystemExit) as ended:
            cli.main(["runs", *words])
        printed = capsys.readouterr()
        assert ended.value.code == code, printed.err
        return click.unstyle(printed.out + printed.err)

    return call


def test_the_newest_come_first_and_deleted_ones_apart(plusone: Call, project: tuple[Path, list[str]]):
    lines = plusone().splitlines()
    assert [line.split()[0] for line in lines[1:]] == project[1][::-1]
    assert "deleted" in plusone("--deleted")
    assert "run 0" not in plusone("--deleted")


def test_filters_orders_and_columns(plusone: Call):
    lines = plusone("--order-by", "metrics.loss", "--columns", "metrics.loss, params.depth,tags.owner").splitlines()
    assert lines[0].split()[-3:] == ["metrics.loss", "params.depth", "tags.owner"]
    assert [line.split()[-3:] for line in lines[1:]] == [
        ["0.2500", "4", "-"],
        ["0.5000", "3", "ann"],
        ["NaN", "5", "-"],
    ]
    found = json.loads(plusone("--filter", "metrics.loss < 0.4 and params.depth = '4'", "--json"))
    assert [run["name"] for run in found["runs"]] == ["run 1"]
    assert found["next_page"] is None
    assert "run 0" not in plusone("--experiment", "nets")
    assert "run 0" in plusone("--experiment", "nets", "--experiment", "0")


def test_pages_go_on_where_the_page_before_ended(plusone: Call):
    first = plusone("--count", "2")
    token = first.split()[-1]
    assert first.splitlines()[-1] == f"more: the same with --page {token}"
    rest = plusone("--count", "2", "--page", token)
    assert "run 0" in rest
    assert "more" not in rest
    assert "another filter, order or set of experiments" in plusone("--order-by", "run_name", "--page", token, code=2)


def test_a_wrong_filter_is_pointed_at(plusone: Call):
    printed = plusone("--filter", "metrics.loss < 'a'", code=2).splitlines()
    assert printed[0].startswith("error: The filter can't be read at column 16: expected a number")
    assert printed[2].index("^") - printed[1].index("metrics") == 15
    assert "or an attribute of runs" in plusone("--columns", "colour", code=2)


def test_a_run_is_shown_with_its_series_tags_and_files(plusone: Call, project: tuple[Path, list[str]]):
    shown = plusone("show", project[1][0])
    assert "  tags     owner=ann" in shown
    row = next(line for line in shown.splitlines() if line.startswith("loss"))
    assert row.split()[1:4] == ["0.5000", "0.5000", "100.0"]
    assert row.split()[4][0] == "█"
    assert row.split()[4][-1] == "▁"
    assert ["notes/a.txt", "file", "5", "bytes"] in [line.split() for line in shown.splitlines()]
    row = next(line for line in plusone("show", project[1][2]).splitlines() if line.startswith("loss"))
    assert row.split()[1:4] == ["NaN", "2.0", "100.0"]


def test_what_differs_is_shown_and_nothing_else(plusone: Call, project: tuple[Path, list[str]]):
    first, second, third = project[1]
    found = json.loads(plusone("compare", first, second, third, "--json"))
    assert found["settings"] == {"depth": [3, 4, 5]}
    assert found["metrics"] == {"loss": [0.5, 0.25, "NaN"]}
    assert found["code"] == {"pipeline.py": ["0" * 64, "1" * 64, "2" * 64]}
    assert found["environment"] == {"numpy": ["2.0", "2.1", "2.2"]}
    rows = [line.split() for line in plusone("compare", first, second).splitlines()]
    for row in (
        ["depth", "3", "4"],
        ["loss", "0.5000", "0.2500"],
        ["pipeline.py", "0" * 12, "1" * 12],
        ["numpy", "2.0", "2.1"],
    ):
        assert row in rows
    assert "nothing differs" in plusone("compare", first, first)
    assert "1 runs can't be compared: expected 2 to 50" in plusone("compare", first, code=2)


def test_the_shell_completes_ids_of_runs(
    project: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    root, ids = project
    monkeypatch.chdir(root)
    shell = ShellComplete(cli.cli, {}, "plusone", "_PLUSONE_COMPLETE")
    for words in (["runs", "show"], ["runs", "compare", ids[0]], ["runs", "log"]):
        assert {item.value for item in shell.get_completions(words, ids[0][:6])} >= {*ids} - {ids[1], ids[2]}
        assert [item.value for item in shell.get_completions(words, ids[1])] == [ids[1]]
        assert shell.get_completions(words, "'%") == []
    monkeypatch.chdir(tmp_path)
    assert shell.get_completions(["runs", "show"], "0") == []
    assert [item.value for item in shell.get_completions(["--project", str(root), "runs", "show"], ids[2])] == [ids[2]]
