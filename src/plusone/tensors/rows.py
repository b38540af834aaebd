"""Small requests by a short way: their tensors to the rows that a request in plusone's own form has.

Arrays cost some microseconds for each field, whatever its length; for a few rows it is quicker to write the values as
JSON and to let the predictor's decoder check them all in one pass. Rows of many requests can be joined, too. Many rows
in bytes go by `direct`. Whatever is out of the ordinary, or wrong, is left to the long way, which says what it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ..base.errors import InvalidInput
from ..base.records import Field
from ..predictor import Predictor
from .values import unpack_strings

__all__ = ["SMALL", "find_turn", "read_rows"]

SMALL = 4096
"""How many values a request may have, over all fields, to go this way; with more, arrays are quicker."""

_LETTERS = {"INT64": "q", "FP64": "d", "BOOL": "?"}
"""Of the datatypes that metadata names, but for strings."""
_encode = msgspec.json.Encoder().encode

Turn = Callable[[Any], Any]


def find_turn(field: Field) -> Turn | None:
    """Return what turns a value of the declared datatype into the field's own; None where they are the same.

    Integers and truths that may be missing are declared as FP64, whose NaN says so.
    """
    if not field.nullable:
        return None
    return {"int64": _integer, "bool": _truth}.get(field.dtype)


def _integer(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def _truth(value: Any) -> Any:
    # A value that is neither stays what it is, and is refused.
    return bool(value) if type(value) in (int, float) and value in (0, 1) else value


def read_rows(
    predictor: Predictor,
    declared: Mapping[str, tuple[str, Turn | None]],
    tensors: Sequence[tuple[str, str, Sequence[int], Any]],
    missing: Mapping[str, str],
) -> list[tuple[Any, ...]] | None:
    """Return the rows of a small request in which all is as the metadata has it; None for any other.

    Args:
        declared: by field, the datatype in the metadata and the field's turn.
        missing: by tensor, the string that stands for a missing one; without those that have none.
    """
    if len(tensors) != len(declared) or not tensors[0][2]:
        return None
    count = tensors[0][2][0]
    if not 0 < count * len(declared) <= SMALL:
        return None
    columns: dict[str, list[Any]] = {}
    flat, tall = [count], [count, 1]
    for name, datatype, shape, data in tensors:
        said = declared.get(name)
        if said is None or datatype != said[0] or (shape != flat and shape != tall):
            return None
        values = _listed(name, datatype, data, count)
        if values is None:
            return None
        if said[1] is not None:
            if bool in map(type, values):  # declared as a number: true and false are none
                return None
            values = list(map(said[1], values))
        if missing and (word := missing.get(name)) is not None:
            values = [None if value == word else value for value in values]
        columns[name] = values
    try:
        return predictor.decode_rows(_encode({"columns": columns}))
    except (InvalidInput, RecursionError):
        return None


def _listed(name: str, datatype: str, data: Any, count: int) -> list[Any] | None:
    """Return `count` values as a list, None where they are not so many."""
    if type(data) is list:
        if data and type(data[0]) is list:
            if any(type(value) is not list or len(value) != 1 for value in data):
                return None
            data = [value[0] for value in data]
        return data if len(data) == count else None
    if datatype == "BYTES":
        try:
            return unpack_strings(name, data, count)
        except InvalidInput:
            return None
    size = 1 if datatype == "BOOL" else 8
    if len(data) != count * size or (size == 1 and any(byte > 1 for byte in data)):
        return None
    return list(struct.unpack(f"<{count}{_LETTERS[datatype]}", data))
