"""Any dataframe to an Arrow table and back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..base.errors import UnsafeValue

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["flavour_of", "from_arrow", "to_arrow"]


def flavour_of(value: Any) -> str:
    """Return `pandas`, `polars` or `pyarrow` for a dataframe (others narwhals knows count as pyarrow), else ''."""
    package = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    if package in ("pandas", "polars", "pyarrow"):
        # If the value's package was not imported the value could not be.
        frame = getattr(sys.modules[package], "Table" if package == "pyarrow" else "DataFrame")
        return package if isinstance(value, frame) else ""
    if "DataFrame" in name or "Table" in name:
        import narwhals as nw

        known = nw.from_native(value, eager_only=True, pass_through=True)
        return "pyarrow" if isinstance(known, nw.DataFrame) else ""
    return ""


def to_arrow(value: Any) -> pa.Table:
    """Return any dataframe, or a list of dicts with one entry per column, as an Arrow table.

    Raises:
        UnsafeValue: when it is none, has a column whose values are of several types, or two columns of one name.
    """
    import pyarrow as pa

    try:
        if isinstance(value, pa.Table):
            table = value
        elif isinstance(value, list):
            table = pa.Table.from_pylist(value)
        elif flavour_of(value) == "pandas":
            table = pa.Table.from_pandas(value)
        elif flavour_of(value):
            import narwhals as nw

            table = nw.from_native(value, eager_only=True).to_arrow()
        else:
            raise UnsafeValue(f"A {type(value).__name__} is no table: expected a dataframe or a list of dicts.")
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise UnsafeValue(
            f"The table can't be stored: {error}.",
            mend="give each column one type, for example df.astype({'x': 'string'})",
        ) from error
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UnsafeValue(f"The table has two columns named {twice[0]!r}: expected each name once.")
    return table


def from_arrow(table: pa.Table, flavour: str) -> Any:
    """Return an Arrow table as the dataframe of `flavour`: `pandas`, `polars` or `pyarrow`."""
    if flavour == "pandas":
        return table.to_pandas()
    if flavour == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table
