"""The newest time in a column of any table."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ..base.errors import UsageError
from .arguments import closest

__all__ = ["newest_of"]


def newest_of(data: Any, column: str) -> dt.datetime:
    """Return the newest time in a column, with its zone; times without one count as UTC.

    Raises:
        UsageError: there is no such column, it holds no dates or times, or no value.
    """
    import pyarrow as pa

    from ..data.datasets import to_arrow
    from ..data.tensors import compute

    table = to_arrow(data)
    if column not in table.column_names:
        raise UsageError(
            f"The data has no column {column!r}. Its columns: {', '.join(table.column_names) or 'none'}.",
            mend=f"fresh(data, {closest(column, table.column_names)!r}, at_most_days=7)",
        )
    values = table.column(column)
    kind = values.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise UsageError(
            f"The column {column!r} is of type {kind}: expected dates or times.",
            mend=f"data.assign({column}=pandas.to_datetime(data[{column!r}]))",
        )
    try:
        newest = compute().max(values.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)).as_py()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise UsageError(
            f"The column {column!r} holds times that no calendar has: {error}.",
            mend=f"data.assign({column}=pandas.to_datetime(data[{column!r}], errors='coerce'))",
        ) from error
    if newest is None:
        raise UsageError(
            f"The column {column!r} has no value in {table.num_rows} rows: expected dates or times.",
            mend=f"data.dropna(subset=[{column!r}]), of a table that has such rows",
        )
    return newest.astimezone(dt.UTC) if newest.tzinfo else newest.replace(tzinfo=dt.UTC)
