"""The profile of a table: what each column held, in a few numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["profile"]

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_TOP = 20


def profile(table: pa.Table) -> dict[str, dict[str, Any]]:
    """Return, for each column, its type, count, nulls, and by its type:

    - numbers: minimum, maximum, mean, standard deviation (of the sample, n - 1), and quantiles (linear interpolation);
      NaN counts as null;
    - text and booleans: the number of distinct values and the 20 most frequent with their counts;
    - everything else: minimum and maximum as text where the type has an order.
    """
    return {name: _column(table.column(name)) for name in table.column_names}


def _column(column: pa.ChunkedArray) -> dict[str, Any]:
    import pyarrow as pa

    pc = _compute()

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
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
        ends = pc.min_max(values)
        summary |= {"minimum": str(ends["min"].as_py()), "maximum": str(ends["max"].as_py())}
    return summary


def _numbers(values: Any) -> dict[str, Any]:
    pc = _compute()

    ends = pc.min_max(values)
    deviation = pc.stddev(values, ddof=1).as_py() if len(values) > 1 else 0.0
    quantiles = pc.quantile(values, q=list(_QUANTILES)).to_pylist()
    found = {
        "minimum": ends["min"].as_py(),
        "maximum": ends["max"].as_py(),
        "mean": pc.mean(values).as_py(),
        "deviation": deviation,
        "quantiles": {str(q): value for q, value in zip(_QUANTILES, quantiles, strict=True)},
    }
    # JSON has no infinity; a column that holds one keeps the rest of its summary.
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in found.items()
    }


def _compute() -> Any:
    # Arrow makes these functions when it is imported, so nothing can know their types.
    import pyarrow.compute

    return pyarrow.compute


def _words(values: Any) -> dict[str, Any]:
    pc = _compute()

    counts = pc.value_counts(values)
    pairs = sorted(((row["counts"], str(row["values"])) for row in counts.to_pylist()), key=lambda p: (-p[0], p[1]))
    return {"distinct": len(pairs), "top": {word: count for count, word in pairs[:_TOP]}}
