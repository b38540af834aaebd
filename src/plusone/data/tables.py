"""Any dataframe to an Arrow table and back, and an Arrow table to bytes and back."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import UnsafeValue
from .tensors import is_array, to_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["decode", "encode", "flavour_of", "from_arrow", "to_arrow"]


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
    """Return any dataframe, list of dicts with one entry per column, or dict of numpy arrays, as an Arrow table.

    Raises:
        UnsafeValue: when it is none, has a column whose values are of several types or would come back as others, or
            two columns of one name.
    """
    import pyarrow as pa

    try:
        if isinstance(value, pa.Table):
            table = value
        elif isinstance(value, list):
            _check_rows(value)
            table = pa.Table.from_pylist(value)
        elif isinstance(value, dict) and value and all(is_array(part) for part in value.values()):
            table = to_table(value)
        elif flavour_of(value) == "pandas":
            _check_names(value)
            table = pa.Table.from_pandas(value)
            _check_objects(value, table)
        elif flavour_of(value):
            table = _through_narwhals(value)
        else:
            raise UnsafeValue(
                f"A {type(value).__name__} is no table: expected a dataframe, a list of dicts or a "
                "dict of numpy arrays.",
                mend="table.collect()" if type(value).__name__ == "LazyFrame" else "",
            )
    except (pa.ArrowException, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnsafeValue(
            f"The table can't be stored: {str(error).rstrip('.')}.",
            mend="give each column one type, for example df.astype({'x': 'string'})",
        ) from error
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UnsafeValue(f"The table has two columns named {twice[0]!r}: expected each name once.")
    return table


def _check_rows(rows: list[Any]) -> None:
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UnsafeValue(
                f"Item {place} of the list is of type {type(row).__name__}: expected a dict for each row.",
                mend="[{'column': value, ...}, ...]",
            )


def from_arrow(table: pa.Table, flavour: str) -> Any:
    """Return an Arrow table as the dataframe of `flavour`: `pandas`, `polars` or `pyarrow`."""
    if flavour == "pandas":
        return table.to_pandas()
    if flavour == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table


def encode(table: pa.Table) -> memoryview:
    """Return the table's bytes: Parquet, or an Arrow file when Parquet would give back another table.

    Parquet gives back other dictionaries (a categorical's order and unused categories), seconds as milliseconds, and
    no rows without columns. Both are compressed with zstd.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    if table.num_columns and not any(_has_dictionary(field.type) for field in table.schema):
        try:
            pq.write_table(table, sink, compression="zstd")
            if pq.read_schema(pa.BufferReader(sink.getbuffer())).equals(table.schema):
                return sink.getbuffer()
        except (pa.ArrowException, ValueError):
            pass  # a type that Parquet does not know
        sink = io.BytesIO()
    whole = table.unify_dictionaries().combine_chunks()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(whole)
        if whole.num_rows == 0:
            # No rows are no batch; an empty one carries the dictionaries.
            empty = [one.chunk(0) if one.num_chunks else pa.array([], one.type) for one in table.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(empty, schema=table.schema))
    return sink.getbuffer()


def decode(path: Path) -> pa.Table:
    """Return the table in a file that holds what `encode` returned."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as stream:
        is_parquet = stream.read(4) == b"PAR1"
    if is_parquet:
        # Not `pq.read_table`, which reads through pyarrow.dataset, and that imports pandas: a second for each process.
        with pq.ParquetFile(path) as file:
            return file.read()
    with pa.OSFile(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _has_dictionary(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return True
    return any(_has_dictionary(kind.field(place).type) for place in range(kind.num_fields))


def _through_narwhals(value: Any) -> Any:
    import narwhals as nw

    frame = nw.from_native(value, eager_only=True)
    # polars would hand over the addresses of the objects as bytes.
    objects = [name for name, kind in frame.schema.items() if kind == nw.Object]
    if objects:
        raise TypeError(f"the column {objects[0]!r} holds Python objects")
    return frame.to_arrow()


def _check_names(frame: Any) -> None:
    if twice := [name for name, again in zip(frame.columns, frame.columns.duplicated(), strict=True) if again]:
        raise UnsafeValue(f"The table has two columns named {twice[0]!r}: expected each name once.")
    kinds = sorted({type(name).__name__ for name in frame.columns})
    if len(kinds) > 1:
        raise UnsafeValue(
            f"The table has column names of several types ({', '.join(kinds)}), which would come back as text.",
            mend="df.columns = df.columns.astype(str)",
        )


def _check_objects(frame: Any, table: Any) -> None:
    """Refuse columns of Python objects that would come back as others: sets as lists, dicts with each other's keys."""
    import pyarrow as pa

    for place, name in enumerate(frame.columns):
        if str(frame.dtypes.iloc[place]) != "object" or not pa.types.is_nested(table.schema.field(place).type):
            continue
        values = [value for value in frame.iloc[:, place] if value is not None]
        if any(isinstance(value, (set, frozenset)) for value in values):
            raise TypeError(f"the column {name!r} holds sets, which would come back as lists")
        if len({frozenset(value) for value in values if isinstance(value, dict)}) > 1:
            raise TypeError(f"the column {name!r} holds dicts with different keys, which would all get the keys of all")
