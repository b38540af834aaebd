"""Requests of the Open Inference Protocol, written by hand: rows to tensors, as JSON or as bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from plusone.base.records import Field
from plusone.predictor import Predictor
from plusone.protocols.inference import header_length, read_infer, write_infer

DECLARED = {"int64": "INT64", "float64": "FP64", "bool": "BOOL", "string": "BYTES"}
KINDS = {"INT64": "<i8", "FP64": "<f8", "BOOL": "?"}
NO_TAIL = "<none>"
"""What the requests here name as the string that stands for a missing one."""


def datatype(field: Field) -> str:
    """Return the datatype in which a field is sent here: that of the metadata."""
    return "FP64" if field.nullable and field.dtype != "string" else DECLARED[field.dtype]


def json_tensor(field: Field, values: Sequence[Any], *, nested: bool = False) -> dict[str, Any]:
    """Return one tensor of a request, its values in the JSON."""
    data = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    if field.dtype == "string" or not field.nullable:
        shape, data = [len(values)], list(data)
    else:
        shape, data = [len(values), 1], [None if value is None else float(value) for value in data]
    if nested:
        shape, data = [len(values), 1], [[value] for value in data]
    return {"name": field.name, "shape": shape, "datatype": datatype(field), "data": data}


def binary_tensor(field: Field, values: Sequence[Any]) -> tuple[dict[str, Any], bytes]:
    """Return one tensor of a request and its bytes."""
    kind = datatype(field)
    if kind == "BYTES":
        texts = [(NO_TAIL if value is None else value).encode() for value in values]
        data = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    else:
        data = np.array([math.nan if value is None else value for value in values], dtype=KINDS[kind]).tobytes()
    tensor = {"name": field.name, "shape": [len(values), 1], "datatype": kind}
    return tensor | {"parameters": {"binary_data_size": len(data)}}, data


def columns_of(predictor: Predictor, rows: Sequence[dict[str, Any]]) -> list[tuple[Field, list[Any]]]:
    """Return the values of each field of some rows."""
    return [(field, [row[field.name] for row in rows]) for field in predictor.signature.fields]


def json_body(predictor: Predictor, rows: Sequence[dict[str, Any]], *, nested: bool = False, **more: Any) -> bytes:
    """Return a request whose tensors are in its JSON."""
    tensors = [json_tensor(field, values, nested=nested) for field, values in columns_of(predictor, rows)]
    return json.dumps({"inputs": tensors, **more}).encode()


def binary_body(predictor: Predictor, rows: Sequence[dict[str, Any]], **more: Any) -> tuple[bytes, int]:
    """Return a request whose tensors are behind its JSON, and how long that is."""
    pairs = [binary_tensor(field, values) for field, values in columns_of(predictor, rows)]
    parameters = {"missing_string": NO_TAIL, **more.pop("parameters", {})}
    head = json.dumps({"inputs": [tensor for tensor, _ in pairs], "parameters": parameters, **more}).encode()
    return head + b"".join(data for _, data in pairs), len(head)


def answer(predictor: Predictor, body: bytes, length: int | None = None) -> dict[str, Any]:
    """Return the answer to a request, each output's values as a list under `data`, whichever way they came."""
    infer = read_infer(predictor, body, length)
    result = predictor.run(infer.columns)
    sent, _, headers = write_infer(infer, predictor, result, model="m", release=3, prediction_id="p1")
    return read_answer(sent, {name.lower(): value for name, value in headers})


def read_answer(body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """Return an answer's JSON, the values of binary outputs put into it."""
    said = header_length(headers)
    found = json.loads(body[: len(body) if said is None else said])
    start = 0 if said is None else said
    for output in found["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            output["data"] = _values(output["datatype"], body[start : start + size])
            start += size
    assert said is None or start == len(body)
    return found


def _values(kind: str, data: bytes) -> list[Any]:
    if kind != "BYTES":
        return np.frombuffer(data, dtype=KINDS[kind]).tolist()
    out: list[str] = []
    while data:
        size = int.from_bytes(data[:4], "little")
        out.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return out
