"""The values of one tensor to an array of one field: from a list as JSON gives it, or from bytes as the wire has them.

It knows datatypes and fields. Each function compares what came with what was said before it makes anything, and takes a
value only when nothing of it is lost.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.errors import InvalidInput
from ..base.records import Field
from ..signatures.tables import shown

__all__ = ["DTYPES", "FLOATS", "INTEGERS", "read_binary", "read_list", "unpack_strings"]

INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS = ("FP16", "FP32", "FP64")
DTYPES: dict[str, np.dtype[Any]] = {
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BOOL": np.dtype(np.bool_),
}

_EXACT = 2**53
_LARGEST = 2**63 - 1
_LENGTH = struct.Struct("<I").unpack_from
_KINDS: dict[str, tuple[frozenset[type], str]] = {
    "BOOL": (frozenset({bool}), "true or false"),
    "BYTES": (frozenset({str}), "a string"),
    **{name: (frozenset({int, float}), "an integer") for name in INTEGERS},
    **{name: (frozenset({int, float}), "a number") for name in FLOATS},
}
_NULL = type(None)

Array = np.ndarray[Any, Any]


def read_list(name: str, datatype: str, data: list[Any], rows: int, field: Field, missing: str | None) -> Array:
    """Return the values of a list, flat or of lists of one value each, shape (rows,); a null is a missing value.

    Raises:
        InvalidInput: when there are more or fewer values than rows, or one that the datatype or the field can't hold.
    """
    if data and type(data[0]) is list:
        data = _flat(name, data)
    if len(data) != rows:
        raise _miscounted(name, len(data), rows)
    allowed, words = _KINDS[datatype]
    kinds = set(map(type, data))
    if not kinds <= allowed and not kinds <= allowed | {_NULL}:
        place = next(at for at, value in enumerate(data) if type(value) not in allowed and value is not None)
        raise _unfit(name, place, data[place], f"{words}, as {datatype} has them")
    if datatype == "BYTES":
        return _strings(data, missing)
    if datatype == "BOOL":
        return np.array(data, dtype=object if _NULL in kinds else np.bool_)
    if datatype in FLOATS:
        return _settle(name, _floats(name, datatype, data), field)
    return _settle(name, _integers(name, datatype, data, kinds), field)


def read_binary(
    name: str, datatype: str, data: bytes | memoryview, rows: int, field: Field, missing: str | None
) -> Array:
    """Return the values of little-endian bytes, shape (rows,).

    Raises:
        InvalidInput: when the bytes are not those of so many values, or one does not fit the field.
    """
    if datatype == "BYTES":
        return _strings(unpack_strings(name, data, rows), missing)
    dtype = DTYPES[datatype]
    if len(data) != rows * dtype.itemsize:
        raise InvalidInput(
            f"Input {shown(name)} has {len(data)} bytes: expected {rows * dtype.itemsize}, {dtype.itemsize} for each "
            f"of {rows} values of {datatype}.",
            tensor=name,
        )
    if datatype == "BOOL":
        raw = np.frombuffer(data, dtype=np.uint8)
        if raw.max() > 1:
            place = int(raw.argmax())
            raise _unfit(name, place, int(raw[place]), "0 or 1, as BOOL has them")
        return raw.astype(np.bool_)
    values = np.frombuffer(data, dtype=dtype)
    if datatype in FLOATS:
        return _settle(name, values.astype(np.float64), field)
    if datatype == "UINT64" and int(values.max()) > _LARGEST:
        place = int(values.argmax())
        raise _unfit(name, place, int(values[place]), "an integer of at most 63 bits and a sign")
    return _settle(name, values.astype(np.int64), field)


# ---------------------------------------------------------------------------------------------- lists


def _flat(name: str, data: list[Any]) -> list[Any]:
    out: list[Any] = []
    for place, item in enumerate(data):
        if type(item) is not list or len(item) != 1:
            raise _unfit(name, place, item, "a list of one value, as of the others")
        out.append(item[0])
    return out


def _floats(name: str, datatype: str, data: list[Any]) -> Array:
    try:
        # numpy writes None as NaN.
        wide = np.array(data, dtype=np.float64)
    except OverflowError:
        place = next(at for at, value in enumerate(data) if isinstance(value, int) and not _as_float(value))
        raise _unfit(name, place, data[place], f"a number that {datatype} holds") from None
    if datatype == "FP64":
        return wide
    with np.errstate(over="ignore"):
        narrow = wide.astype(DTYPES[datatype]).astype(np.float64)
    if (lost := np.isinf(narrow)).any():
        place = int(lost.argmax())
        raise _unfit(name, place, data[place], f"a number that {datatype} holds")
    return narrow


def _as_float(value: int) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _integers(name: str, datatype: str, data: list[Any], kinds: set[type]) -> Array:
    """Return integers as int64, or as float64 with NaN where some are missing."""
    bounds = np.iinfo(DTYPES[datatype])
    least, most = int(bounds.min), min(int(bounds.max), _LARGEST)
    if float in kinds:
        data = [int(value) if type(value) is float and value.is_integer() else value for value in data]
    for place, value in enumerate(data):
        if value is not None and (type(value) is not int or not least <= value <= most):
            raise _unfit(name, place, value, f"an integer that {datatype} and 64 bits with a sign hold")
    return np.array(data, dtype=np.float64 if _NULL in kinds else np.int64)


def _strings(data: Sequence[Any], missing: str | None) -> Array:
    array = np.empty(len(data), dtype=object)
    array[:] = data if missing is None else [None if value == missing else value for value in data]
    return array


# ---------------------------------------------------------------------------------------------- bytes


def unpack_strings(name: str, data: bytes | memoryview, rows: int) -> list[str]:
    """Return the strings of BYTES, each behind its length in four bytes.

    Raises:
        InvalidInput: when the bytes are not those of so many strings, or one is no UTF-8.
    """
    if len(data) < 4 * rows:
        raise InvalidInput(
            f"Input {shown(name)} has {len(data)} bytes: expected at least {4 * rows}, a length of 4 bytes before "
            f"each of {rows} strings.",
            tensor=name,
        )
    data = bytes(data)  # slices of bytes are cheaper than those of a view
    size = len(data)
    out: list[str] = []
    start = 0
    for place in range(rows):
        begin = start + 4
        end = begin + _LENGTH(data, start)[0] if begin <= size else begin
        if end > size:
            raise InvalidInput(
                f"Input {shown(name)}, value {place}: its length says that it ends at byte {end} of {size}: "
                "expected each string behind its length in 4 bytes, the lowest first.",
                tensor=name,
            )
        try:
            out.append(data[begin:end].decode())
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"Input {shown(name)}, value {place} is not UTF-8: its byte {error.start} is "
                f"0x{data[begin + error.start]:02x}: expected text.",
                tensor=name,
            ) from None
        start = end
    if start != len(data):
        raise InvalidInput(
            f"Input {shown(name)} has {len(data) - start} bytes behind its {rows} strings: expected none.", tensor=name
        )
    return out


# ---------------------------------------------------------------------------------------------- both


def _settle(name: str, values: Array, field: Field) -> Array:
    """Return numbers as the field takes them: true and false for 0 and 1, integers beside floats only where exact."""
    if field.dtype == "bool":
        return _truths(name, values)
    if field.dtype == "float64" and values.dtype == np.int64:
        far = (values > _EXACT) | (values < -_EXACT)
        if far.any():
            place = int(far.argmax())
            raise _unfit(name, place, int(values[place]), "an integer that a float64 holds exactly (up to 2**53)")
        return values.astype(np.float64)
    return values


def _truths(name: str, values: Array) -> Array:
    """Return 0 and 1 as false and true, NaN as a missing value."""
    empty = np.isnan(values)
    bad = ~empty & (values != 0.0) & (values != 1.0)
    if bad.any():
        place = int(bad.argmax())
        raise _unfit(name, place, float(values[place]), "0.0, 1.0 or NaN for false, true or missing")
    if not empty.any():
        return values != 0.0
    truths = (values == 1.0).astype(object)
    truths[empty] = None
    return truths


def _miscounted(name: str, got: int, rows: int) -> InvalidInput:
    return InvalidInput(
        f"Input {shown(name)} has {got} values: expected {rows}, as its shape says.", tensor=name, expected=rows
    )


def _unfit(name: str, place: int, value: Any, expected: str) -> InvalidInput:
    text = repr(value) if isinstance(value, float) and not math.isfinite(value) else shown(value)
    return InvalidInput(
        f"Input {shown(name)}, value {place}: {text} does not fit: expected {expected}.", tensor=name, row=place
    )
