"""MLflow's own client against MLflow's own server and against plusone's control port, side by side in one run.

Both servers are up all the time and take turns under load, so that both see the same machine. MLflow's has its default
workers and a database in SQLite, as `mlflow server` makes it; each client process logs to a run of its own.

MLflow's client is slow by itself: it needs 15 ms of work to write a batch of 1,000 points, whoever answers. No server
can make its requests/s higher than that allows, so that is printed beside them, and the time that it waits.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from .machine import calibrate, free_port, running

HERE = Path(__file__).resolve().parent
ROUNDS = 5
SECONDS = 4.0
CLIENTS = (1, 4)
NAMES = {"metric": "log_metric", "batch": "log_batch of 1,000", "bytes": "the bytes of that batch"}
PARTS = ("metric", "batch", "bytes")


def measure_mlflow(scratch: Path, mlflow_python: Path) -> dict[str, Any]:
    """Return requests/s of both servers by part and number of clients, with the ratio of each round.

    Args:
        scratch: a folder for both servers' stores and logs.
        mlflow_python: a Python that has mlflow, with its server.
    """
    ours, theirs = free_port(), free_port()
    project = scratch / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "bench"\n[tool.plusone]\n', "utf-8")
    own = [sys.executable, "-m", "plusone.gateway.server", "--project", str(project), "--port", str(ours)]
    peer = [str(mlflow_python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(theirs)]
    peer += [
        "--backend-store-uri",
        f"sqlite:///{scratch / 'mlflow.db'}",
        "--default-artifact-root",
        str(scratch / "files"),
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONWARNINGS": "ignore"}
    lines: list[dict[str, Any]] = []
    with (
        running(own, f"http://127.0.0.1:{ours}/health", scratch / "plusone.log", quiet, scratch),
        running(peer, f"http://127.0.0.1:{theirs}/health", scratch / "mlflow.log", quiet, scratch),
    ):
        addresses = {"plusone": f"http://127.0.0.1:{ours}", "mlflow": f"http://127.0.0.1:{theirs}"}
        for part in PARTS:
            for clients in CLIENTS:
                lines.append(_line(mlflow_python, addresses, part, clients))
                print(summary(lines[-1]), flush=True)
    return {"rounds": ROUNDS, "seconds": SECONDS, "lines": lines}


def summary(line: dict[str, Any]) -> str:
    """Return one line of the result as text."""
    return (
        f"{NAMES[line['part']]}, {line['clients']} client(s): plusone {line['plusone']:,.1f} requests/s, "
        f"mlflow {line['mlflow']:,.1f} requests/s, {line['ratio']:.1f} times "
        f"(rounds: {', '.join(f'{one:.1f}' for one in line['ratios'])}); waiting for the answer "
        f"{line['plusone_wait_ms']:.2f} ms to {line['mlflow_wait_ms']:.2f} ms, {line['wait_ratio']:.1f} times; "
        f"one client's own work allows {line['most']:,.0f} requests/s"
    )


def _line(python: Path, addresses: dict[str, str], part: str, clients: int) -> dict[str, Any]:
    rates: dict[str, list[float]] = {name: [] for name in addresses}
    waits: dict[str, list[float]] = {name: [] for name in addresses}
    works: list[float] = []
    machine: list[float] = []
    for number in range(ROUNDS):
        machine.append(calibrate())
        # The one that begins changes, so that neither always follows the other.
        for name in sorted(addresses, reverse=bool(number % 2)):
            rate, wait_ms, work_s = _rate(python, addresses[name], part, clients)
            rates[name].append(rate)
            waits[name].append(wait_ms)
            works.append(work_s)
    ratios = [a / b for a, b in zip(rates["plusone"], rates["mlflow"], strict=True)]
    return {
        "part": part,
        "clients": clients,
        "plusone": statistics.median(rates["plusone"]),
        "mlflow": statistics.median(rates["mlflow"]),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "plusone_wait_ms": statistics.median(waits["plusone"]),
        "mlflow_wait_ms": statistics.median(waits["mlflow"]),
        "wait_ratio": statistics.median(b / a for a, b in zip(waits["plusone"], waits["mlflow"], strict=True)),
        "most": 1 / statistics.median(works),
        "machine_s": machine,
    }


def _rate(python: Path, address: str, part: str, clients: int) -> tuple[float, float, float]:
    """Return the requests/s of all clients together, and of one request the wait in ms and the client's work in s."""
    # -P: the folder of the script, where this file is called mlflow too, is no place to import from.
    command = [str(python), "-P", "-W", "ignore", str(HERE / "peer_mlflow.py"), address, part, str(SECONDS)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(clients)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"a client of {address} did not begin: see what it printed above")
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        ended = [process.communicate(timeout=120)[0].split() for process in processes]
        found = [(int(count), float(took), float(worked)) for count, took, worked in ended]
        requests = sum(count for count, _, _ in found)
        worked = sum(worked for _, _, worked in found)
        waited = sum(took for _, took, _ in found) - worked
        return sum(count / took for count, took, _ in found), 1000 * waited / requests, worked / requests
    finally:
        for process in processes:
            process.kill()
            process.wait()
