"""Predictions of one release as a table, and a table as the bytes of a chunk: Parquet, compressed with zstd."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..base.errors import StoreError

__all__ = ["CODEC", "SCHEMA", "Builder", "decode", "encode", "join", "span", "time_text"]

CODEC = "parquet"
_LEVEL = 3
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("request", pa.binary()),
        ("answer", pa.binary()),
    ]
)
"""The columns of a chunk. A request or an answer that was too big to be logged is null."""
_Entry = tuple[str, str, int, bytes | None, bytes | None]
_EARLIEST, _LATEST = 0.0, 253402300799.0  # the year 9999: what a time can be written as


class Builder:
    """Puts predictions together until they are a table.

    Attributes:
        size_bytes: how big their requests and answers are.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._columns: list[list[Any]] = [[] for _ in SCHEMA]

    def add(self, at: float, entries: Sequence[_Entry]) -> None:
        """Add predictions of one unix time."""
        if not entries:
            return
        ids, kinds, rows, requests, answers = zip(*entries, strict=True)
        moment = int(at * 1e6) if _EARLIEST <= at <= _LATEST else 0
        self.size_bytes += sum(map(len, filter(None, requests))) + sum(map(len, filter(None, answers)))
        for column, values in zip(
            self._columns, (ids, [moment] * len(entries), kinds, rows, requests, answers), strict=True
        ):
            column.extend(values)

    def table(self) -> pa.Table:
        """Return them as a table, sorted by time and id."""
        arrays = [pa.array(values, field.type) for values, field in zip(self._columns, SCHEMA, strict=True)]
        return _sorted(pa.Table.from_arrays(arrays, schema=SCHEMA))


def join(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the predictions of all tables, sorted by time and id."""
    return _sorted(pa.concat_tables(tables).combine_chunks())


def encode(table: pa.Table) -> bytes:
    """Return the bytes of a chunk, of the codec `CODEC`."""
    stream = io.BytesIO()
    # Ids are all different, and so are most bodies: a dictionary of them is in vain.
    layout: dict[str, Any] = {"use_dictionary": ["kind"], "write_statistics": False}
    pq.write_table(table, stream, compression="zstd", compression_level=_LEVEL, **layout)
    return stream.getvalue()


def decode(codec: str, data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the predictions of a chunk, or some of their columns.

    Raises:
        StoreError: when the bytes are no chunk, or the codec is not known.
    """
    if codec != CODEC:
        raise StoreError(
            f"A chunk of predictions is written in {codec!r}, which this plusone does not read.",
            mend="pip install --upgrade plusone",
        )
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read(columns=None if columns is None else list(columns))
        wanted = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
        return table.select(wanted.names).cast(wanted)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoreError(
            f"A chunk of predictions is damaged: {error}.", mend="restore the store from a backup"
        ) from error


def span(table: pa.Table) -> dict[str, Any]:
    """Return what the index says of a chunk: first and last time and id, and how many there are: at least one."""
    ids, times = table["id"].to_pylist(), table["at"]
    return {
        "first_id": min(ids),
        "last_id": max(ids),
        "first_at": time_text(times[0].as_py()),
        "last_at": time_text(times[-1].as_py()),
        "count": table.num_rows,
    }


def time_text(moment: dt.datetime) -> str:
    """Return a time of a chunk as `clock.now` writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by([("at", "ascending"), ("id", "ascending")])
