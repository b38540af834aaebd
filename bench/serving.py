"""Requests per second of one plusone worker and of the peer: the same trained model, the same requests, in turns."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pyarrow as pa

from plusone.base.records import ModelRoute, RouteFile, RouteTarget
from plusone.packaging import pack
from plusone.workers import routes

from . import flights, load, machine

HERE = Path(__file__).resolve().parent
MODEL = "flight-delays"
PATH = f"/models/{MODEL}/predict"
TRAIN_ROWS = 60_000
PROOF_ROWS = 5_000
SECONDS = 4.0
ROUNDS = 3
CONNECTIONS = (8, 64)


def prepare(folder: Path) -> list[bytes]:
    """Train once, and write the model for both sides below `folder`: a joblib file, and a package with a route file."""
    frame = flights.flights().sample(TRAIN_ROWS + PROOF_ROWS, random_state=0)
    train, proof = frame.iloc[:TRAIN_ROWS], frame.iloc[TRAIN_ROWS:]
    model = flights.train(train)
    joblib.dump(model, folder / "model.joblib")
    package = folder / "serving" / "package"
    package.mkdir(parents=True)
    _, digest = pack(
        model,
        name=MODEL,
        target=flights.TARGET,
        features=flights.FEATURES,
        train=pa.Table.from_pandas(train, preserve_index=False),
        proof=[pa.Table.from_pandas(proof, preserve_index=False)],
        flavour="pandas",
        environment=f"python=={sys.version.split()[0]}\n",
        folder=package,
    )
    target = RouteTarget(release=1, digest=digest, package=digest, folder="package", share=1.0)
    route = RouteFile(sequence=1, models={MODEL: ModelRoute(version=1, targets=(target,))})
    routes.publish(folder / "serving", route)
    return flights.bodies(frame)


@contextlib.contextmanager
def plusone(folder: Path, slot: int = 0) -> Iterator[tuple[int, int]]:
    """One plusone worker; gives its port and its process id."""
    port = machine.free_port()
    serving = str(folder / "serving")
    command = [sys.executable, "-m", "plusone.serving.worker", "--folder", serving, "--port", str(port)]
    ready = f"http://127.0.0.1:{port}/health/ready"
    with machine.running([*command, "--slot", str(slot)], ready, folder / "plusone.log", {}, folder) as pid:
        yield port, pid


@contextlib.contextmanager
def fastapi(folder: Path, python: Path) -> Iterator[tuple[int, int]]:
    """One uvicorn worker of the peer; gives its port and its process id."""
    port = machine.free_port()
    command = [str(python), "-m", "uvicorn", "peer_fastapi:app", "--app-dir", str(HERE), "--port", str(port)]
    options = ["--workers", "1", "--no-access-log", "--log-level", "warning"]
    ready = f"http://127.0.0.1:{port}/health/ready"
    environment = {"MODEL": str(folder / "model.joblib")}
    with machine.running([*command, *options], ready, folder / "fastapi.log", environment, folder) as pid:
        yield port, pid


def same_answers(ports: dict[str, int], bodies: list[bytes]) -> float:
    """The largest difference of the two sides' probabilities over all requests: they must do the same work."""
    largest = 0.0
    for body in bodies:
        answers: list[dict[str, float]] = []
        for port in ports.values():
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{PATH}", data=body, headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
                answers.append(json.load(answer)["predictions"][0]["probabilities"])
        assert answers[0].keys() == answers[1].keys(), answers
        largest = max(largest, *(abs(answers[0][key] - answers[1][key]) for key in answers[0]))
    return largest


def measure(folder: Path, python: Path) -> dict[str, Any]:
    """Load both sides in turns, `ROUNDS` times at each number of connections."""
    bodies = prepare(folder)
    cells: list[dict[str, Any]] = []
    with plusone(folder) as ours, fastapi(folder, python) as peer:
        sides = {"plusone": ours, "fastapi": peer}
        difference = same_answers({name: port for name, (port, _) in sides.items()}, bodies)
        for port, _ in sides.values():
            load.load(port, PATH, bodies, 8, 1.0, folder)
        for connections in CONNECTIONS:
            for round_number in range(ROUNDS):
                for name, (port, _) in sides.items():
                    speed = machine.calibrate()
                    found = load.load(port, PATH, bodies, connections, SECONDS, folder)
                    cell = {"side": name, "connections": connections, "round": round_number, "calibration_s": speed}
                    fields = {key: getattr(found, key) for key in found.__dataclass_fields__}
                    cells.append({**cell, **fields})
        memory = {name: machine.resident_bytes(pid) for name, (_, pid) in sides.items()}
    return {"generator": load.generator(), "difference": difference, "memory_bytes": memory, "cells": cells}


def summary(result: dict[str, Any]) -> list[dict[str, Any]]:
    """One line for each number of connections: medians, and the median of the ratios of paired cells."""
    lines: list[dict[str, Any]] = []
    for connections in CONNECTIONS:
        cells = {
            side: [cell for cell in result["cells"] if cell["side"] == side and cell["connections"] == connections]
            for side in ("plusone", "fastapi")
        }
        pairs = list(zip(cells["plusone"], cells["fastapi"], strict=True))
        ratios = [ours["requests_per_s"] / peer["requests_per_s"] for ours, peer in pairs]
        speeds = [cell["calibration_s"] for pair in pairs for cell in pair]
        line: dict[str, Any] = {"connections": connections, "ratio": statistics.median(ratios), "ratios": ratios}
        # The same loop ran before each cell: what it varied by is what the machine did, not what we measure.
        line["machine_varied"] = max(speeds) / min(speeds)
        for side, found in cells.items():
            line[side] = {
                key: statistics.median(cell[key] for cell in found) for key in ("requests_per_s", "p50_ms", "p99_ms")
            }
            line[side]["failed"] = sum(cell["failed"] for cell in found)
        lines.append(line)
    return lines
