"""Arrays of several dimensions as columns of a table, one value of them for each row, and back.

A column of tensors is Arrow's own fixed-shape tensor. Lists, of one length and of numbers, are such columns too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..base.errors import UnsafeValue

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = [
    "compute",
    "full",
    "is_array",
    "is_list",
    "read_lists",
    "rows_of",
    "shape_of",
    "tabled",
    "to_arrays",
    "to_table",
]

_KEPT = ("float32", "float64", "uint8", "int64")


def is_array(value: Any) -> bool:
    """Whether a value is an array of numpy."""
    return type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "dtype") and hasattr(value, "shape")


def to_table(arrays: Mapping[str, Any], names: Sequence[str] | None = None) -> pa.Table:
    """Return arrays with equally many rows as a table; those of several dimensions are columns of tensors.

    A tensor has float32, float64, uint8 or int64: float16 becomes float32, truths uint8, other integers int64.

    Args:
        names: which arrays; default: all.

    Raises:
        UnsafeValue: when they have not equally many rows, or one has values that no column holds.
    """
    import pyarrow as pa

    chosen = {name: arrays[name] for name in (arrays if names is None else names)}
    columns: dict[str, Any] = {}
    first: tuple[str, int] | None = None
    for name, array in chosen.items():
        if not array.ndim:
            raise UnsafeValue(f"The array {name!r} is one value: expected one for each row.")
        first = first or (name, len(array))
        if len(array) != first[1]:
            raise UnsafeValue(
                f"The array {name!r} has {len(array)} rows, {first[0]!r} has {first[1]}: expected as many in each.",
                mend=f"return arrays of one length, or leave {name!r} out",
            )
        try:
            columns[name] = pa.array(array) if array.ndim == 1 else _tensors(name, array)
        except pa.ArrowException as error:
            raise UnsafeValue(f"The array {name!r} can't be a column: {str(error).rstrip('.')}.") from error
    return pa.table(columns)


def _tensors(name: str, array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    kind = array.dtype
    if kind.name not in _KEPT:
        wanted = {"b": np.uint8, "f": np.float32 if kind.itemsize < 4 else None, "i": np.int64, "u": np.int64}
        to = wanted.get(kind.kind)
        if to is None or (kind == np.uint64 and array.size and array.max() > np.uint64(2**63 - 1)):
            raise UnsafeValue(
                f"The array {name!r} has dtype {kind} and shape {list(array.shape)}: expected {', '.join(_KEPT)} where "
                "a row has several values.",
                mend="convert it, for example array.astype('float32')",
            )
        array = array.astype(to)
    shape = array.shape[1:]
    if 0 in shape:
        raise UnsafeValue(f"The array {name!r} has shape {list(array.shape)}: expected values in each row.")
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    storage = pa.FixedSizeListArray.from_arrays(flat, math.prod(shape))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(flat.type, shape), storage)


def tabled(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the table with its columns of lists among `names` as columns of tensors; itself where there are none.

    Raises:
        UnsafeValue: when the lists of a column have not all the same length, or hold other values than numbers.
    """
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if name not in names or not is_list(column.type):
            continue
        shape = _shape_of_first(column)
        values, bad = read_lists(column, shape)
        if bad.any():
            row = int(bad.argmax())
            raise UnsafeValue(
                f"The column {name!r} holds lists of shape {list(shape)} and in row {row} another value: expected the "
                "same shape in each row, and no nulls.",
                mend="leave those rows out, or pad what is in them",
            )
        table = table.set_column(place, name, pa.chunked_array([_tensors(name, values)]))
    return table


def is_list(kind: Any) -> bool:
    """Whether a column of this type holds lists."""
    from pyarrow import types

    kinds = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return kind is not None and any(is_kind(kind) for is_kind in kinds)


def shape_of(kind: Any) -> tuple[int, ...] | None:
    """Return the shape of a row's value in a column of tensors of this type; None for other types."""
    import pyarrow as pa

    return tuple(kind.shape) if isinstance(kind, pa.FixedShapeTensorType) else None


def rows_of(column: Any) -> np.ndarray[Any, Any]:
    """Return a column of tensors, without nulls, as an array of shape (rows, *shape)."""
    values, _ = read_lists(column, shape_of(column.type) or ())
    return values


def to_arrays(table: pa.Table) -> dict[str, Any]:
    """Return the columns of a table as arrays of equally many rows."""
    return {
        name: table.column(name).to_numpy()
        if shape_of(table.schema.field(name).type) is None
        else rows_of(table.column(name))
        for name in table.column_names
    }


def read_lists(column: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return a column of tensors or of lists as an array of shape (rows, *shape), and which rows are of another shape.

    Their values are 0. A null inside of a list is NaN. Lists may be nested as the shape is, or flat.
    """
    import numpy as np
    import pyarrow as pa

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    own = shape_of(array.type)
    if own is not None:
        permuted = array.type.permutation is not None and list(array.type.permutation) != sorted(array.type.permutation)
        if own != shape or permuted:
            return np.zeros((len(array), *shape)), np.ones(len(array), dtype=bool)
        array = array.storage
    values, bad = _dense(array, shape if is_list(getattr(array.type, "value_type", None)) else (math.prod(shape),))
    return values.reshape(len(array), *shape), bad


def _dense(array: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return nested lists as an array of shape (rows, *shape), and which rows do not have it."""
    import numpy as np
    from pyarrow import types

    kind = array.type
    if not shape:
        if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
            return array.to_numpy(zero_copy_only=False), np.zeros(len(array), dtype=bool)
        return np.zeros(len(array)), np.ones(len(array), dtype=bool)
    if not is_list(kind):
        return np.zeros((len(array), *shape)), np.ones(len(array), dtype=bool)
    pc = compute()
    good = pc.fill_null(pc.equal(pc.list_value_length(array), shape[0]), False).to_numpy(zero_copy_only=False)
    if types.is_fixed_size_list(kind):
        good &= array.is_valid().to_numpy(zero_copy_only=False)
    whole = bool(good.all())
    values, wrong = _dense((array if whole else array.filter(_mask(good))).flatten(), shape[1:])
    values = values.reshape(-1, *shape)
    wrong = wrong.reshape(-1, shape[0]).any(axis=1)
    if whole:
        return values, wrong
    out = np.zeros((len(array), *shape), dtype=values.dtype)
    out[good] = values
    bad = ~good
    bad[good] |= wrong
    return out, bad


def _mask(good: Any) -> Any:
    import pyarrow as pa

    return pa.array(good)


def _shape_of_first(column: Any) -> tuple[int, ...]:
    """Return the shape of the first list that is there."""
    value: Any = next((one.as_py() for one in column if one.is_valid), None)
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def compute() -> Any:
    """Return `pyarrow.compute`, which makes its functions when it is imported, so that no type checker knows them."""
    import pyarrow.compute

    return pyarrow.compute


def full(kind: Any, value: float, rows: int) -> Any:
    """Return a column of tensors of a type, each value of which is `value`."""
    import numpy as np

    shape = shape_of(kind) or ()
    return _tensors("", np.full((rows, *shape), value, dtype=kind.value_type.to_pandas_dtype()))
