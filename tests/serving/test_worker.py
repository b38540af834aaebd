from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from plusone.workers import routes
from tests.serving.serving_folder import BODY, ServingFolder, ask, until

PREDICT = "/models/m/predict"
_HEAVY = (
    "pandas",
    "polars",
    "pyarrow",
    "sklearn",
    "skl2onnx",
    "onnx",
    "scipy",
    "sqlite3",
    "aiosql",
    "click",
    "rich",
    "pytest",
    "granian",
)


def test_a_worker_loads_nothing_heavy(serving: ServingFolder):
    code = (
        "import sys; from pathlib import Path; import plusone.serving.worker; from plusone.predictor import load;"
        "load(Path(sys.argv[1])).warm_up(); print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(serving.packages[1][1])], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(out.stdout.replace("'", '"')))
    assert not loaded & set(_HEAVY)
    assert {"onnxruntime", "uvloop", "httptools"} <= loaded


def test_a_worker_by_itself_binds_its_port_and_holds_its_slot(serving: ServingFolder, tmp_path: Path):
    serving.route(1, live=1)
    command = [sys.executable, "-m", "plusone.serving.worker", "--folder", str(serving.path), "--port", "0"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        until(lambda: any(report.ready for report in routes.read_reports(serving.path)), "ready")
        again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (again.returncode, json.loads(again.stderr)["event"]) == (2, "slot_taken")
        accepting = json.loads((tmp_path / "log").read_text().splitlines()[-1])
        assert ask(accepting["address"][1], "POST", PREDICT, BODY)[0] == 200
        process.terminate()
        assert process.wait(60) == 0


def test_a_disk_that_takes_no_file_does_not_end_a_worker(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    # A file where the folder was: every write of a report or of counts fails, as on a full disk.
    for name in ("workers", "stats"):
        os.rename(serving.path / name, serving.path / f"{name}-away")
        (serving.path / name).write_bytes(b"")
    assert ask(supervisor.port, "POST", PREDICT, BODY)[0] == 200
    until(lambda: "stats_not_written" in serving.log(), "the log to say so")
    assert ask(supervisor.port, "GET", "/metrics")[0] == 200
    serving.route(2, live=2)
    until(lambda: json.loads(ask(supervisor.port, "POST", PREDICT, BODY)[2])["release"] == 2, "the swap")
    for name in ("workers", "stats"):
        os.unlink(serving.path / name)
        os.rename(serving.path / f"{name}-away", serving.path / name)
    until(lambda: supervisor.serves("m", 2), "the report to come back")
