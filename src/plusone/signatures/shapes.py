"""The fields that hold tensors: what their values may be, and how arrays and nested lists become what a graph takes.

A tensor is finite numbers of one dtype in one shape; nothing in it can be missing. This module knows fields and arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..base.errors import UsageError
from ..base.records import Field
from ..media import Audio, Image

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "EXAMPLE_VALUES",
    "find_wrong",
    "finite_rows",
    "make_field",
    "plain",
    "read_column",
    "settle",
    "size_of",
    "width_of",
    "with_media",
    "words",
]

EXAMPLE_VALUES = 4096
"""A signature has an example of a tensor of up to so many values: of more it would be larger than the model."""
_DEEPEST = 8
_LOST = {("float32", "uint8"), ("float32", "int64")}
_BOUNDS = {"uint8": (0, 255), "int64": (-(2**63), 2**63 - 1)}
_FLOAT32 = float(np.finfo(np.float32).max)
_WORDS = {
    "float32": "finite numbers of 32 bits",
    "float64": "finite numbers",
    "uint8": "integers from 0 to 255",
    "int64": "integers of 64 bits",
}
_ONE = {
    "float32": "a finite number of 32 bits",
    "float64": "a finite number",
    "uint8": "an integer from 0 to 255",
    "int64": "an integer of 64 bits",
}

Array = np.ndarray[Any, Any]


def size_of(field: Field) -> int:
    """Return how many values one row of the field has."""
    return math.prod(field.shape or ())


def words(field: Field) -> str:
    """Return what a field that holds tensors expects, in words."""
    return f"a tensor of shape {list(field.shape or ())}: {_WORDS[field.dtype]} in nested lists"


def make_field(name: str, column: Any) -> Field:
    """Return the field for a column of tensors of the training data.

    Raises:
        UsageError: when no row is finite, or the shape has too many dimensions.
    """
    from ..data.tensors import rows_of, shape_of

    values = rows_of(column)
    shape = shape_of(column.type) or ()
    if len(shape) > _DEEPEST:
        raise UsageError(
            f"The feature {name!r} has {len(shape)} dimensions in each row: expected at most {_DEEPEST}.", field=name
        )
    good = _finite(values)
    if not good.any():
        raise UsageError(
            f"The feature {name!r} has NaN or an infinity in every row: expected tensors of finite numbers.",
            mend="fill what is missing in a step, for example numpy.nan_to_num(array)",
            field=name,
        )
    whole = values if good.all() else values[good]
    dtype: Any = values.dtype.name
    return Field(
        name=name,
        dtype=dtype,
        minimum=float(whole.min()),
        maximum=float(whole.max()),
        example=whole[0].tolist() if math.prod(shape) <= EXAMPLE_VALUES else None,
        shape=shape,
    )


def finite_rows(column: Any) -> Any:
    """Return which rows of a column of tensors hold nothing but finite numbers, as a column of truths."""
    import pyarrow as pa

    from ..data.tensors import rows_of

    return pa.chunked_array([pa.array(_finite(rows_of(column)))])


def _finite(values: Array) -> Array:
    if values.dtype.kind != "f":
        return np.ones(len(values), dtype=bool)
    return np.asarray(np.isfinite(values).reshape(len(values), -1).all(axis=1))


def with_media(fields: Sequence[Field], media: Mapping[str, Image | Audio]) -> tuple[Field, ...]:
    """Return the fields with what is said of how bytes become their tensors.

    Raises:
        UsageError: when such a tensor is another one than the training data has.
    """
    names = [field.name for field in fields]
    if absent := [name for name in media if name not in names]:
        raise UsageError(
            f"media names {absent[0]!r}, which is not among the features {', '.join(names)}.",
            mend="correct media= of @plusone.model",
        )
    out: list[Field] = []
    for field in fields:
        how = media.get(field.name)
        if how is not None and (how.shape != field.shape or (how.dtype, field.dtype) in _LOST):
            has = (
                f"{field.dtype} of shape {list(field.shape)}"
                if field.shape is not None
                else f"{field.dtype}, no tensor"
            )
            raise UsageError(
                f"The feature {field.name!r} is {has} in the training data, and what media makes is {how.dtype} of "
                f"shape {list(how.shape)}: expected the same.",
                mend=f"make the training data with the same {type(how).__name__}(...).decode(data)",
                field=field.name,
            )
        out.append(field if how is None else msgspec.structs.replace(field, media=msgspec.to_builtins(how)))
    return tuple(out)


def width_of(table: pa.Table, names: Sequence[str]) -> int:
    """Return how many columns these of a table are when each tensor is laid out flat."""
    from ..data.tensors import shape_of

    kinds = [table.schema.field(name).type for name in names if name in table.column_names]
    return sum(math.prod(shape_of(kind) or ()) for kind in kinds) + len(names) - len(kinds)


def settle(array: Array, dtype: str) -> tuple[Array, Array | None]:
    """Return numbers in the dtype of a field, without a copy where they have it, and which do not fit; None: all do.

    A float is taken for an integer when it is one; a number becomes what the floats of that dtype make of it.
    """
    wanted = np.dtype(dtype)
    if wanted.kind == "f":
        with np.errstate(over="ignore"):
            values = array.astype(wanted, copy=False)
        good = np.isfinite(values)
        return values, None if good.all() else ~good
    if array.dtype == wanted:
        return array, None
    low, high = _BOUNDS[dtype]
    if array.dtype.kind == "f":
        array = array.astype(np.float64, copy=False)
        good = (np.floor(array) == array) & (array >= float(low)) & (array < float(high + 1))
    elif array.dtype.kind == "b":
        return array.astype(wanted), None
    else:
        bounds = np.iinfo(array.dtype)
        good = np.ones(array.shape, dtype=bool)
        if bounds.min < low:
            good &= array >= low
        if bounds.max > high:
            good &= array <= array.dtype.type(high)
    if good.all():
        return array.astype(wanted), None
    return np.where(good, array, array.dtype.type(0)).astype(wanted), ~good


def read_column(column: Any, field: Field) -> tuple[Array, Array]:
    """Return a column of tensors or lists as its block takes it, shape (rows, *shape), and which rows do not fit."""
    from ..data.tensors import is_list, read_lists, shape_of

    shape = field.shape or ()
    if not (is_list(column.type) or shape_of(column.type) is not None):
        return np.zeros((len(column), *shape), dtype=field.dtype), np.ones(len(column), dtype=bool)
    values, bad = read_lists(column, shape)
    settled, wrong = settle(values, field.dtype)
    if wrong is not None:
        bad = bad | wrong.reshape(len(bad), -1).any(axis=1)
    return settled, bad


def plain(column: Any, field: Field) -> Any:
    """Return the first row of a column as nested lists; as what it is where it has another shape."""
    from ..data.tensors import is_list, read_lists, shape_of

    if is_list(column.type) or shape_of(column.type) is not None:
        values, bad = read_lists(column.slice(0, 1), field.shape or ())
        if not bad[0]:
            return values[0].tolist()
    return column[0].as_py()


def find_wrong(value: Any, field: Field) -> tuple[tuple[int, ...], Any, str] | None:
    """Return where nested lists do not fit the field: the place, what stands there, what was expected; None if they do.

    Numbers are looked at as JSON gives them: a truth is none, and a float is an integer where it is one.
    """
    return next(_wrong(value, field, field.shape or (), ()), None)


def _wrong(
    value: Any, field: Field, shape: tuple[int, ...], place: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Any, str]]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not shape:
        if not _fits(value, field.dtype):
            yield place, value, _ONE[field.dtype]
        return
    if not isinstance(value, list):
        yield place, value, f"a list of {shape[0]}"
    elif len(value) != shape[0]:
        yield place, value, f"a list of {shape[0]}, not of {len(value)}"
    else:
        for index, inner in enumerate(value):
            yield from _wrong(inner, field, shape[1:], (*place, index))


def _fits(value: Any, dtype: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if dtype in _BOUNDS:
        low, high = _BOUNDS[dtype]
        return (isinstance(value, int) or value.is_integer()) and low <= value <= high
    try:
        number = float(value)
    except OverflowError:
        return False
    return math.isfinite(number) and (dtype == "float64" or abs(number) <= _FLOAT32)
