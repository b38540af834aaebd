"""Runs: what is kept of them, also when their process is killed."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from plusone.base.errors import NotFound
from plusone.base.records import Code, Dataset, StepRun
from plusone.data.datasets import save
from plusone.journal import list_segments
from plusone.recording.recorder import Recorder, journal_of
from plusone.store import Store
from plusone.store.rows import to_row
from plusone.tracking.runs import (
    get_run,
    latest_metrics,
    latest_outputs,
    list_metrics,
    list_runs,
    list_steps,
    recover_runs,
    start_run,
)

_KILLED = """
import os, signal, sys
from pathlib import Path
import plusone
from plusone.store import open_store
from plusone.recording import active
from plusone.recording.recorder import Recorder
from plusone.tracking.runs import start_run
store = open_store(Path(sys.argv[1]))
run = start_run(store, name="killed", settings={"a": 1}, source=sys.argv[3])
active.start(Recorder(store, run.record.id))
run.output.write_text("what it printed")
for number in range(5):
    plusone.log(loss=number)
print(run.record.id, flush=True)
if sys.argv[2] == "wait":
    sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def begin(store: Store, how: str, source: str = "script") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(store.folder), how, source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(store: Store, name: str, model: str | None = None) -> str:
    run = start_run(store, name=name, model=model)
    run.finish("done")
    return run.record.id


def add_step(store: Store, run_id: str, step: str, outputs: dict[str, Dataset], started_at: str = "t") -> None:
    digests = {name: dataset.digest for name, dataset in outputs.items()}
    with store.db.write() as tx:
        for dataset in outputs.values():
            tx.execute("dataset_add", **to_row(dataset))
        made = StepRun(run_id=run_id, step=step, fingerprint="f", status="done", outputs=digests, started_at=started_at)
        tx.execute("step_run_add", **to_row(made))


def test_a_run_is_kept_whole_with_its_log_and_every_metric(store: Store) -> None:
    run = start_run(store, name="r", model="m", settings={"n": [1, None]}, code=Code(commit="c", dirty=True))
    assert get_run(store, run.record.id).status == "running"
    recorder = Recorder(store, run.record.id)
    for step, value in ((3, math.nan), (1, math.inf), (2, 0.5)):
        recorder.log({"loss": value}, step=step)
    recorder.log({"other": 7})
    run.output.write_bytes(b"printed \xff")
    living = [(point.key, point.step) for point in list_metrics(store, run.record.id)]
    recorder.close()
    last = run.finish("done")
    assert math.isnan(last["loss"]), "the latest is the one with the largest step"
    assert last["other"] == 7.0
    found = list_metrics(store, run.record.id)
    assert (
        [(point.key, point.step) for point in found] == living == [("loss", 3), ("loss", 1), ("loss", 2), ("other", 0)]
    )
    assert math.isnan(found[0].value)
    assert found[1].value == math.inf
    assert [point.value for point in list_metrics(store, run.record.id, "other")] == [7.0]
    kept = get_run(store, run.record.id)
    assert (kept.status, kept.settings, kept.code.commit) == ("done", {"n": [1, None]}, "c")
    assert kept.log
    assert store.blobs.get(kept.log) == b"printed \xff"
    assert not run.folder.exists()


def test_a_killed_run_is_recovered_once_with_all_it_logged(store: Store) -> None:
    process = begin(store, "now")
    run_id = process.communicate(timeout=60)[0].strip()
    assert process.returncode == -9
    recovered = recover_runs(store)
    assert [run.id for run in recovered] == [run_id]
    kept = get_run(store, run_id)
    assert (kept.status, kept.settings) == ("interrupted", {"a": 1})
    assert "died" in (kept.error or "")
    assert kept.log
    assert store.blobs.get(kept.log) == b"what it printed"
    assert [point.value for point in list_metrics(store, run_id)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert recover_runs(store) == []
    assert len(list_metrics(store, run_id)) == 5


def test_a_living_run_is_left_alone_until_its_process_dies(store: Store) -> None:
    process = begin(store, "wait")
    assert process.stdout
    run_id = process.stdout.readline().strip()
    assert recover_runs(store) == []
    assert len(list_metrics(store, run_id)) == 5, "the metrics of a living run can be seen"
    process.communicate("go\n", timeout=60)
    assert [run.id for run in recover_runs(store)] == [run_id]


def test_the_points_of_a_run_of_mlflow_are_recovered_and_it_goes_on(store: Store) -> None:
    process = begin(store, "now", "mlflow")
    run_id = process.communicate(timeout=60)[0].strip()
    assert recover_runs(store) == []
    kept = get_run(store, run_id)
    assert (kept.status, kept.error) == ("running", None)
    assert [point.value for point in list_metrics(store, run_id)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert latest_metrics(store, kept) == {"loss": 4.0}


def test_a_run_of_another_machine_that_shares_the_store_is_left_alone(store: Store) -> None:
    run = start_run(store, name="elsewhere")
    kept = run.folder.rename(store.folder / "elsewhere")
    assert recover_runs(store) == []
    assert get_run(store, run.record.id).status == "running"
    kept.rename(run.folder)
    run.finish("done")


def test_a_torn_journal_and_lost_files_do_not_stop_the_recovery(store: Store) -> None:
    runs = [start_run(store, name=name) for name in ("torn", "empty", "foreign", "gone")]
    for run in runs[:3]:
        recorder = Recorder(store, run.record.id)
        recorder.log({"loss": 1})
        recorder._journal.close()  # as if the process had died: nothing is moved
        [segment] = list_segments(journal_of(store, run.record.id))
        if run is runs[0]:
            data = segment.read_bytes().rstrip(b"\0")
            segment.write_bytes(data + b"\x05\x00\x00\x00torn" + bytes(1000))
        else:
            segment.write_bytes(b"PLU" if run is runs[1] else b"something else")
    for path in runs[3].folder.iterdir():
        path.unlink()
    for run in runs:
        run._lock.close()
    recovered = recover_runs(store)
    assert [run.name for run in recovered] == ["torn", "empty", "foreign", "gone"]
    assert [point.value for point in list_metrics(store, runs[0].record.id)] == [1.0]
    told = [(run.error or "").removeprefix("The process that ran it died.").strip() for run in recovered]
    assert told == [
        f"{count} bytes of its journal were no whole record, and were dropped." if count else ""
        for count in (8, 3, 28, 0)
    ]


def test_the_folder_of_a_run_that_was_killed_after_its_last_commit_is_removed(store: Store) -> None:
    run = start_run(store, name="r")
    recorder = Recorder(store, run.record.id)
    recorder.log({"loss": 1})
    recorder.close()
    run.finish("done")
    (run.folder / "journal").mkdir(parents=True)
    (run.folder / "journal" / ".new-left").write_bytes(b"PLUSJRN1")
    strange = store.folder / "runs" / "no-run-of-ours"
    strange.mkdir()
    assert recover_runs(store) == []
    assert not run.folder.exists()
    assert strange.exists()
    assert len(list_metrics(store, run.record.id)) == 1


def test_what_a_process_logs_that_outlives_its_run_is_kept(store: Store) -> None:
    run = start_run(store, name="r")
    straggler = Recorder(store, run.record.id)
    straggler.log({"loss": 1})
    run.finish("done")
    straggler.log({"loss": 2})
    assert recover_runs(store) == []
    assert run.folder.exists(), "its journal is held"
    straggler.close()
    assert [point.value for point in list_metrics(store, run.record.id)] == [1.0, 2.0]
    assert recover_runs(store) == []
    assert not run.folder.exists()


def test_the_latest_metrics_of_a_run_of_before_they_were_kept_come_from_its_points(store: Store) -> None:
    run = start_run(store, name="old")
    with store.db.write() as tx:
        points = msgspec.msgpack.encode([(0, 1.5, 10.0), (1, 0.5, 11.0)])
        tx.execute(
            "series_chunk_add",
            run_id=run.record.id,
            key="loss",
            count=2,
            codec="msgpack",
            summary=b"",
            points=points,
        )
    run.finish("done")
    assert latest_metrics(store, get_run(store, run.record.id)) == {"loss": 0.5}


def test_a_run_is_found_by_the_beginning_of_its_id_and_by_nothing_else(store: Store) -> None:
    run = start_run(store, name="r")
    whole = run.record.id
    for text in (whole, whole[:8], whole[:8].upper()):
        assert get_run(store, text).id == whole
    for text in ("", "%", "_", whole[:5] + "%", whole[:5] + "_", "*", "'", whole + "0", "é", "\ud800"):
        with pytest.raises(NotFound, match="plusone runs"):
            get_run(store, text)
    start_run(store, name="second").finish("done")
    with pytest.raises(NotFound, match="More than one"):
        get_run(store, whole[:3])
    run.finish("failed", error="x")


def test_runs_are_listed_the_newest_first_page_by_page(store: Store) -> None:
    made = [finished(store, str(number), "ab"[number % 2]) for number in range(5)]
    assert [run.id for run in list_runs(store, count=3)] == made[::-1][:3]
    assert [run.id for run in list_runs(store, before=made[2])] == made[1::-1]
    assert [run.id for run in list_runs(store, model="b")] == [made[3], made[1]]


def test_latest_outputs_are_those_of_the_newest_run_of_each_step(store: Store) -> None:
    old, new = finished(store, "old"), finished(store, "new")
    one, two, three = (save([number], store.blobs) for number in (1, 2, 3))
    add_step(store, new, "a", {"a": two})
    add_step(store, old, "a", {"a": one})
    add_step(store, old, "b", {"b": three, "c": one})
    with store.db.write() as tx:
        made = StepRun(run_id=old, step="train", fingerprint="f", status="done", outputs={"package": "no dataset"})
        tx.execute("step_run_add", **to_row(made))
    found = latest_outputs(store)
    assert {name: dataset.digest for name, dataset in found.items()} == {
        "a": two.digest,
        "b": three.digest,
        "c": one.digest,
    }
    assert found["c"] == one
    assert [step.step for step in list_steps(store, old)] == ["train", "a", "b"]


def test_a_run_id_that_leads_elsewhere_has_no_metrics(store: Store, tmp_path: Path) -> None:
    run = start_run(store, name="r")
    recorder = Recorder(store, run.record.id)
    recorder.log({"secret": 1})
    shutil.copytree(journal_of(store, run.record.id), tmp_path / "elsewhere" / "journal")
    recorder.close()
    run.finish("done")
    assert list_metrics(store, "../../elsewhere") == []
