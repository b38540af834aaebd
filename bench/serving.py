"""Requests per second of one plusone worker, of its peers and of bare programs: the same trained model, in turns.

A cell is one side under load from a number of connections for some seconds. A round is a cell of each side; plusone
has several in it, so that each other side is divided by a cell of plusone that was measured next to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import statistics
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import pyarrow as pa
from threadpoolctl import threadpool_limits

from plusone.base.records import ModelRoute, RouteFile, RouteTarget
from plusone.packaging import pack
from plusone.workers import routes

from . import flights, load, machine, serving_batches, serving_sides
from .serving_sides import CEILING_SIDES, ECHO, MODEL, PEER_SIDES, PLUSONE, Row, Running

TRAIN_ROWS = 60_000
PROOF_ROWS = 5_000
SECONDS = 2.0
ROUNDS = 3
CONNECTIONS = (8, 64)
SAME = 1e-6
FIRST = next(iter(flights.MODELS))
ROUND = (PLUSONE, *CEILING_SIDES[:3], PLUSONE, *CEILING_SIDES[3:], ECHO, PLUSONE, *PEER_SIDES)
BARS = {"fastapi": {8: 10.0, 64: 14.0}, "mlserver": {8: 20.0, 64: 20.0}, "mlflow": {8: 80.0, 64: 80.0}}


def write_package(model: Any, frame: Any, proof: Any, folder: Path) -> str:
    """Package a trained model for plusone, proven equal on the rows of `proof`; return the digest."""
    folder.mkdir(parents=True)
    with threadpool_limits(1):
        _, digest = pack(
            model,
            name=MODEL,
            target=flights.TARGET,
            features=flights.FEATURES,
            train=pa.Table.from_pandas(frame, preserve_index=False),
            proof=[pa.Table.from_pandas(proof, preserve_index=False)],
            flavour="pandas",
            environment=f"python=={sys.version.split()[0]}\n",
            folder=folder,
        )
    return digest


def publish(serving: Path, packages: Mapping[str, Sequence[tuple[str, str]]], sequence: int = 1) -> None:
    """Write the route file: of each model the folder and digest of its releases; the last one takes the traffic."""
    models: dict[str, ModelRoute] = {}
    for name, releases in packages.items():
        last = len(releases)
        targets = tuple(
            RouteTarget(release=number, digest=digest, package=digest, folder=folder, share=float(number == last))
            for number, (folder, digest) in enumerate(releases, 1)
        )
        models[name] = ModelRoute(version=sequence, targets=targets[::-1])
    routes.publish(serving, RouteFile(sequence=sequence, models=models))


def prepare(folder: Path, model: str = "gradient boosting") -> Any:
    """Train once, and write the model for all sides below `folder`; return all flights."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = flights.flights()
    chosen = frame.sample(TRAIN_ROWS + PROOF_ROWS, random_state=0)
    train, proof = chosen.iloc[:TRAIN_ROWS], chosen.iloc[TRAIN_ROWS:]
    trained = flights.train(train, model)
    joblib.dump(trained, folder / "model.joblib")
    digest = write_package(trained, train, proof, folder / "serving" / "package")
    publish(folder / "serving", {MODEL: [("package", digest)]})
    return frame


def _ask(one: Running, body: bytes) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{one.port}{one.side.path}", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
        return json.load(answer)


def same_answers(sides: Sequence[Running], rows: Sequence[Row]) -> float:
    """The largest difference between a side's probability and plusone's, over these rows: all must do the same work."""
    largest = 0.0
    expected = [PLUSONE.probability(_ask(sides[0], PLUSONE.body(row))) for row in rows]
    for one in sides[1:]:
        if one.side.kind == "echo":
            continue
        found = [one.side.probability(_ask(one, one.side.body(row))) for row in rows]
        difference = max(abs(a - b) for a, b in zip(expected, found, strict=True))
        assert difference <= SAME, f"{one.side.title} answers otherwise than plusone: by {difference}"
        largest = max(largest, difference)
    return largest


def _cell(one: Running, rows: Sequence[Row], connections: int, seconds: float, folder: Path) -> dict[str, Any]:
    speed = machine.calibrate()
    bodies = [one.side.body(row) for row in rows]
    found = load.load(one.port, one.side.path, bodies, connections, seconds, folder)
    return {"side": one.side.name, "connections": connections, "calibration_s": speed, **dataclasses.asdict(found)}


def measure_model(folder: Path, model: str, pythons: Mapping[str, Path]) -> dict[str, Any]:
    """Load every side in turns with one row a request, `ROUNDS` times at each number of connections."""
    frame = prepare(folder, model)
    serving_sides.write_mlflow(folder, pythons["mlflow"])
    rows = flights.rows(frame, 256)
    cells: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        up = {
            side.name: stack.enter_context(serving_sides.running(side, folder, pythons))
            for side in (PLUSONE, *CEILING_SIDES, ECHO, *PEER_SIDES)
            if not side.once or model == FIRST
        }
        difference = same_answers(list(up.values()), rows[:32])
        for one in up.values():
            _cell(one, rows, 8, 1.0, folder)
        for connections in CONNECTIONS:
            for number in range(ROUNDS):
                for side in ROUND:
                    if side.name in up:
                        cell = _cell(up[side.name], rows, connections, SECONDS, folder)
                        cells.append({**cell, "round": number})
        memory = {name: serving_sides.family_bytes(one) for name, one in up.items()}
        batches = [
            one
            for connections in CONNECTIONS
            for one in serving_batches.measure(up["plusone"], frame, folder, connections)
        ]
    return {
        "model": model,
        "difference": difference,
        "memory_bytes": memory,
        "start_s": {name: one.start_s for name, one in up.items()},
        "cells": cells,
        "batches": batches,
    }


def measure(scratch: Path, pythons: Mapping[str, Path]) -> dict[str, Any]:
    """Measure with every model; `pythons`: the Python of each peer's environment."""
    models = [measure_model(scratch / name.replace(" ", "-"), name, pythons) for name in flights.MODELS]
    return {"generator": load.generator(), "models": models, "summary": [summary(one) for one in models]}


def _over(value: float, other: float) -> float:
    """How many times the other a value is: infinity when the other side answered nothing within its cell."""
    return value / other if other else math.inf


def _pairs(cells: Sequence[dict[str, Any]], side: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each cell of a side with the cell of plusone that was measured last before it in the same round."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    ours: dict[str, Any] | None = None
    for cell in cells:
        if cell["side"] == "plusone":
            ours = cell
        elif cell["side"] == side and ours is not None:
            found.append((ours, cell))
    return found


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Of each number of connections: medians of every side, and the median of plusone's ratios to it."""
    table: list[dict[str, Any]] = []
    for connections in CONNECTIONS:
        cells = [cell for cell in result["cells"] if cell["connections"] == connections]
        speeds = [cell["calibration_s"] for cell in cells]
        sides: dict[str, Any] = {}
        for side in (PLUSONE, *CEILING_SIDES, ECHO, *PEER_SIDES):
            own = [cell for cell in cells if cell["side"] == side.name]
            if not own:
                continue
            line: dict[str, Any] = {
                key: statistics.median(cell[key] for cell in own) for key in ("requests_per_s", "p50_ms", "p99_ms")
            }
            line["spread"] = statistics.median(_over(cell["p99_ms"], cell["p50_ms"]) for cell in own)
            line["failed"] = sum(cell["failed"] for cell in own)
            if side is not PLUSONE:
                ratios = [_over(a["requests_per_s"], b["requests_per_s"]) for a, b in _pairs(cells, side.name)]
                line["ratios"], line["ratio"] = ratios, statistics.median(ratios)
            sides[side.name] = line
        # The same loop ran before each cell: what it varied by is what the machine did, not what we measure.
        table.append({"connections": connections, "machine_varied": max(speeds) / min(speeds), "sides": sides})
    return {"model": result["model"], "lines": table}
