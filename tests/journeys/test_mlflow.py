"""MLflow's own client against the control port: what a user's scripts do, and a kill while they do it.

The client lives in an environment of its own, which `make slow` makes; PLUSONE_MLFLOW_PYTHON names another one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.recording.recorder import recover_points
from plusone.recording.series import read_series
from plusone.store import open_store
from plusone.tracking.runs import get_run, list_runs, recover_runs
from tests.contracts.servers import schema_address
from tests.http.server import ask, free_port, served
from tests.serving.serving_folder import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "tests" / "mlflow" / "scripts"
FULL = Path(os.environ.get("PLUSONE_MLFLOW_PYTHON") or ROOT / ".venv-mlflow" / "bin" / "python")
# Autologging has a process import everything to find out what a model needs; when that takes long it is not asked.
LIGHT = {"MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1"}
SKINNY = Path(os.environ.get("PLUSONE_MLFLOW_SKINNY_PYTHON") or ROOT / ".venv-mlflow-skinny" / "bin" / "python")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "p"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "p"\n[tool.plusone]\n', "utf-8")
    open_store(root / ".plusone").close()
    return root


@pytest.fixture
def address(project: Path) -> Iterator[str]:
    with served(project) as address:
        yield address


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHON"))}
    # A failure shows in seconds, not after the minutes for which the client tries again.
    return {
        **kept,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MPLBACKEND": "agg",
        **LIGHT,
    }


def _run(python: Path, script: str, *arguments: str, **more: str) -> str:
    if not python.exists():
        pytest.skip(f"not run: {python.parent.parent.name} is not installed (make slow installs it)")
    # -P: a script's folder is no place to import from.
    done = subprocess.run(
        [str(python), "-P", "-W", "ignore", str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        env={**_environment(), **more},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("python", [FULL, SKINNY], ids=["mlflow", "mlflow-skinny"])
def test_a_script_that_tracks(address: str, project: Path, python: Path):
    assert _run(python, "tracking.py", address).endswith("done\n")
    store = open_store(project / ".plusone")
    try:  # what it logged are ordinary runs
        runs = list_runs(store)
        assert len(runs) > 20
        assert all(run.source == "mlflow" for run in runs)
    finally:
        store.close()


def test_the_same_scripts_on_a_teams_store(servers: object, tmp_path: Path):
    database, blobs = schema_address(tmp_path)
    root = tmp_path / "p"
    root.mkdir()
    settings = f"store = {json.dumps(database)}\nblobs = {json.dumps(blobs)}\n"
    (root / "pyproject.toml").write_text(f'[project]\nname = "p"\n[tool.plusone]\n{settings}', "utf-8")
    open_store(root / ".plusone", database=database, blobs=blobs).close()
    with served(root) as address:
        assert _run(FULL, "tracking.py", address).endswith("done\n")
        assert _run(FULL, "autolog.py", address).endswith("done\n")
    assert not (root / ".plusone" / "plusone.db").exists()


def test_a_script_that_only_turns_autolog_on(address: str):
    assert _run(FULL, "autolog.py", address).endswith("done\n")


def test_files_that_come_in_parts(address: str, tmp_path: Path):
    (tmp_path / "big.bin").write_bytes(os.urandom(12 << 20))
    parts = {
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 << 20),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 << 20),
    }
    assert _run(FULL, "parts.py", address, str(tmp_path / "big.bin"), **parts).endswith("done\n")


def test_no_acknowledged_point_is_lost_when_the_port_is_killed(project: Path):
    if not FULL.exists():
        pytest.skip(f"not run: {FULL.parent.parent.name} is not installed (make slow installs it)")
    port = free_port()
    command = [sys.executable, "-m", "plusone.gateway.server", "--project", str(project), "--port", str(port)]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    clients: list[subprocess.Popen[str]] = []
    logs = [project.parent / f"acknowledged-{number}" for number in range(2)]
    try:
        until(lambda: _listens(port), "it listens", seconds=90)
        clients = [
            subprocess.Popen(
                [str(FULL), "-P", "-W", "ignore", str(SCRIPTS / "endless.py"), f"http://127.0.0.1:{port}", str(log)],
                env=_environment(),
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for log in logs
        ]
        until(lambda: all(log.exists() and log.stat().st_size > 4000 for log in logs), "points were logged", seconds=90)
        server.send_signal(signal.SIGKILL)
        server.wait()
        for client in clients:
            assert client.wait(60) != 0
    finally:
        for process in (server, *clients):
            process.kill()
            process.wait()
    store = open_store(project / ".plusone")
    try:
        assert recover_runs(store) == []
        recover_points(store)
        for log in logs:
            run_id, *lines = log.read_text("utf-8").splitlines()
            acknowledged = [json.loads(line) for line in lines]
            assert len(acknowledged) > 100
            series = read_series(store, run_id, "loss")
            kept = set(zip(series.steps.tolist(), series.values.tolist(), strict=True))
            assert [point for point in acknowledged if tuple(point) not in kept] == []
            assert get_run(store, run_id).status == "running"
    finally:
        store.close()


def _listens(port: int) -> bool:
    try:
        return ask(f"http://127.0.0.1:{port}", "GET", "/health")[0] == 200
    except OSError:
        return False
