"""Arrays, one for each field, to the columns of a layout, by the same rules as JSON, without a table library.

Nulls are None in arrays of objects and NaN among floats. Strings come as objects (str, or bytes in UTF-8), as numpy's
own strings or as bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.errors import InvalidInput
from ..base.records import Field
from ..graphs.layout import Block, Columns
from ..signatures.shapes import settle
from ..signatures.tables import Known, describe, fits, invalid, is_text
from .walk import unknown

__all__ = ["read_arrays"]

Array = np.ndarray[Any, Any]

_LIMIT = 2.0**63


def read_arrays(arrays: Mapping[str, Array], fields: Sequence[Field], blocks: Sequence[Block], known: Known) -> Columns:
    """Return the columns of one array of shape (rows,) for each field.

    Raises:
        InvalidInput: for a field too many or too few, for arrays of other shapes, and for the first row with a value
            that does not fit; details: row, field, value, expected, where they exist.
    """
    rows = _check_shapes(arrays, fields, known)
    read = {field.name: _read(np.asarray(arrays[field.name]), field, known) for field in fields}
    wrong = [(int(np.argmax(bad)), place) for place, (_, bad) in enumerate(read.values()) if bad.any()]
    if wrong:
        row, place = min(wrong)
        raise invalid(row, fields[place], _plain(arrays[fields[place].name][row]), known)
    feeds = {block.name: block.join(rows, [read[name][0] for name in block.fields]) for block in blocks}
    return Columns(rows, feeds)


def _check_shapes(arrays: Mapping[str, Array], fields: Sequence[Field], known: Known) -> int:
    """Return how many rows the arrays have."""
    names = [field.name for field in fields]
    for name in arrays:
        if name not in names:
            raise unknown(name, names, "The request has")
    rows = -1
    for field in fields:
        expected = describe(field, known)
        if field.name not in arrays:
            raise InvalidInput(
                f"There is no array {field.name!r}: expected {expected}.",
                row=None,
                field=field.name,
                value=None,
                expected=expected,
            )
        shape = np.shape(arrays[field.name])
        if field.shape is not None and shape[1:] == field.shape and (rows < 0 or shape[0] == rows):
            rows = shape[0]
            continue
        if field.shape is not None or len(shape) != 1 or (rows >= 0 and shape[0] != rows):
            if field.shape is not None:
                sizes = ", ".join(map(str, field.shape))
                expected = f"the shape [{'rows' if rows < 0 else rows}, {sizes}]"
            else:
                expected = "one dimension" if rows < 0 else f"the shape [{rows}], as {names[0]!r} has"
            raise InvalidInput(
                f"The array {field.name!r} has the shape {list(shape)}: expected {expected}.",
                row=None,
                field=field.name,
                value=None,
                expected=expected,
            )
        rows = shape[0]
    if not rows:
        raise InvalidInput("There are no rows: expected at least one row.", value="[]", expected="at least one row")
    return rows


def _read(array: Array, field: Field, known: Known) -> tuple[Any, Array]:
    """Return the values of one field as its block takes them, and which of them do not fit."""
    kind = array.dtype.kind
    if field.shape is not None:
        return _read_tensors(array, field)
    if kind in "OSUT":
        return _read_objects(array, field, known)
    if field.dtype == "bool":
        return array, np.full(len(array), kind != "b")
    if field.dtype == "string" or kind not in "iuf":
        return array, np.ones(len(array), dtype=bool)
    if kind == "f":
        values: Any = array.astype(np.float64, copy=False)
        null = np.isnan(values)
        bad = np.isinf(values) | (null & (not field.nullable))
        if field.dtype == "int64":
            bad |= ~null & ((np.floor(values) != values) | (values < -_LIMIT) | (values >= _LIMIT))
    else:
        values, null = array, False
        bad = values > np.uint64(2**63 - 1) if array.dtype == np.uint64 else np.zeros(len(array), dtype=bool)
        if field.dtype == "float64":
            bad = np.zeros(len(array), dtype=bool)
    if field.name in known:
        bad = bad | (~np.isin(values, np.array(sorted(known[field.name]))) & ~np.asarray(null))
    return values, bad


def _read_tensors(array: Array, field: Field) -> tuple[Array, Array]:
    """The same for tensors."""
    if array.dtype.kind not in "biuf":
        return np.zeros(array.shape, dtype=field.dtype), np.ones(len(array), dtype=bool)
    values, wrong = settle(array, field.dtype)
    bad = np.zeros(len(array), dtype=bool) if wrong is None else wrong.reshape(len(array), -1).any(axis=1)
    return values, np.asarray(bad)


def _read_objects(array: Array, field: Field, known: Known) -> tuple[list[Any], Array]:
    """The same for arrays of objects and of strings, value by value: what a dtype does not say must be looked at."""
    values = [_plain(value) for value in array.tolist()]
    if field.dtype != "string":
        good = [fits(value, field, known) for value in values]
    elif field.name in known:
        allowed = known[field.name]
        good = [value in allowed if isinstance(value, str) else value is None and field.nullable for value in values]
    else:
        good = [is_text(value) if isinstance(value, str) else value is None and field.nullable for value in values]
    return values, ~np.array(good, dtype=bool)


def _plain(value: Any) -> Any:
    """Return the value as JSON would give it; bytes that are no UTF-8 stay bytes, which no field takes."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return None if isinstance(value, float) and value != value else value
