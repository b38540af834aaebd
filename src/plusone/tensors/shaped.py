"""The values of a tensor with several for each row, to an array: from lists, nested or flat, or from bytes."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import numpy as np

from ..base.errors import InvalidInput
from ..base.records import Field
from ..signatures.shapes import settle
from ..signatures.tables import shown
from .values import DTYPES, FLOATS

__all__ = ["read_shaped"]

Array = np.ndarray[Any, Any]


def read_shaped(name: str, datatype: str, data: Any, rows: int, field: Field) -> Array:
    """Return the values as an array of shape (rows, *the field's), in a dtype that `Predictor.from_arrays` takes.

    Raises:
        InvalidInput: when they are more or fewer than the shape says, or one that the datatype or the field can't hold;
            it names the place in the tensor.
    """
    shape = (rows, *(field.shape or ()))
    if type(data) is list:
        values = _listed(name, datatype, data, shape)
    else:
        dtype = DTYPES[datatype]
        count = math.prod(shape)
        if len(data) != count * dtype.itemsize:
            raise InvalidInput(
                f"Input {shown(name)} has {len(data)} bytes: expected {count * dtype.itemsize}, {dtype.itemsize} for "
                f"each of the {count} values of {datatype} that its shape {list(shape)} says.",
                tensor=name,
            )
        values = np.frombuffer(data, dtype=dtype).reshape(shape)
    settled, wrong = settle(values, field.dtype)
    if wrong is not None:
        place = np.unravel_index(int(wrong.argmax()), shape)
        raise _unfit(name, place, values[place].item(), f"a value of {field.dtype}, as the field has them")
    return settled


def _listed(name: str, datatype: str, data: list[Any], shape: tuple[int, ...]) -> Array:
    """Return lists as an array of this shape. They are nested as it is, or flat."""
    count = math.prod(shape)
    if data and type(data[0]) is list:
        for depth in range(1, len(shape)):
            _check_lists(name, data, shape, depth)
            data = list(chain.from_iterable(data))
    if len(data) != count:
        raise InvalidInput(
            f"Input {shown(name)} has {len(data)} values: expected {count}, as its shape {list(shape)} says.",
            tensor=name,
            expected=count,
        )
    allowed = {float, int}
    if not set(map(type, data)) <= allowed:
        at = next(at for at, value in enumerate(data) if type(value) not in allowed)
        raise _unfit(name, np.unravel_index(at, shape), data[at], f"a number, as {datatype} has them")
    wide: Any = np.float64 if datatype in FLOATS or float in set(map(type, data)) else np.int64
    try:
        values = np.array(data, dtype=wide)
        values, wrong = _narrowed(values, datatype)
    except OverflowError:
        at = max(range(count), key=lambda place: abs(data[place]))
        raise _unfit(name, np.unravel_index(at, shape), data[at], f"a number that {datatype} holds") from None
    if wrong is not None:
        at = int(wrong.argmax())
        raise _unfit(name, np.unravel_index(at, shape), data[at], f"a number that {datatype} holds")
    return values.reshape(shape)


def _check_lists(name: str, data: list[Any], shape: tuple[int, ...], depth: int) -> None:
    """Refuse lists whose inner ones are not as long as the shape says."""
    wanted = shape[depth]
    for at, inner in enumerate(data):
        if type(inner) is not list or len(inner) != wanted:
            what = f"a list of {len(inner)}" if type(inner) is list else shown(inner)
            raise _unfit(name, np.unravel_index(at, (max(len(data), 1),)), what, f"a list of {wanted} at depth {depth}")


def _narrowed(values: Array, datatype: str) -> tuple[Array, Array | None]:
    """Return numbers in their datatype, and which it does not hold."""
    dtype = DTYPES[datatype]
    if datatype in FLOATS:
        with np.errstate(over="ignore"):
            narrow = values.astype(dtype)
        lost = np.isinf(narrow)
    else:
        bounds = np.iinfo(dtype)
        lost = (np.floor(values) != values) | (values < bounds.min) | (values > min(bounds.max, 2**63 - 1))
        lost |= values >= 2.0**63 if values.dtype.kind == "f" else False
        narrow = np.where(lost, 0, values).astype(dtype)
    return narrow, lost if lost.any() else None


def _unfit(name: str, place: Any, value: Any, expected: str) -> InvalidInput:
    at = [int(index) for index in place]
    text = value if isinstance(value, str) and value.startswith("a list") else shown(value)
    if isinstance(value, float) and not math.isfinite(value):
        text = repr(value)
    return InvalidInput(
        f"Input {shown(name)}, value at {at}: {text} does not fit: expected {expected}.",
        tensor=name,
        row=at[0],
        place=at,
    )
