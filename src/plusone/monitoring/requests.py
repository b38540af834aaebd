"""The newest requests of a model, as they came, with the labels that arrived for them: what a replay asks again.

They are read out of the store into one Arrow table, bounded in rows and bytes, which can be handed to a process that
must not open the database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..base.errors import BrokenArtifact
from ..base.files import atomic_file
from ..base.logged import Label
from ..predictions.reading import chunks_of, labels_in, read_chunk
from ..store import Store

__all__ = ["MOST_BYTES", "MOST_ROWS", "SCHEMA", "newest_requests", "read_requests", "write_requests"]

MOST_BYTES = 256 * 1024 * 1024
"""The requests that are asked again have at most so many bytes."""
MOST_ROWS = 200_000
"""And at most so many rows."""
_LABEL = pa.struct([("row", pa.int64()), ("value", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("release", pa.int64()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("request", pa.binary()),
        ("labels", pa.list_(_LABEL)),
    ]
)
"""The columns of the table. `request` is null where a request was too big to be logged; a label's `value` is JSON."""
_READ = ("id", "at", "kind", "rows", "request")


def newest_requests(
    store: Store, model: str, count: int, *, most_bytes: int = MOST_BYTES, most_rows: int = MOST_ROWS
) -> pa.Table:
    """Return the newest `count` logged requests of a model, the oldest first; fewer when they are big.

    The newest label of each row is with them. What lies in journals that are not collected yet is not among them.
    """
    found, full = SCHEMA.empty_table().drop_columns(["labels"]), False
    waiting: list[pa.Table] = []
    rows = size = 0
    for chunk in chunks_of(store, model):
        if found.num_rows + rows >= count or size >= most_bytes:
            found, full = _newest([found, *waiting], count, most_bytes, most_rows)
            waiting, rows, size = [], 0, 0
        # The chunks come by their last time: what follows is older than all that is wanted.
        if full and not waiting and chunk["last_at"] < _oldest(found):
            break
        table = read_chunk(store, chunk["id"], _READ)
        release = pa.array(np.full(table.num_rows, chunk["release"], dtype=np.int64))
        waiting.append(table.append_column("release", release).select(found.column_names))
        rows += table.num_rows
        size += table.nbytes
    found, _ = _newest([found, *waiting], count, most_bytes, most_rows)
    return _with_labels(store, model, found.take(pa.array(np.arange(found.num_rows)[::-1])))


def write_requests(store: Store, model: str, count: int, to: Path) -> int:
    """Write those requests to an Arrow file, whole or not at all; return how many there are. None: there is no file."""
    table = newest_requests(store, model, count)
    if table.num_rows:
        with atomic_file(to) as stream, pa.ipc.new_file(stream, SCHEMA) as writer:
            writer.write_table(table)
    return table.num_rows


def read_requests(path: Path) -> pa.Table:
    """Return the requests that `write_requests` wrote.

    Raises:
        BrokenArtifact: when the file is missing or is no such file.
    """
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            table = reader.read_all()
        return table.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise BrokenArtifact(f"{path} does not hold the requests to be asked again: {error}.") from error


def _newest(tables: list[pa.Table], count: int, most_bytes: int, most_rows: int) -> tuple[pa.Table, bool]:
    """Return the newest of these requests, the newest first, and whether no older ones are wanted.

    Within the bounds; at least one if there is any.
    """
    table = pa.concat_tables(tables).combine_chunks()
    table = table.sort_by([("at", "descending"), ("id", "descending")]).slice(0, count)
    if not table.num_rows:
        return table, False
    compute: Any = pc
    sizes = compute.fill_null(compute.binary_length(table["request"]), 0).to_numpy().astype(np.int64)
    fit = (np.cumsum(sizes) <= most_bytes) & (np.cumsum(table["rows"].to_numpy()) <= most_rows)
    kept = table.slice(0, max(1, int(np.count_nonzero(fit))))
    return kept, kept.num_rows >= min(count, table.num_rows + 1) or kept.num_rows < table.num_rows


def _oldest(table: pa.Table) -> str:
    return table["at"][-1].as_py().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _with_labels(store: Store, model: str, table: pa.Table) -> pa.Table:
    ids = table["id"].to_pylist()
    found = labels_in(store, model, ids)
    rows = [[_row(one, label) for label in found[one]] if one in found else None for one in ids]
    return table.append_column("labels", pa.array(rows, SCHEMA.field("labels").type)).select(SCHEMA.names)


def _row(prediction_id: str, label: Label) -> dict[str, Any]:
    own = label.prediction_id
    row = 0 if own == prediction_id else int(own.rpartition(":")[2])
    return {"row": min(row, 2**62), "value": msgspec.json.encode(label.value).decode()}
