"""A table to columns, and the rules that a field's values keep. The prover and the predictor both read tables so.

This module knows fields and Arrow. It knows no graph, no model and no JSON text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from reprlib import Repr
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import InvalidInput
from ..base.records import Field
from ..graphs.layout import MISSING, Block, Columns
from . import shapes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Known", "compute", "describe", "fits", "invalid", "is_text", "read_table", "shown"]

Known = Mapping[str, frozenset[Any]]
"""By field: the only values that it may hold, where the trained model raises for any other."""

_LIMIT = 2**63
_SHOWN = 8
_SHORT = Repr()  # what is written is cut at its levels too: a value from outside may be a thousand lists deep
_SHORT.maxlevel = 2
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 90


def describe(field: Field, known: Known) -> str:
    """Return what the field expects, in words."""
    if field.shape is not None:
        return shapes.words(field)
    words = {
        "int64": "an integer of 64 bits",
        "float64": "a finite number",
        "bool": "true or false",
        "string": "a string",
    }[field.dtype]
    values = known.get(field.name)
    if values is not None:
        ordered = sorted(values)
        if field.dtype == "int64":
            ordered = [int(value) for value in ordered]
        listed = ", ".join(repr(value) for value in ordered[:_SHOWN])
        more = f", ... ({len(ordered)} values)" if len(ordered) > _SHOWN else ""
        words = f"one of {listed}{more}: the model does not answer to values it has not seen"
    return f"{words}, or null" if field.nullable else words


def fits(value: Any, field: Field, known: Known) -> bool:
    """Whether a plain value (as JSON gives it) may stand in the field."""
    if field.shape is not None:
        return shapes.find_wrong(value, field) is None
    if value is None:
        return field.nullable
    if field.dtype == "string":
        good = isinstance(value, str) and is_text(value)
    elif field.dtype == "bool":
        good = isinstance(value, bool)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        good = False
    elif field.dtype == "int64":
        # A float is taken for an integer when it is one: dataframes with nulls write their integers so.
        good = (isinstance(value, int) or value.is_integer()) and -_LIMIT <= value < _LIMIT
    else:
        good = _finite(value)
    if good and field.name in known:
        return value in known[field.name]
    return good


def is_text(value: str) -> bool:
    """Whether a string can be written in UTF-8: half a surrogate pair can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def invalid(row: int, field: Field, value: Any, known: Known) -> InvalidInput:
    """Return the error for one value that does not fit; of a tensor for the first one in it."""
    expected = describe(field, known)
    wrong = shapes.find_wrong(value, field) if field.shape is not None else None
    if wrong is not None and wrong[0]:
        place, value, expected = wrong
        return InvalidInput(
            f"Row {row}, field {field.name!r}, at {list(place)}: {shown(value)} does not fit: expected {expected}.",
            row=row,
            field=field.name,
            place=list(place),
            value=_plain(value),
            expected=expected,
        )
    return InvalidInput(
        f"Row {row}, field {field.name!r}: {shown(value)} does not fit: expected {expected}.",
        row=row,
        field=field.name,
        value=_plain(value),
        expected=expected,
    )


def shown(value: Any) -> str:
    """Return a value as a message shows it: as JSON writes it where it can be, and never long."""
    words = {None: "null", True: "true", False: "false"}
    try:
        text = words[value] if value is None or isinstance(value, bool) else _SHORT.repr(value)
    except ValueError:  # Python refuses to write integers of more than 4,300 digits
        text = "a very large integer"
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_table(table: pa.Table, fields: Sequence[Field], blocks: Sequence[Block], known: Known) -> tuple[Columns, Any]:
    """Return the columns of a table, and which rows do not fit, shape (rows,), as booleans.

    The columns of rows that do not fit hold anything. Extra columns of the table are ignored.

    Raises:
        InvalidInput: when a field has no column.
    """
    bad = np.zeros(table.num_rows, dtype=bool)
    by_name = {field.name: field for field in fields}
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for block in blocks:
        array = None if block.shape is not None else np.empty((table.num_rows, len(block.fields)), dtype=block.kind)
        for index, name in enumerate(block.fields):
            if name not in table.column_names:
                raise InvalidInput(
                    f"The table has no column {name!r}: expected {', '.join(by_name)}.",
                    row=None,
                    field=name,
                    value=None,
                    expected=describe(by_name[name], known),
                )
            if array is None:
                feeds[block.name], wrong = shapes.read_column(table.column(name), by_name[name])
            else:
                values, wrong = _read_column(table.column(name), by_name[name], known, block)
                array[:, index] = values
            bad |= wrong
        if array is not None:
            feeds[block.name] = array
    return Columns(table.num_rows, feeds), bad


def _read_column(column: Any, field: Field, known: Known, block: Block) -> tuple[Any, Any]:
    """Return the values of one column, shape (rows,), and which of them do not fit."""
    import pyarrow as pa

    dtype = block.dtype
    if pa.types.is_dictionary(column.type) and not _type_fits(column.type.value_type, "string"):
        column = column.cast(column.type.value_type)
    if field.dtype == "string":
        return _read_text(column, field, known, block)
    null = column.is_null(nan_is_null=True).to_numpy()
    if pa.types.is_null(column.type):
        return 0 if dtype == "int64" else math.nan, np.full(len(column), not field.nullable)
    if not _type_fits(column.type, field.dtype):
        return 0, ~null | (null & (not field.nullable))
    wrong = null & (not field.nullable)
    whole = pa.types.is_integer(column.type)
    if field.dtype == "int64" and pa.types.is_uint64(column.type):
        wrong |= compute().fill_null(compute().greater(column, pa.scalar(2**63 - 1, pa.uint64())), False).to_numpy()
    if dtype == "int64" and whole:
        values = compute().fill_null(column.cast(pa.int64(), safe=False), 0).to_numpy()
        return values, wrong | _unknown(values, null, field, known)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numbers = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64, copy=True)
    numbers[null] = math.nan
    wrong |= np.isinf(numbers)
    if field.dtype == "int64" and not whole:
        wrong |= ~null & ((np.floor(numbers) != numbers) | (numbers < -_LIMIT) | (numbers >= _LIMIT))
    wrong |= _unknown(numbers, null, field, known)
    return (np.where(wrong, 0.0, numbers).astype(np.int64) if dtype == "int64" else numbers), wrong


def _unknown(values: Any, null: Any, field: Field, known: Known) -> Any:
    """Return which values are not among those that the field may hold, where that is limited."""
    if field.name not in known:
        return np.zeros(len(values), dtype=bool)
    return ~null & ~np.isin(values, np.array(sorted(known[field.name]), dtype=np.float64))


def _read_text(column: Any, field: Field, known: Known, block: Block) -> tuple[Any, Any]:
    """Return what enters the graph for strings, shape (rows,), and which of them do not fit.

    Each distinct string is looked at once, and a dictionary is never written out: it may be long and often used.
    """
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    distinct: list[Any] = [None]
    places = np.zeros(len(column), dtype=np.int64)
    if _type_fits(kind, "string"):
        if pa.types.is_string_view(column.type):
            # Arrow's own cast follows the views of nulls, which may lead anywhere: no check of Arrow's looks at them.
            column = pa.chunked_array([pa.array(column.to_pylist(), type=pa.large_string())])
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.large_string()).dictionary_encode()
        parts: list[Any] = [places[:0]]
        for chunk in column.chunks:  # likewise, the places of nulls are never used
            found = compute().fill_null(chunk.indices.cast(pa.int64(), safe=False), -len(distinct))
            parts.append(found.to_numpy() + len(distinct))
            distinct += chunk.dictionary.to_pylist()
        places = np.concatenate(parts)
    good = np.array([fits(value, field, known) for value in distinct])[places]
    if not _type_fits(kind, "string"):
        good &= column.is_null(nan_is_null=True).to_numpy()  # whatever else is there is no string
    code = block.codes.get(field.name)
    if code is not None:
        return np.array([code.table[value] for value in distinct], dtype=np.float64)[places], ~good
    values = np.array([MISSING if value is None else value for value in distinct], dtype=object)
    return values[places], ~good


def compute() -> Any:
    """Return `pyarrow.compute`, which makes its functions when it is imported, so that no type checker knows them."""
    import pyarrow.compute

    return pyarrow.compute


def _type_fits(kind: Any, dtype: str) -> bool:
    import pyarrow as pa

    if dtype == "string":
        return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if dtype == "bool":
        return pa.types.is_boolean(kind)
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond the largest float64
        return False


def _plain(value: Any) -> Any:
    """Return the value as the details of an error may carry it through JSON, never long."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_LIMIT <= value < _LIMIT else shown(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else shown(value)
    if isinstance(value, str) and len(value) <= 200:
        return value.encode("utf-8", "replace").decode("utf-8")
    return shown(value).encode("utf-8", "replace").decode("utf-8")
