"""Writes the predictions of a model with their labels into one Parquet file, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..base.errors import UsageError
from ..base.files import atomic_file
from ..base.logged import Label
from ..store import Store
from . import chunks
from .reading import chunks_of, count_in, labels_in, moment, read_chunk

__all__ = ["SCHEMA", "Exported", "export_predictions"]

_AT_ONCE = 5000
_LABEL = pa.struct([("row", pa.int64()), ("value", pa.string()), ("at", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("model", pa.string()),
        ("release", pa.int64()),
        ("package", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("request", pa.binary()),
        ("answer", pa.binary()),
        ("label", pa.string()),
        ("labels", pa.list_(_LABEL)),
    ]
)
"""The columns of the file: those of a chunk, and as JSON the label of the first row, and of each row that has one."""

OnProgress = Callable[[int, int], object]
"""Is told how many predictions were written, and of how many."""


class Exported(NamedTuple):
    """What the file has."""

    predictions: int
    labelled: int


def export_predictions(
    store: Store,
    model: str,
    to: Path,
    *,
    release: int | None = None,
    since: str | None = None,
    until: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Exported:
    """Write the predictions of a model to a Parquet file, whole or not at all; return how many there are.

    They are in no order. Memory holds some megabytes of them at a time.

    Args:
        since: a time, or an age such as `1h`; `until` likewise, and exclusive.

    Raises:
        UsageError: when the file can't be written, or a time can't be read.
    """
    if to.suffix != ".parquet":
        raise UsageError(f"{to}: expected the name of a Parquet file.", mend=f"--to {to.with_suffix('.parquet')}")
    span = (moment("since", since) if since else None, moment("until", until) if until else None)
    chosen: dict[str, Any] = {"release": release, "since": span[0], "until": span[1]}
    total = count_in(store, model, **chosen)
    done = count = labelled = 0
    try:
        with atomic_file(to) as stream, pq.ParquetWriter(stream, SCHEMA, compression="zstd") as writer:
            for chunk in chunks_of(store, model, **chosen):
                table = _between(read_chunk(store, chunk["id"]), *span)
                for begin in range(0, table.num_rows, _AT_ONCE):
                    part = _with_labels(store, chunk, table.slice(begin, _AT_ONCE))
                    writer.write_table(part)
                    labelled += part.num_rows - part["labels"].null_count
                count += table.num_rows
                done += chunk["count"]
                on_progress(done, max(done, total))
    except OSError as error:
        raise UsageError(f"{to} can't be written: {error.strerror or error}.") from error
    return Exported(count, labelled)


def _between(table: pa.Table, since: str | None, until: str | None) -> pa.Table:
    times = [chunks.time_text(moment) for moment in table["at"].to_pylist()]
    keep = [(since is None or at >= since) and (until is None or at < until) for at in times]
    return table if all(keep) else table.filter(pa.array(keep, pa.bool_()))


def _with_labels(store: Store, chunk: dict[str, object], table: pa.Table) -> pa.Table:
    ids = table["id"].to_pylist()
    found = labels_in(store, str(chunk["model"]), ids)
    rows = [_rows(one, found[one]) if one in found else None for one in ids]
    first = [next((label["value"] for label in some if label["row"] == 0), None) if some else None for some in rows]
    columns = {
        **{name: table[name] for name in table.column_names},
        **{
            name: pa.array([chunk[name]] * len(ids), SCHEMA.field(name).type)
            for name in ("model", "release", "package")
        },
        "label": pa.array(first, pa.string()),
        "labels": pa.array(rows, SCHEMA.field("labels").type),
    }
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _rows(prediction_id: str, labels: list[Label]) -> list[dict[str, object]]:
    return [
        {
            "row": 0 if one.prediction_id == prediction_id else int(one.prediction_id.rpartition(":")[2]),
            "value": msgspec.json.encode(one.value).decode(),
            "at": one.at,
        }
        for one in labels
    ]
