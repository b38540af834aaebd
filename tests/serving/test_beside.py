"""The process of big requests answers each kind of body as the worker does."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from plusone.aside.process import Outcome
from plusone.predictor import load
from plusone.serving.beside import handlers


def drained(pieces: Generator[bytes, None, Outcome]) -> tuple[bytes, Outcome]:
    parts: list[bytes] = []
    while True:
        try:
            parts.append(next(pieces))
        except StopIteration as end:
            return b"".join(parts), end.value


@pytest.fixture
def predictor(packages: dict[int, tuple[str, Path]]) -> Any:
    return load(packages[1][1])


def test_rows(predictor: Any):
    body, outcome = drained(handlers()["json"](predictor, memoryview(b'{"rows":[{"x":1,"z":2}]}'), {}))
    assert (json.loads(body), outcome.rows) == (pytest.approx([1.0], abs=1e-6), 1)


def test_arrow(predictor: Any):
    table = pa.table({"x": [1.0, 2.0], "z": [1.0, 2.0]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body, outcome = drained(handlers()["arrow"](predictor, memoryview(sink.getvalue()), {}))
    assert outcome.rows == pa.ipc.open_stream(body).read_all().num_rows == 2


def test_inference(predictor: Any):
    inputs = [{"name": name, "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]} for name in ("x", "z")]
    options = {"length": None, "model": "m", "release": 1, "prediction_id": "p"}
    text = json.dumps({"inputs": inputs}).encode()
    body, outcome = drained(handlers()["inference"](predictor, memoryview(text), options))
    assert json.loads(body)["id"] == "p"
    assert (outcome.rows, outcome.info) == (2, {"kind": "application/json", "headers": []})
