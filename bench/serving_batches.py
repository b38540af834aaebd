"""Requests of 32 rows, in every form that they may have, each as a share of what ONNX Runtime does by itself."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from plusone.predictor import load as load_package

from . import flights, load, machine, serving_sides
from .serving_sides import MODEL, PATH, PLUSONE, Row, Running

BATCH = 32
CONNECTIONS = (8, 64)
SECONDS = 2.0
ROUNDS = 5
BAR = 0.8


class Form(NamedTuple):
    """One way to write the same rows: where they go, and their body with how many bytes of it are JSON, if not all."""

    title: str
    path: str
    body: Callable[[Sequence[Row]], tuple[bytes, int | None]]


def _rows(rows: Sequence[Row]) -> tuple[bytes, int | None]:
    return json.dumps({"rows": rows}).encode(), None


def _columns(rows: Sequence[Row]) -> tuple[bytes, int | None]:
    return json.dumps({"columns": {name: [row[name] for row in rows] for name in rows[0]}}).encode(), None


def _tensors(rows: Sequence[Row]) -> tuple[bytes, int | None]:
    """The rows as tritonclient sends them: the values behind the JSON, the answer likewise."""
    inputs: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        texts = [value.encode() for value in values] if isinstance(values[0], str) else None
        data = (
            np.array(values, dtype=np.int64).tobytes()
            if texts is None
            else b"".join(len(text).to_bytes(4, "little") + text for text in texts)
        )
        kind = "INT64" if texts is None else "BYTES"
        said = {"name": name, "shape": [len(rows), 1], "datatype": kind, "parameters": {"binary_data_size": len(data)}}
        inputs.append(said)
        parts.append(data)
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return head + b"".join(parts), len(head)


FORMS = (
    Form("JSON rows", PATH, _rows),
    Form("JSON columns", PATH, _columns),
    Form("binary tensors", f"/v2/models/{MODEL}/infer", _tensors),
)


def measure(ours: Running, frame: Any, folder: Path, connections: int) -> list[dict[str, Any]]:
    """Load a worker with each form in turns, and ONNX Runtime alone before each round; a result for each form."""
    rows = flights.rows(frame, 64 * BATCH, seed=2)
    chunks = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    bodies = {form.title: [form.body(chunk) for chunk in chunks] for form in FORMS}
    package = load_package(folder / "serving" / "package")
    feeds = [package.decode(body).feeds for body, _ in bodies["JSON rows"]]
    rounds: dict[str, list[dict[str, Any]]] = {form.title: [] for form in FORMS}
    for number in range(ROUNDS):
        speed = machine.calibrate()
        alone = _runtime_rows_per_s(folder / "serving" / "package" / "model.onnx", feeds)
        # None is always the first after the pause.
        for form in (*FORMS[number % len(FORMS) :], *FORMS[: number % len(FORMS)]):
            found = load.load(ours.port, form.path, bodies[form.title], connections, SECONDS, folder)
            one = {"calibration_s": speed, "runtime_rows_per_s": alone, **dataclasses.asdict(found)}
            rounds[form.title].append(one)
    return [_result(title, connections, found) for title, found in rounds.items()]


def _result(title: str, connections: int, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    shares = [one["requests_per_s"] * BATCH / one["runtime_rows_per_s"] for one in rounds]
    return {
        "form": title,
        "connections": connections,
        "rows_per_s": statistics.median(one["requests_per_s"] * BATCH for one in rounds),
        "runtime_rows_per_s": statistics.median(one["runtime_rows_per_s"] for one in rounds),
        "share": statistics.median(shares),
        "lowest": min(shares),
        "highest": max(shares),
        "failed": sum(one["failed"] for one in rounds),
        "rounds": rounds,
    }


def _runtime_rows_per_s(graph: Path, feeds: Sequence[Mapping[str, np.ndarray[Any, Any]]]) -> float:
    """What ONNX Runtime does by itself: batches that are arrays already, one thread, nothing else in the loop."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    names = [session.get_outputs()[0].name]
    done = 0
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < SECONDS / 2:
        for feed in feeds:
            session.run(names, feed)
        done += len(feeds) * BATCH
    return done / spent


def measure_all(scratch: Path, prepare: Callable[[Path, str], Any]) -> dict[str, Any]:
    """Measure with every model, nothing but a worker running; `prepare` trains one and writes its package."""
    found: dict[str, Any] = {"generator": load.generator(), "batches": []}
    for name in flights.MODELS:
        folder = scratch / name.replace(" ", "-")
        frame = prepare(folder, name)
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(serving_sides.running(PLUSONE, folder, {}))
            for connections in CONNECTIONS:
                found["batches"].extend({"model": name, **one} for one in measure(ours, frame, folder, connections))
    return found


def lines(model: str, batches: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each form and number of connections."""
    for one in batches:
        yield (
            f"{model}, {one['connections']} connections, {BATCH} rows a request, {one['form']}: "
            f"{one['rows_per_s']:,.0f} rows/s, {one['share']:.0%} of the {one['runtime_rows_per_s']:,.0f} of ONNX "
            f"Runtime alone on these batches ({one['lowest']:.0%} to {one['highest']:.0%}; bar: {BAR:.0%}); failed "
            f"{one['failed']} (bar: 0)"
        )
