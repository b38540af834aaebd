"""Slices of a table: the rows of a category, of a range of numbers or times, without a value, and of two at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import UsageError
from ..data.tensors import compute

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Slicing", "crossed", "sliceable", "sliced"]

BINS = 4
MOST = 50
"""How many categories have a slice of their own: the most frequent."""
_LETTERS = 60


@dataclass(frozen=True)
class Slicing:
    """How a column, or several, part the rows.

    Attributes:
        name: the column; of several `origin, carrier`.
        codes: which slice each row is in, shape (rows,); -1: none.
        labels: what each slice is called: `origin = 'JFK'`, `distance 200 to 800`.
    """

    name: str
    codes: NDArray[np.int64]
    labels: tuple[str, ...]

    def rows(self, place: int) -> NDArray[np.bool_]:
        """Return which rows are in the slice at `place`."""
        return self.codes == place


def sliceable(table: pa.Table, column: str) -> bool:
    """Return whether a column holds values that slices can be made by: numbers, text, truths, dates and times."""
    from pyarrow import types

    kind = table.schema.field(column).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    return _is_number(kind) or types.is_boolean(kind) or _is_text(kind)


def is_category(table: pa.Table, column: str) -> bool:
    """Return whether a column holds text or truths: what rows of one day, or one storm, do not share by themselves."""
    from pyarrow import types

    kind = table.schema.field(column).type
    return types.is_boolean(kind) or types.is_dictionary(kind) or _is_text(kind)


def sliced(table: pa.Table, column: str) -> Slicing:
    """Return the slices by one column: each category, each quarter of the numbers or times, and the rows without any.

    Numbers and times with up to 8 different values count as categories.

    Raises:
        UsageError: when there is no such column, or its values make no slices.
    """
    if column not in table.column_names:
        raise UsageError(
            f"The data has no column {column!r} to make slices by. Its columns: {', '.join(table.column_names)}.",
            mend=f"by=[{table.column_names[0]!r}]" if table.column_names else "give a table with columns",
        )
    if not sliceable(table, column):
        raise UsageError(
            f"The column {column!r} is of type {table.schema.field(column).type}: slices are made by numbers, text, "
            "truths, dates and times.",
            mend="name another column, or make it one of those in the step that makes the table",
        )
    pc = compute()
    values = table.column(column).combine_chunks()
    kind = values.type
    if str(kind).startswith("dictionary"):
        values, kind = values.cast(kind.value_type), kind.value_type
    if str(kind).endswith("[ns]") or "[ns," in str(kind):
        # Nanoseconds have no place in Python's own times, which slices are named by.
        kind = _in_microseconds(kind)
        values = pc.cast(values, kind, safe=False)
    if str(kind) in ("float", "double"):
        values = pc.if_else(pc.is_nan(values), None, values)
    encoded = values.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    missing = np.asarray(values.is_null())
    if _is_number(kind) and len(distinct) > 2 * BINS:
        return _ranges(column, values, missing)
    codes = np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    kept = [int(place) for place in np.argsort(-counts, kind="stable")[:MOST]]
    kept.sort(key=lambda place: str(distinct[place]))
    where = np.full(len(distinct) + 1, -1, dtype=np.int64)
    where[kept] = np.arange(len(kept))
    labels = tuple(f"{column} = {_short(distinct[place])}" for place in kept)
    return _with_missing(column, where[codes], labels, missing)


def crossed(first: Slicing, second: Slicing) -> Slicing:
    """Return the slices of rows that are in one of each. By hand: of 3 origins and 2 days there are 6."""
    width = len(second.labels)
    both = (first.codes >= 0) & (second.codes >= 0)
    codes = np.where(both, first.codes * width + second.codes, -1)
    used = np.unique(codes[codes >= 0])
    labels = tuple(f"{first.labels[one // width]}, {second.labels[one % width]}" for one in used.tolist())
    found = np.where(codes >= 0, np.searchsorted(used, codes), -1)
    return Slicing(f"{first.name}, {second.name}", found.astype(np.int64), labels)


def _ranges(column: str, values: Any, missing: NDArray[np.bool_]) -> Slicing:
    """Return the quarters of a column of numbers or times, cut at its quartiles."""
    floats = _floats(values, missing)
    good = floats[~missing]
    cuts = np.unique(np.quantile(good[np.isfinite(good)], np.arange(1, BINS) / BINS, method="lower"))
    codes = np.where(missing, -1, np.searchsorted(cuts, floats, side="left")).astype(np.int64)
    labels: list[str] = []
    used: list[int] = []
    for place in range(len(cuts) + 1):
        mine = np.flatnonzero(codes == place)
        if len(mine):
            ends = (values[int(mine[find(floats[mine])])].as_py() for find in (np.argmin, np.argmax))
            labels.append(f"{column} {' to '.join(_plain(end) for end in ends)}")
            used.append(place)
    where = np.full(len(cuts) + 2, -1, dtype=np.int64)
    where[used] = np.arange(len(used))
    return _with_missing(column, where[codes], tuple(labels), missing)


def _with_missing(
    column: str, codes: NDArray[np.int64], labels: tuple[str, ...], missing: NDArray[np.bool_]
) -> Slicing:
    if not missing.any():
        return Slicing(column, codes, labels)
    return Slicing(column, np.where(missing, len(labels), codes), (*labels, f"{column} missing"))


def _floats(values: Any, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return numbers or times as floats, in their own unit; 0 where there is none."""
    import pyarrow as pa

    pc = compute()
    kind = values.type
    if pa.types.is_temporal(kind):
        values = values.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif pa.types.is_float16(kind):
        values = values.cast(pa.float32())
    floats = np.asarray(pc.cast(values, pa.float64(), safe=False).fill_null(0.0))
    return np.where(missing, 0.0, floats)


def _in_microseconds(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    times = types.is_timestamp(kind) or types.is_date(kind) or types.is_duration(kind) or types.is_time(kind)
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or times


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LETTERS else f"{shown[:_LETTERS]}…"
