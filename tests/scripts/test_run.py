"""`plusone.run` as scripts and notebooks use it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import plusone
from plusone.base.errors import Conflict, NotFound, UsageError
from plusone.base.ids import digest_file
from plusone.base.records import MetricPoint, Run
from plusone.data.datasets import save
from plusone.data.tables import decode
from plusone.store import Store, open_store
from plusone.tracking.artifacts import list_artifacts, read_artifact
from plusone.tracking.experiments import get_experiment
from plusone.tracking.inputs import list_inputs
from plusone.tracking.runs import get_run, list_metrics, list_runs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a project, to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kept(folder: Path) -> Iterator[Store]:
    """The store of that folder."""
    opened = open_store(folder / ".plusone")
    yield opened
    opened.close()


def only(store: Store) -> Run:
    [run] = list_runs(store)
    return run


def points(store: Store, run_id: str) -> list[tuple[str, int, float]]:
    found: list[MetricPoint] = list_metrics(store, run_id)
    return [(point.key, point.step, point.value) for point in found]


def script(folder: Path, text: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(text)
    return subprocess.run(
        [sys.executable, *words, "train.py"], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_block_is_a_run_with_all_that_it_says(kept: Store):
    settings = {"depth": np.int64(3), "where": Path("a")}
    with plusone.run("try", settings=settings, experiment="trees", tags={"k": 1}) as run:
        run.log(step=2, loss=0.5)
        run.log({"val/loss": 0.25})
        plusone.log(acc=1.0)
        run.set_tag("state", "good")
        run.set_tag("k", None)
        run.set_settings({"more": [1]})
        assert get_run(kept, run.id).status == "running"
        assert dict(run.settings) == {"depth": 3, "where": "a", "more": [1]}
    found = only(kept)
    assert (found.name, found.status, found.source, found.error) == ("try", "done", "script", None)
    assert found.settings == {"depth": 3, "where": "a", "more": [1]}
    assert found.tags["state"] == "good"
    assert "k" not in found.tags
    assert {"host.name", "process.command_line", "process.runtime.version"} <= set(found.tags)
    assert get_experiment(kept, found.experiment).name == "trees"
    assert points(kept, found.id) == [("acc", 0, 1.0), ("loss", 2, 0.5), ("val/loss", 0, 0.25)]
    assert found.environment
    assert b"numpy==" in kept.blobs.get(found.environment)
    plusone.log(after=1.0)  # nothing to log to, and no error
    with pytest.raises(Conflict, match="has ended"):
        run.log(x=1.0)
    run.finish()


def test_settings_never_change(kept: Store):
    given: dict[str, Any] = {"layers": [1]}
    with plusone.run(settings=given) as run:
        given["layers"].append(2)
        view: Any = run.settings
        with pytest.raises(TypeError):
            view["layers"] = 3
        with pytest.raises(Conflict, match="never changes"):
            run.set_settings({"layers": [3], "new": 1})
        run.set_settings({"layers": [1]})
    assert only(kept).settings == {"layers": [1]}


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("no such \ud800"), "failed", "ValueError: no such \\ud800"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt: "),
        (SystemExit(3), "failed", "SystemExit: 3"),
        (SystemExit(0), "done", None),
    ],
)
def test_how_it_ends_is_how_the_block_ended(kept: Store, error: BaseException, status: str, said: str | None):
    def block() -> None:
        with plusone.run("r") as run:
            run.log(loss=1.0)
            raise error

    with pytest.raises(type(error)):
        block()
    found = only(kept)
    assert (found.status, found.error) == (status, said)
    assert points(kept, found.id) == [("loss", 0, 1.0)]
    assert bool(found.log) == (said is not None)
    if found.log:
        assert b"Traceback" in kept.blobs.get(found.log)


def test_two_at_once_log_each_to_its_own_and_the_newest_has_plusone_log(kept: Store):
    with plusone.run("a") as a, plusone.run("b") as b:
        barrier = threading.Barrier(2)

        def work(run: Any, value: float) -> None:
            barrier.wait()
            for _ in range(50):
                run.log(loss=value)

        threads = [threading.Thread(target=work, args=args) for args in ((a, 1.0), (b, 2.0))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        plusone.log(newest=1.0)
        a.finish()
        plusone.log(newest=2.0)
    assert points(kept, a.id) == [("loss", step, 1.0) for step in range(50)]
    assert points(kept, b.id) == [("loss", step, 2.0) for step in range(50)] + [("newest", 0, 1.0), ("newest", 1, 2.0)]


def test_files_folders_figures_and_tables(kept: Store, folder: Path):
    (folder / "out" / "deep").mkdir(parents=True)
    (folder / "out" / "a.txt").write_text("a")
    (folder / "out" / "deep" / "b.txt").write_text("b")
    with plusone.run() as run:
        run.log_file("out")
        run.log_file(folder / "out" / "a.txt", to="renamed/x")
        run.log_file(".", to="all")
        run.log_figure(np.zeros((2, 2)), "black", step=3)
        run.log_table(pd.DataFrame({"x": [1, 2]}), "frames")
        run.log_table(pl.DataFrame({"x": [1]}), "frames", step=7)
        run.log_table([{"x": None}], "dicts.parquet")
        run.log_table(pd.DataFrame({"x": pd.Categorical(["a"], ["b", "a"], ordered=True)}), "ordered")
    found = {one.path: one for one in list_artifacts(kept, run.id)}
    assert set(found) == {
        "out/a.txt", "out/deep/b.txt", "all/out/a.txt", "all/out/deep/b.txt",
        "renamed/x", "figures/black/00000003.png", "tables/frames.parquet",
        "tables/frames/00000007.parquet", "tables/dicts.parquet", "tables/ordered.arrow",
    }  # fmt: skip
    assert read_artifact(kept, run.id, "renamed/x") == b"a"
    assert pd.read_parquet(io.BytesIO(read_artifact(kept, run.id, "tables/frames.parquet")))["x"].tolist() == [1, 2]
    assert decode(kept.blobs.path(found["tables/ordered.arrow"].blob)).num_rows == 1
    assert {found[path].kind for path in ("out/a.txt", "tables/dicts.parquet", "figures/black/00000003.png")} == {
        "file", "table", "figure",
    }  # fmt: skip


def test_nothing_of_a_folder_is_kept_when_one_name_can_not_be(kept: Store, folder: Path):
    (folder / "out").mkdir()
    (folder / "out" / "a").write_text("a")
    (folder / "out" / "b\n").write_text("b")
    with plusone.run() as run, pytest.raises(UsageError, match="control character"):
        run.log_file("out")
    assert list_artifacts(kept, run.id) == []


def test_what_it_reads_is_recorded_and_not_copied(kept: Store, folder: Path):
    (folder / "in.csv").write_text("x\n1\n")
    dataset = save(pd.DataFrame({"x": [1]}), kept.blobs)
    with plusone.run() as run:
        assert run.use("in.csv") == "in.csv"
        run.use(dataset, name="made before")
        frame = run.use(pd.DataFrame({"y": [1]}), name="frame")
        with pytest.raises(UsageError, match="No step has made 'nothing'"):
            run.use_output("nothing")
    assert list(frame.columns) == ["y"]
    found = {one.name: one for one in list_inputs(kept, run.id)}
    assert found["in.csv"].digest == digest_file(folder / "in.csv")
    assert found["in.csv"].source_type == "file"
    assert not kept.blobs.has(found["in.csv"].digest)
    assert found["made before"].digest == dataset.digest
    assert kept.db.one("dataset_get", digest=found["frame"].digest)


def test_a_run_goes_on_by_the_beginning_of_its_id(kept: Store):
    with plusone.run("r", settings={"a": 1}) as first:
        first.log(step=5, loss=1.0)
        with pytest.raises(Conflict, match="under way"):
            plusone.run(id=first.id)
    with plusone.run(id=first.id[:20], settings={"b": 2}, tags={"again": "yes"}) as again:
        assert (again.id, again.name, dict(again.settings)) == (first.id, "r", {"a": 1, "b": 2})
        assert get_run(kept, first.id).status == "running"
        assert get_run(kept, first.id).finished_at is None
        again.log(step=6, loss=0.5)
    found = only(kept)
    assert (found.status, found.tags["again"]) == ("done", "yes")
    assert points(kept, found.id) == [("loss", 5, 1.0), ("loss", 6, 0.5)]
    with pytest.raises(Conflict, match="never changes"):
        plusone.run(id=first.id, settings={"a": 2})
    assert only(kept).status == "done"
    with pytest.raises(NotFound):
        plusone.run(id="zzz")
    with pytest.raises(UsageError, match="keeps its name"):
        plusone.run("other", id=first.id)


def test_where_runs_go_without_a_project(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    plusone.run("a").finish()
    assert f"runs are kept in {folder / '.plusone'}" in capsys.readouterr().err
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    plusone.run("b").finish()
    monkeypatch.setenv("PLUSONE_STORE", str(folder / "elsewhere"))
    plusone.run("c").finish()
    assert f"{folder / 'elsewhere'}" in capsys.readouterr().err
    monkeypatch.delenv("PLUSONE_STORE")
    with plusone.App() as app:  # and the commands find them
        assert [run.name for run in app.list_runs()] == ["b", "a"]
    with plusone.App(folder / "elsewhere" / "..") as app:
        assert len(app.list_runs()) == 2


def test_in_a_project_its_store_and_its_code_are_taken(folder: Path):
    (folder / "pyproject.toml").write_text("[tool.plusone]\nstore = 'kept'\n")
    (folder / "notebooks").mkdir()
    (folder / "features.py").write_text("")
    done = script(folder / "notebooks", "import plusone\nwith plusone.run() as run: run.log(x=1)\n")
    assert (done.returncode, done.stderr) == (0, f"plusone: runs are kept in {folder / 'kept'}\n")
    store = open_store(folder / "kept")
    assert only(store).name == "train"
    assert set(only(store).code.files) == {"features.py", "notebooks/train.py"}
    store.close()


ENDS = {
    "falls off its end": ("", True, "done", None),
    "raises": ("raise ValueError('no')", False, "failed", "ValueError: no"),
    "is stopped": ("raise KeyboardInterrupt", False, "interrupted", "KeyboardInterrupt: "),
    "forks": ("import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\nrun.log(x=2)", True, "done", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", ENDS)
def test_a_run_without_a_block_is_closed_when_its_process_ends(folder: Path, how: str):
    code, is_well, status, error = ENDS[how]
    done = script(folder, f"import plusone\nrun = plusone.run()\nrun.log(x=1)\n{code}\n")
    assert (done.returncode == 0) == is_well, done.stderr
    store = open_store(folder / ".plusone")
    found = only(store)
    assert (found.status, found.error, found.name) == (status, error, "train")
    assert points(store, found.id)[0] == ("x", 0, 1.0)
    assert set(found.code.files) == {"train.py"}
    store.close()


def test_a_session_that_is_closed_has_interrupted_its_run(folder: Path):
    script(folder, "import plusone\nrun = plusone.run()\n", "-i")
    store = open_store(folder / ".plusone")
    assert (only(store).status, only(store).error) == ("interrupted", "The session was closed before run.finish().")
    store.close()


def test_a_killed_run_keeps_what_it_logged_and_can_go_on(kept: Store, folder: Path):
    text = (
        "import os, signal, plusone\nrun = plusone.run('r')\nrun.log(loss=1.0)\nopen('f', 'w').write('x')\n"
        "run.log_file('f')\nrun.set_tag('a', 'b')\nrun.use('f')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert script(folder, text).returncode == -signal.SIGKILL
    killed = only(kept)
    assert killed.status == "running"
    with plusone.run(id=killed.id) as run:
        run.log(step=1, loss=0.5)
    assert points(kept, killed.id) == [("loss", 0, 1.0), ("loss", 1, 0.5)]
    assert (only(kept).status, only(kept).tags["a"]) == ("done", "b")
    assert [one.path for one in list_artifacts(kept, killed.id)] == ["f"]
    assert len(list_inputs(kept, killed.id)) == 1


def test_system_metrics_by_the_variable(kept: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLUSONE_SYSTEM_METRICS", "3600")
    with plusone.run() as run:
        pass
    found = [point for point in points(kept, run.id) if point[0] == "system/cpu_percent"]
    assert [step for _, step, _ in found] == [0, 1]


def test_a_run_that_can_not_begin_leaves_none_under_way(kept: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(UsageError, match="psutil"):
        plusone.run(system_metrics=True)
    assert only(kept).status == "failed"
    with pytest.raises(UsageError, match="object"):
        plusone.run(settings={"x": object()})
    assert len(list_runs(kept)) == 1


@pytest.mark.slow
def test_scripts_that_begin_at_once_in_an_empty_folder_lose_nothing(folder: Path):
    text = (
        "import sys, plusone\nwith plusone.run(sys.argv[1], experiment='all') as run:\n"
        "    open(sys.argv[1], 'w').write('same')\n    run.log_file(sys.argv[1], to='f')\n"
        "    for step in range(100):\n        run.log(step=step, loss=float(step))\n"
    )
    (folder / "train.py").write_text(text)
    started = [
        subprocess.Popen([sys.executable, "train.py", f"r{number}"], cwd=folder, stderr=subprocess.PIPE, text=True)
        for number in range(6)
    ]
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    store = open_store(folder / ".plusone")
    found = list_runs(store)
    assert sorted(run.name for run in found) == [f"r{number}" for number in range(6)]
    assert {run.status for run in found} == {"done"}
    assert len({run.experiment for run in found}) == 1
    assert [len(points(store, run.id)) for run in found] == [100] * 6
    assert len(store.db.all("lineage_owners", digest=list_artifacts(store, found[0].id)[0].blob, count=10)) == 6
    store.close()
