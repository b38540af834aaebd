"""What every bare program does with a request: JSON to numbers, ONNX Runtime, numbers to JSON. Nothing else.

No validation, no log, no errors: a request that is not as expected ends in a traceback. What is here was chosen by
measuring: values without a declared type (msgspec skips checking them), arrays that are made once and written again,
the session under onnxruntime's own wrapper.

`MODEL` names the folder of a package; its graph is the very file that plusone serves.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec
import numpy as np
import onnxruntime

folder = Path(os.environ["MODEL"])
(block,) = json.loads((folder / "manifest.json").read_text())["options"]["blocks"]
FIELDS, CODES = block["fields"], block.get("codes", {})
assert block["name"] == "numbers", "the bare programs know graphs that take numbers alone, strings as their codes"

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
run = session._sess.run
names = [session.get_outputs()[0].name]

Row = msgspec.defstruct("Row", [(name, Any) for name in FIELDS], gc=False)
Body = msgspec.defstruct("Body", [("rows", list[Row])], gc=False)
decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.encode


class Codes(dict):
    """The code of each string of one field; one that was not there in training has the code of all others."""

    def __init__(self, code) -> None:
        super().__init__(code["values"])
        self.other = code["other"]

    def __missing__(self, key) -> float:
        return self.other


codes = {name: Codes(code) for name, code in CODES.items()}
# One expression for the fields of this model: no loop, no intermediate.
items = ", ".join(f"{name}[row.{name}]" if name in codes else f"row.{name}" for name in FIELDS)
values = eval(f"lambda row: ({items},)", codes)  # noqa: S307 - the names are those of our own package

numbers = np.zeros((1, len(FIELDS)))
feeds = {"numbers": numbers}
write = Struct(f"{len(FIELDS)}d").pack_into


def answer(body: bytes) -> bytes:
    """The answer to a request of one row: one run."""
    write(numbers, 0, *values(decode(body).rows[0]))
    no, yes = run(names, feeds, None)[0].tolist()[0]
    return encode({"predictions": [{"label": yes > no, "probabilities": {"false": no, "true": yes}}]})


def answers(bodies: list[bytes]) -> list[bytes]:
    """The answers to many requests of one row each: one run for all of them."""
    if len(bodies) == 1:
        return [answer(bodies[0])]
    many = {"numbers": np.array([values(decode(body).rows[0]) for body in bodies], dtype=np.float64)}
    return [
        encode({"predictions": [{"label": yes > no, "probabilities": {"false": no, "true": yes}}]})
        for no, yes in run(names, many, None)[0].tolist()
    ]
