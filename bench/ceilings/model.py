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
blocks = {
    block["name"]: block["fields"] for block in json.loads((folder / "manifest.json").read_text())["options"]["blocks"]
}
NUMBERS, STRINGS = blocks["numbers"], blocks["strings"]

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
run = session._sess.run
names = [session.get_outputs()[0].name]

Row = msgspec.defstruct("Row", [(name, Any) for name in NUMBERS + STRINGS], gc=False)
Body = msgspec.defstruct("Body", [("rows", list[Row])], gc=False)
decode = msgspec.json.Decoder(Body).decode
values = msgspec.structs.astuple
encode = msgspec.json.encode

count = len(NUMBERS)
numbers = np.zeros((1, count))
strings = np.empty((1, len(STRINGS)), dtype=object)
feeds = {"numbers": numbers, "strings": strings}
write_numbers = Struct(f"{count}d").pack_into
write_strings = strings[0].__setitem__
every = slice(None)


def answer(body: bytes) -> bytes:
    """The answer to a request of one row: one run."""
    row = values(decode(body).rows[0])
    write_numbers(numbers, 0, *row[:count])
    write_strings(every, row[count:])
    no, yes = run(names, feeds, None)[0].tolist()[0]
    return encode({"predictions": [{"label": yes > no, "probabilities": {"false": no, "true": yes}}]})


def answers(bodies: list[bytes]) -> list[bytes]:
    """The answers to many requests of one row each: one run for all of them."""
    if len(bodies) == 1:
        return [answer(bodies[0])]
    rows = [values(decode(body).rows[0]) for body in bodies]
    many = {
        "numbers": np.array([row[:count] for row in rows], dtype=np.float64),
        "strings": np.array([row[count:] for row in rows], dtype=object),
    }
    return [
        encode({"predictions": [{"label": yes > no, "probabilities": {"false": no, "true": yes}}]})
        for no, yes in run(names, many, None)[0].tolist()
    ]
