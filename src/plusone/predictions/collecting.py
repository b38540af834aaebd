"""Moves what workers wrote into the store: every label and every prediction once, whenever who is killed.

A segment that nobody holds is claimed. What it has is written in one transaction with its name, and then its file goes:
one whose name is there already, because somebody was killed in between, is only removed.
"""

from __future__ import annotations

import contextlib
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..base.errors import StoreError
from ..base.ids import new_id
from ..journal import claim, list_segments
from ..journal.log import sweep
from ..store import Store
from ..store.database import Transaction
from ..store.queries import queries
from .layout import LabelRow, decode_batches, decode_labels, labels_folder, predictions_folder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Collected", "add_labels", "collect"]

_AT_ONCE_BYTES = 32 * 1024 * 1024
_AT_ONCE = 100
# A chunk has about so many bytes of requests and answers: it is read whole to show one of them.
_CHUNK_BYTES = 8 * 1024 * 1024
# One that has at least so many when it is compressed is a blob; below, it is a row, and merged with what comes behind.
_BLOB_BYTES = 256 * 1024
_ATTEMPTS = 3
_DAMAGED = ".damaged"

_Release = tuple[str, int, str]


class Collected(NamedTuple):
    """What came to the store."""

    predictions: int = 0
    labels: int = 0
    segments: int = 0
    torn_bytes: int = 0
    """Bytes that were no record: what was being written when a worker was killed."""


class _Segment(NamedTuple):
    path: Path
    records: list[bytes]
    torn_bytes: int


def collect(store: Store, folder: Path, *, is_over: Callable[[], bool] = lambda: False) -> Collected:
    """Move what nobody writes to any more, of dead workers and of living ones, into the store.

    Labels come first. Several processes may do so at once.

    Args:
        folder: the folder that the workers serve from.
        is_over: asked between one lot of some megabytes and the next; when it says so, the rest is left for later.

    Raises:
        StoreError: when the store can't be written now. Nothing is lost: it is moved later.
    """
    total = Collected()
    kinds = ((labels_folder(folder), _put_labels), (predictions_folder(folder), _put_predictions))
    for place, put in kinds:
        paths = list_segments(place)
        while paths and not is_over():
            found, paths = _collect_some(store, paths, put)
            total = Collected(*(one + other for one, other in zip(total, found, strict=True)))
        _forget_removed(store, place)
        sweep(place)
    return total


def add_labels(tx: Transaction, model: str, received_at: str, labels: Sequence[LabelRow]) -> None:
    """Write labels that were received at that time; one that is known already adds nothing."""
    rows = [
        {"model": model, "prediction_id": one, "received_at": received_at, "value": value, "at": at or received_at}
        for one, value, at in labels
    ]
    tx.execute_each(queries()["label_add"], rows)


# ---------------------------------------------------------------------------------------------- segments

_Put = Callable[[Store, list[_Segment]], Collected]


def _collect_some(store: Store, paths: list[Path], put: _Put) -> tuple[Collected, list[Path]]:
    """Take over as many of the first segments as fit in memory; return what that was, and those that are left."""
    segments: list[_Segment] = []
    size = 0
    with contextlib.ExitStack() as held:
        while paths and size < _AT_ONCE_BYTES and len(segments) < _AT_ONCE:
            path, *paths = paths
            if not held.enter_context(claim(path)):
                continue
            if store.db.one("taken_segment_get", name=path.name) is not None:
                path.unlink(missing_ok=True)  # whoever took it over was killed before that
            elif (segment := _read(path)) is not None:
                segments.append(segment)
                size += sum(map(len, segment.records))
        done = put(store, segments) if segments else Collected()
        for segment in segments:
            segment.path.unlink(missing_ok=True)
    return done, paths


def _place(folder: Path) -> str:
    return f"{socket.gethostname()}:{folder.resolve()}"


def _forget_removed(store: Store, folder: Path) -> None:
    """Forget the names of segments of this folder whose files are gone: no other will ever have such a name."""
    names = [row["name"] for row in store.db.all("taken_segment_list", place=_place(folder))]
    if removed := [name for name in names if not (folder / name).exists()]:
        with store.db.write() as tx:
            for name in removed:
                tx.execute("taken_segment_remove", name=name)


def _read(path: Path) -> _Segment | None:
    from ..journal.reading import read

    try:
        found = read(path)
    except FileNotFoundError:
        return None
    except StoreError:
        _put_aside(path)
        return None
    return _Segment(path, found.records, found.torn_bytes)


def _put_aside(path: Path) -> None:
    """Keep a file that is none of ours where nobody looks for segments."""
    with contextlib.suppress(OSError):
        path.rename(path.with_name(path.name + _DAMAGED))


def _decoded(segments: list[_Segment], decode: Callable[[bytes], Any]) -> Iterator[tuple[Any, int]]:
    """Give what each record holds, and how many bytes it wasted: a record that can't be read is passed over."""
    for segment in segments:
        for record in segment.records:
            try:
                yield decode(record), 0
            except msgspec.MsgspecError:
                yield None, len(record)


def _take(tx: Transaction, segments: list[_Segment]) -> None:
    for segment in segments:
        tx.execute("taken_segment_add", name=segment.path.name, place=_place(segment.path.parent))


# ---------------------------------------------------------------------------------------------- labels


def _put_labels(store: Store, segments: list[_Segment]) -> Collected:
    count, torn = 0, sum(segment.torn_bytes for segment in segments)
    with store.db.write() as tx:
        for found, wasted in _decoded(segments, decode_labels):
            torn += wasted
            if found is not None:
                model, received_at, labels = found
                add_labels(tx, model, received_at, labels)
                count += len(labels)
        _take(tx, segments)
    return Collected(labels=count, segments=len(segments), torn_bytes=torn)


# ---------------------------------------------------------------------------------------------- predictions


class _Merged(Exception):
    """Another process merged a chunk that this one was about to merge."""


def _put_predictions(store: Store, segments: list[_Segment]) -> Collected:
    tables, torn = _tables(segments)
    for attempt in range(_ATTEMPTS):
        try:
            _write(store, segments, tables, merging=attempt < _ATTEMPTS - 1)
            break
        except _Merged:
            continue
    count = sum(table.num_rows for _, table in tables)
    return Collected(predictions=count, segments=len(segments), torn_bytes=torn)


def _tables(segments: list[_Segment]) -> tuple[list[tuple[_Release, pa.Table]], int]:
    """Return the predictions of each release, in tables that are not too big, and how many bytes were torn."""
    from .chunks import Builder

    torn = sum(segment.torn_bytes for segment in segments)
    builders: dict[_Release, Builder] = defaultdict(Builder)
    tables: list[tuple[_Release, pa.Table]] = []
    for batches, wasted in _decoded(segments, decode_batches):
        torn += wasted
        for model, number, package, at, entries in batches or ():
            release = (model, number, package)
            builders[release].add(at, entries)
            if builders[release].size_bytes >= _CHUNK_BYTES:
                tables.append((release, builders.pop(release).table()))
    tables += [(release, builder.table()) for release, builder in builders.items()]
    return [(release, table) for release, table in tables if table.num_rows], torn


def _write(store: Store, segments: list[_Segment], tables: list[tuple[_Release, pa.Table]], *, merging: bool) -> None:
    """Write the predictions, merged with the small chunks before them, in one transaction.

    Raises:
        _Merged: when one of these is gone by now: nothing is written then.
    """
    # Compressed, and where they are big stored, before others have to wait for this transaction.
    made: list[tuple[dict[str, Any], list[str]]] = []
    for place, (release, table) in enumerate(tables):
        # Of several tables of one release, only the last is small enough to have others in it.
        last = all(other != release for other, _ in tables[place + 1 :])
        made.append(_made(store, release, table, merging=merging and last))
    with store.db.write() as tx:
        for row, merged in made:
            for chunk in merged:
                if not tx.execute("prediction_chunk_remove", id=chunk):
                    raise _Merged
            tx.execute("prediction_chunk_add", **row)
        _take(tx, segments)


def _made(store: Store, release: _Release, table: pa.Table, *, merging: bool) -> tuple[dict[str, Any], list[str]]:
    """Return the row of a chunk, and the ids of the chunks that it has in it.

    A chunk is merged when what comes behind it is at least half as long, so that there are never more than a dozen
    small ones of a release, and a prediction is written again a dozen times at most.
    """
    from . import chunks

    model, number, package = release
    tables, merged, count = [table], list[str](), table.num_rows
    if merging:
        for row in store.db.all("prediction_chunk_small", model=model, release=number, package=package):
            if row["count"] > 2 * count or row["codec"] != chunks.CODEC:
                break
            found = store.db.one("prediction_chunk_data", id=row["id"])
            if found is None:
                raise _Merged
            tables.append(chunks.decode(found["codec"], found["data"]))
            merged.append(row["id"])
            count += row["count"]
    whole = chunks.join(tables) if merged else table
    data = chunks.encode(whole)
    blob = store.blobs.put_bytes(data) if len(data) >= _BLOB_BYTES else ""
    values = {"id": new_id(), "model": model, "release": number, "package": package, "codec": chunks.CODEC}
    return {
        **values,
        **chunks.span(whole),
        "size_bytes": len(data),
        "blob": blob,
        "data": b"" if blob else data,
    }, merged
