"""Reads what was answered out of logged predictions, in whichever protocol: for each row a class, a number, the numbers
of a vector, the items of a ranking, or the labels of several targets.

Whatever can't be read says nothing: an answer that was cut, a protocol of another version, a model of another kind.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from json import JSONDecoder
from typing import Any, cast

import msgspec

from ..base.records import Output
from ..labels.several import share_names, singles
from ..predictions.layout import ARROW, GRPC, INFERENCE, JSON
from .wire import Malformed, fields_of, repeated

__all__ = ["Given", "read_answers"]

Given = tuple[bool, Any]
"""What was answered for a row. `(False, label)` is a class, or an object of classes by target. `(True, value)` lies
more or less far from its label: a number, a tuple of the numbers of a vector, or a list of ranked items, best first.
None stands for what is no number."""

_scan = JSONDecoder().raw_decode
_FORMATS = {"FP64": "d", "FP32": "f", "INT64": "q", "INT32": "i", "BOOL": "?"}
_CONTENTS: dict[str, tuple[int, str]] = {"FP64": (7, "d"), "FP32": (6, "f")}
_VARINTS = {"BOOL": 1, "INT32": 2, "INT64": 3}
_BYTES = 8
_PROBABILITIES = ("probabilities", "class_probabilities")


def read_answers(kind: str, body: bytes | None, output: Output | None) -> list[Given]:
    """Return what was answered for each row; nothing where it can't be told.

    Args:
        kind: that of the request, as it was logged (see `predictions.layout`).
        output: what the release answers: tensors do not say by themselves which of them is the label.
    """
    name = kind.partition(";")[0]
    read = _READERS.get(name)
    if read is None or not body:
        return []
    try:
        return read(body, output)
    except (ValueError, TypeError, KeyError, IndexError, LookupError, RecursionError, struct.error, Malformed):
        return []


# ---------------------------------------------------------------------------------------------- plusone's own forms


def _read_json(body: bytes, output: Output | None) -> list[Given]:
    return [_of_json(row, output) for row in msgspec.json.decode(body)["predictions"]]


def _of_json(row: Any, output: Output | None) -> Given:
    """Return what a value of plusone's own JSON says; without `output` an object is a class."""
    if isinstance(row, list):
        return _listed(cast("list[Any]", row))
    if isinstance(row, dict) and output is not None and output.kind == "vector":
        return _listed([row[name] for name in output.names])
    return _given(row["label"] if isinstance(row, dict) else row, isinstance(row, dict))


def _listed(values: list[Any]) -> Given:
    """Return a vector, or the items of a ranking; an empty list is a ranking of nothing."""
    if all(isinstance(one, dict) for one in values):
        return True, [one["item"] for one in values]
    return True, tuple(_given(_finite(one), is_class=False)[1] for one in values)


def _given(value: Any, is_class: bool) -> Given:
    if is_class:
        return False, value
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return True, value
    raise ValueError("it is neither a class nor a number")


def _read_arrow(body: bytes, output: Output | None) -> list[Given]:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(body).read_all()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error)) from error
    if "label" in table.column_names:
        return [(False, value) for value in table["label"].to_pylist()]
    return [_of_json(value, output) for value in table["prediction"].to_pylist()]


# ---------------------------------------------------------------------------------------------- tensors


def _read_inference(body: bytes, output: Output | None) -> list[Given]:
    """Read an answer of the Open Inference Protocol: JSON, and behind it what was asked for as bytes."""
    text = body.decode("latin-1")  # so that places in the text are places in the bytes
    end = _scan(text)[1]
    outputs = msgspec.json.decode(body[:end])["outputs"]
    place = end
    tensors: dict[str, tuple[str, Sequence[Any]]] = {}
    for one in outputs:
        size = one.get("parameters", {}).get("binary_data_size")
        if size is None:
            tensors[one["name"]] = one["datatype"], one["data"]
        else:
            tensors[one["name"]] = one["datatype"], _unpack(one["datatype"], body[place : place + size])
            place += size
    return _of_tensors(tensors, output)


def _read_grpc(body: bytes, output: Output | None) -> list[Given]:
    """Read a message `ModelInferResponse`: its outputs (5), and their values in it or behind it (6)."""
    message = fields_of(body)
    raw = message.get(6, [])
    tensors: dict[str, tuple[str, Sequence[Any]]] = {}
    for place, one in enumerate(message.get(5, [])):
        tensor = fields_of(one)
        name, datatype = bytes(tensor[1][0]).decode(), bytes(tensor[2][0]).decode()
        if raw:
            tensors[name] = datatype, _unpack(datatype, bytes(raw[place]))
        else:
            tensors[name] = datatype, _contents(datatype, fields_of(tensor[5][0]))
    return _of_tensors(tensors, output)


def _contents(datatype: str, contents: Mapping[int, list[Any]]) -> Sequence[Any]:
    if datatype == "BYTES":
        return [bytes(one).decode() for one in contents.get(_BYTES, [])]
    if datatype in _CONTENTS:
        number, code = _CONTENTS[datatype]
        data = b"".join(bytes(one) for one in contents.get(number, []))
        return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)
    values = [value for one in contents.get(_VARINTS[datatype], []) for value in repeated(one)]
    return [bool(value) for value in values] if datatype == "BOOL" else values


def _unpack(datatype: str, data: bytes) -> Sequence[Any]:
    """Return the values of a tensor in bytes."""
    if datatype != "BYTES":
        code = _FORMATS[datatype]
        return struct.unpack(f"<{len(data) // struct.calcsize('<' + code)}{code}", data)
    found: list[str] = []
    place = 0
    while place < len(data):
        begin = place + 4
        place = begin + int.from_bytes(data[place:begin], "little")
        if place > len(data):
            raise ValueError("a string ends behind the tensor")
        found.append(data[begin:place].decode())
    return found


def _of_tensors(tensors: Mapping[str, tuple[str, Sequence[Any]]], output: Output | None) -> list[Given]:
    if output is not None and output.kind == "labels":
        return _several_of_tensors(tensors, output)
    if output is None or output.name not in tensors:
        return []  # only the probabilities were asked for
    datatype, values = tensors[output.name]
    if output.kind == "number":
        return [_given(_finite(value), is_class=False) for value in values]
    if output.kind != "classes":
        return _lists_of_tensors(values, output)
    known: dict[Any, Any] = {}
    if datatype == "BYTES":
        known = {one: one for one in output.classes if isinstance(one, str)}
        known |= {msgspec.json.encode(one).decode(): one for one in output.classes if not isinstance(one, str)}
    labels = [known.get(value) if known else value for value in values]
    # Tensors have no word for a missing label: where a probability is no number, it means nothing.
    unknown = _rows_without({name: one for name, one in tensors.items() if name != output.name}, len(labels))
    return [(False, None if place in unknown else label) for place, label in enumerate(labels)]


def _several_of_tensors(tensors: Mapping[str, tuple[str, Sequence[Any]]], output: Output) -> list[Given]:
    """Return the labels of several targets by row; nothing where one of the targets was not asked for."""
    columns: list[list[Given]] = []
    for one, shares in zip(singles(output), share_names(output), strict=True):
        own = {name: tensors[name] for name in (one.name,) if name in tensors}
        if shares in tensors:
            own[_PROBABILITIES[one.name == _PROBABILITIES[0]]] = tensors[shares]
        columns.append(_of_tensors(own, one))
    rows = zip(*columns, strict=True)
    return [(False, {name: label for name, (_, label) in zip(output.names, row, strict=True)}) for row in rows]


def _lists_of_tensors(values: Sequence[Any], output: Output) -> list[Given]:
    """Return the vectors or the rankings of a tensor of shape (rows, width); what stands for no item is left out."""
    if len(values) % output.width:
        raise ValueError("the last row is not whole")
    rows = [values[start : start + output.width] for start in range(0, len(values), output.width)]
    if output.kind == "vector":
        return [_listed(list(row)) for row in rows]
    return [(True, [item for item in row if item not in ("", -1)]) for row in rows]


def _rows_without(tensors: Mapping[str, tuple[str, Sequence[Any]]], rows: int) -> set[int]:
    found = next((tensors[name][1] for name in _PROBABILITIES if name in tensors), ())
    width = len(found) // max(rows, 1)
    return {place // width for place, value in enumerate(found) if _finite(value) is None} if width else set()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value - value != 0.0 else value


_READERS: Mapping[str, Callable[[bytes, Output | None], list[Given]]] = {
    JSON: _read_json,
    ARROW: _read_arrow,
    INFERENCE: _read_inference,
    GRPC: _read_grpc,
}
