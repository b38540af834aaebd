"""What the control process does beside serving."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from plusone.app.control import Control
from plusone.base.config import load_project
from plusone.predictions.reading import list_predictions
from plusone.recording.recorder import Recorder
from plusone.store import open_store
from plusone.tracking.runs import get_run, latest_metrics, start_run
from tests.predictions.written import labels_kept, log_predictions, send_labels


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
