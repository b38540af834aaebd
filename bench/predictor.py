"""Microseconds of each part of a prediction, without a server: `python -m bench.predictor`.

Real rows in turns, so that no row is the one before it, and each part once more with a megabyte of other memory touched
between any two calls, as a server does. Processor time of the thread, the smallest of many rounds: other processes on
the machine then count for little.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plusone.packaging import pack
from plusone.predictor import Predictor, load

from . import flights

ROWS = (1, 8, 64)
TRAIN_ROWS = 60_000
ROUNDS = 30
TRASH_BYTES = 1 << 20


def prepare(folder: Path) -> tuple[Predictor, list[Any]]:
    """Train and package the benchmark's model; return it as it is served, and rows to ask it about."""
    frame = flights.flights().sample(TRAIN_ROWS, random_state=0)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    model = flights.train(frame)
    _, digest = pack(
        model, name="m", target=flights.TARGET, features=flights.FEATURES, train=table, environment="", folder=folder
    )
    return load(folder, digest), [json.loads(body)["rows"][0] for body in flights.bodies(frame)]


def measure(parts: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]], *, cold: bool) -> dict[str, float]:
    """Microseconds a call of each part, in turns."""
    trash = np.zeros(TRASH_BYTES, dtype=np.uint8)
    found = dict.fromkeys(parts, float("inf"))
    for _ in range(ROUNDS // 3 if cold else ROUNDS):
        for name, (function, arguments) in parts.items():
            spent = 0.0
            if cold:
                for argument in arguments:
                    trash[::64] += 1
                    began = time.thread_time()
                    function(argument)
                    spent += time.thread_time() - began
            else:
                began = time.thread_time()
                for argument in arguments:
                    function(argument)
                spent = time.thread_time() - began
            found[name] = min(found[name], spent / len(arguments) * 1e6)
    return found


def main() -> None:
    """Measure and print, one line of JSON for each number of rows."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        predictor, rows = prepare(Path(folder))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        bare: Any = ort.InferenceSession(Path(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
    for count in ROWS:
        chosen = [[rows[(place + more) % len(rows)] for more in range(count)] for place in range(len(rows))]
        bodies = [json.dumps({"rows": some}).encode() for some in chosen]
        tuples = [predictor.decode_rows(body) for body in bodies]
        columns = [predictor.gather(some) for some in tuples]
        answers = [predictor.run(some) for some in columns]
        parts: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
            "decode": (predictor.decode_rows, bodies),
            "gather": (predictor.gather, tuples),
            "run": (predictor.run, columns),
            "onnxruntime alone": (lambda some: bare.run(None, some.feeds), columns),
            "encode": (predictor.encode, answers),
            "all": (lambda b: predictor.encode(predictor.run(predictor.gather(predictor.decode_rows(b)))), bodies),
        }
        for cold in (False, True):
            found = {name: round(value, 2) for name, value in measure(parts, cold=cold).items()}
            sys.stdout.write(json.dumps({"rows": count, "cold": cold, "microseconds": found}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
