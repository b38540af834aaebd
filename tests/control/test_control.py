"""What the control process does beside serving."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from plusone.base.config import load_project
from plusone.base.errors import StoreError
from plusone.control.control import Control
from plusone.predictions.reading import list_predictions
from plusone.recording.recorder import Recorder
from plusone.store import open_store
from plusone.tracking.runs import get_run, latest_metrics, start_run
from tests.control.rolled import Rolled
from tests.predictions.written import labels_kept, log_predictions, send_labels, until


def test_runs_whose_process_died_are_closed_while_it_serves(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n")
    project = load_project(tmp_path)
    with contextlib.closing(open_store(project.store)) as store:
        control = Control(
            project, store, host="127.0.0.1", port=0, control_port=0, workers=1, on_event=lambda event: None
        )
        run = start_run(store, name="died")
        recorder = Recorder(store, run.record.id)
        recorder.log({"loss": 0.5})
        recorder._journal.close()  # as the kernel does when a process dies
        run._lock.close()
        thread = threading.Thread(target=control._recover)
        thread.start()
        deadline = time.monotonic() + 90
        while get_run(store, run.record.id).status == "running":
            assert time.monotonic() < deadline
        control.stop()
        thread.join()
        assert get_run(store, run.record.id).status == "interrupted"
        assert latest_metrics(store, get_run(store, run.record.id)) == {"loss": 0.5}


def test_what_workers_logged_comes_to_the_store_while_it_serves(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.plusone]\n")
    project = load_project(tmp_path)
    with contextlib.closing(open_store(project.store)) as store:
        control = Control(
            project, store, host="127.0.0.1", port=0, control_port=0, workers=1, on_event=lambda event: None
        )
        thread = threading.Thread(target=control._collect)
        thread.start()
        log_predictions(control.folder, ["a"])
        send_labels(control.folder, ("a", "1.0"))
        deadline = time.monotonic() + 90
        while not labels_kept(store) or not list_predictions(store, "m").predictions:
            assert time.monotonic() < deadline
        control.stop()
        thread.join()


@pytest.mark.slow
def test_rollouts_are_looked_at_while_it_serves_and_no_fault_ends_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled = Rolled(tmp_path / "p")
    rolled.begin("5% 1h")
    told: list[dict[str, Any]] = []
    control = Control(
        load_project(rolled.written.root), rolled.store, host="127.0.0.1", port=0, control_port=0, workers=1,
        on_event=told.append,
    )  # fmt: skip
    turn, faults = control.rolling.turn, [StoreError("gone"), OSError("gone"), ValueError("a fault of ours")]

    def faulty(on_event: Any) -> None:
        if faults:
            raise faults.pop(0)
        turn(on_event)

    monkeypatch.setattr(control.rolling, "turn", faulty)
    thread = threading.Thread(target=control._roll)
    thread.start()
    until(lambda: rolled.rollout().looks)
    control.stop()
    thread.join()
    assert control._events.get_nowait() == {"event": "rollouts stopped", "message": "ValueError: a fault of ours"}
    assert control._events.get_nowait()["did"] == "begin"
    assert control._events.empty(), "a store that can't be had is told by the loop"
    rolled.written.close()


def test_what_it_counted_goes_into_the_store_with_its_heartbeat(tmp_path: Path) -> None:
    rolled = Rolled(tmp_path / "p")
    rolled.begin("5% 1h")
    rolled.count(2, 7)
    control = Control(
        load_project(rolled.written.root), rolled.store, host="127.0.0.1", port=0, control_port=0, workers=1,
        on_event=lambda event: None,
    )  # fmt: skip
    control.rolling.turn(rolled.told.append)
    control._report()
    assert '"m@2":{"requests":7' in rolled.store.db.all("server_evidence")[-1]["evidence"]
    control._sign_off()
    assert rolled.store.db.all("server_evidence") == []
    rolled.written.close()
