"""The profile of a table: what each column held, in a few numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .tensors import compute, rows_of, shape_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["profile"]

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_TOP = 20
_LETTERS = 200


def profile(table: pa.Table) -> dict[str, dict[str, Any]]:
    """Return, for each column, its type, count, nulls, and by its type:

    - numbers: minimum, maximum, mean, standard deviation (of the sample, n - 1), and quantiles (linear interpolation);
      NaN counts as null;
    - text and booleans: the number of distinct values and the 20 most frequent with their counts, without those of more
      than 200 letters;
    - dates, times and durations: minimum and maximum as text;
    - tensors: their shape and, over all values of all rows, minimum, maximum, mean, deviation (n) and the share of NaN.
    """
    return {name: _column(table.column(name)) for name in table.column_names}


def _column(column: pa.ChunkedArray) -> dict[str, Any]:
    import pyarrow as pa

    pc = compute()

    kind = column.type
    if (shape := shape_of(kind)) is not None:
        return {"type": str(kind.value_type), "shape": list(shape), "count": len(column), "nulls": 0} | _tensor(column)
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_string_view(kind):
        kind = pa.string()
        column = column.cast(kind)
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    summary: dict[str, Any] = {"type": str(kind), "count": len(column), "nulls": column.null_count}
    values = column.drop_null()
    if len(values) == 0:
        return summary
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        summary |= _numbers(values.cast(pa.float64(), safe=False))
    elif pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        summary |= _words(values)
    elif pa.types.is_temporal(kind):
        summary |= _times(values)
    return summary


def _numbers(values: Any) -> dict[str, Any]:
    pc = compute()

    ends = pc.min_max(values)
    deviation = pc.stddev(values, ddof=1).as_py() if len(values) > 1 else 0.0
    quantiles = pc.quantile(values, q=list(_QUANTILES)).to_pylist()
    found = {
        "minimum": ends["min"].as_py(),
        "maximum": ends["max"].as_py(),
        "mean": pc.mean(values).as_py(),
        "deviation": deviation,
    }
    # JSON has no infinity; a column that holds one keeps the rest of its summary.
    shown = {key: _finite(value) for key, value in found.items()}
    return shown | {"quantiles": {str(q): _finite(value) for q, value in zip(_QUANTILES, quantiles, strict=True)}}


def _tensor(column: Any) -> dict[str, Any]:
    import numpy as np

    values = rows_of(column).reshape(-1)
    if not values.size:
        return {}
    good = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    missing = float(np.isnan(values).mean()) if values.dtype.kind == "f" else 0.0
    if not good.size:
        return {"missing": missing}
    mean = float(good.mean(dtype=np.float64))
    return {
        "minimum": float(good.min()),
        "maximum": float(good.max()),
        "mean": mean,
        "deviation": float(good.std(dtype=np.float64)),
        "missing": missing,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _times(values: Any) -> dict[str, Any]:
    import pyarrow as pa

    pc = compute()
    kind = values.type
    if pa.types.is_interval(kind):  # a month and thirty days have no order
        return {}
    ends = pc.min_max(values.cast(pa.int64()) if pa.types.is_duration(kind) else values)
    return {"minimum": _text(ends["min"].cast(kind)), "maximum": _text(ends["max"].cast(kind))}


def _text(moment: Any) -> str:
    try:
        return str(moment.as_py())
    except (OverflowError, ValueError):  # beyond the years that Python knows
        return f"{moment.value} ({moment.type} since 1970)"


def _words(values: Any) -> dict[str, Any]:
    pc = compute()

    counts = pc.value_counts(values)
    pairs = sorted(((row["counts"], str(row["values"])) for row in counts.to_pylist()), key=lambda p: (-p[0], p[1]))
    return {"distinct": len(pairs), "top": {word: count for count, word in pairs[:_TOP] if len(word) <= _LETTERS}}
