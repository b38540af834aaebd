"""A replay of 10,000 requests, from the store to the verdict, beside bare calls of the predictor on the same rows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from rich.table import Table

from plusone.base.config import Checks
from plusone.measuring.asked import read_request
from plusone.measuring.replay import replay
from plusone.monitoring.replayed import judge
from plusone.monitoring.requests import read_requests, write_requests
from plusone.packaging import pack
from plusone.predictions.collecting import collect
from plusone.predictions.late import take_labels
from plusone.predictions.layout import JSON, encode_batch, predictions_folder
from plusone.predictions.ring import Ring
from plusone.predictions.writer import Writer
from plusone.predictor import Predictor, load
from plusone.store import Store, open_store

from . import flights

REQUESTS = 10_000
LABELLED = 8_000
MODEL = "flight-delays"
TRAIN_ROWS = 30_000
ROUNDS = 5
BAR_S = 5.0


def measure(scratch: Path, requests: int = REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Log that many requests with labels for most of them, and replay them that often: medians of the rounds."""
    frame = flights.flights()
    live, candidate = (
        _packaged(frame.sample(TRAIN_ROWS, random_state=seed), scratch / f"package-{seed}") for seed in (0, 1)
    )
    rows = frame.sample(requests, random_state=2)
    store = open_store(scratch / "store")
    try:
        _log(store, rows, scratch)
        labels = [
            {"id": f"p{place:08}", "label": bool(late)} for place, late in enumerate(rows[flights.TARGET][:LABELLED])
        ]
        for begin in range(0, len(labels), 1000):
            take_labels(store, MODEL, labels[begin : begin + 1000], live.signature.output)
        taken: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, seconds in _round(store, live, candidate, requests, scratch / "requests.arrow").items():
                taken.setdefault(name, []).append(seconds)
    finally:
        store.close()
    return {"requests": requests, "labels": min(LABELLED, requests), "bar_s": BAR_S} | {
        name: statistics.median(seconds) for name, seconds in taken.items()
    }


def table(result: dict[str, Any]) -> Table:
    """Return what was measured as a table."""
    shown = Table(title=f"replay of {result['requests']:,} requests of one row, {result['labels']:,} with labels")
    for heading in ("what", "seconds"):
        shown.add_column(heading, justify="left" if heading == "what" else "right")
    for name, what in (
        ("write_s", "out of the store, with labels, into a file"),
        ("replay_s", "both releases asked, compared, judged"),
        ("whole_s", f"all of it (bar: {result['bar_s']:g})"),
        ("one_by_one_s", "bare: both predictors called for each request"),
        ("together_s", "bare: both predictors called once for all rows"),
    ):
        shown.add_row(what, f"{result[name]:.2f}")
    return shown


def _packaged(frame: Any, folder: Path) -> Predictor:
    data = pa.Table.from_pandas(frame, preserve_index=False)
    _, digest = pack(
        flights.train(frame), name=MODEL, target=flights.TARGET, features=flights.FEATURES, train=data,
        environment="", folder=folder,
    )  # fmt: skip
    return load(folder, digest)


def _log(store: Store, rows: Any, scratch: Path) -> None:
    """Log the rows as a worker does, one request each, and collect them."""
    ring = Ring()
    writer = Writer(ring, predictions_folder(scratch), max_bytes=1 << 30)
    answer = b'{"predictions":[{"label":false,"probabilities":{"false":0.8712,"true":0.1288}}]}'
    for place, row in enumerate(rows[flights.FEATURES].to_dict("records")):
        body = msgspec.json.encode({"rows": [row]})
        batch = encode_batch((MODEL, 1, "digest", 1.7e9 + place, [(f"p{place:08}", JSON, 1, body, answer)]))
        while not ring.put(batch, 1):
            writer.look()
    writer.close()
    ring.close()
    collect(store, scratch)


def _round(store: Store, live: Predictor, candidate: Predictor, requests: int, path: Path) -> dict[str, float]:
    written, write_s = _timed(lambda: write_requests(store, MODEL, requests, path))
    assert written == requests
    verdicts, replay_s = _timed(lambda: judge(replay(candidate, live, read_requests(path)), Checks()))
    assert next(one.outcome for one in verdicts) == "passed", verdicts
    bodies = read_requests(path)["request"].to_pylist()
    answers, one_by_one_s = _timed(lambda: [_bare(one, bodies) for one in (live, candidate)])
    joined = [one.gather([row for body in bodies for row in _rows(one, body)]) for one in (live, candidate)]
    _, together_s = _timed(lambda: [one.run(columns) for one, columns in zip((live, candidate), joined, strict=True)])
    assert all(len(one) == requests for one in answers)
    return {
        "write_s": write_s,
        "replay_s": replay_s,
        "whole_s": write_s + replay_s,
        "one_by_one_s": one_by_one_s,
        "together_s": together_s,
    }


def _bare(predictor: Predictor, bodies: list[bytes]) -> np.ndarray[Any, Any]:
    return np.array([predictor.run(predictor.decode(body)).labels[0] for body in bodies])


def _rows(predictor: Predictor, body: bytes) -> list[tuple[Any, ...]]:
    found = read_request(predictor, JSON, body)
    assert isinstance(found, list)
    return found


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = function()
    return result, time.perf_counter() - began
