"""Copies a whole store into another one: every table and every blob, from any backend to any.

What is there already is compared and not sent again, so that a copy that was interrupted goes on where it was.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ..base.errors import Conflict, StoreError
from .database import Database
from .opening import Store
from .schema import Table, expected_schema

__all__ = ["Copied", "copy_store"]

OnProgress = Callable[[str, int, int], object]
"""Is told what is done, how much of it, and of how much."""

_NOT_COPIED = ("migration", "copying")
_ROWS = 500
_ROWS_OF_CHUNKS = 50  # a chunk may be a megabyte
_AT_ONCE = 4


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy has brought over.

    Attributes:
        rows: of each table, how many rows there are now in both.
        new_rows: how many were written by this call, the others were there.
        blobs: how many blobs there are now in both.
        new_blobs: how many were sent by this call, of `new_bytes` together.
    """

    source: str
    target: str
    rows: dict[str, int]
    new_rows: int
    blobs: int
    new_blobs: int
    new_bytes: int


def copy_store(source: Store, target: Store, *, on_progress: OnProgress) -> Copied:
    """Copy all records and blobs of `source` into `target`, which is empty or holds an unfinished copy of it.

    Nobody may write to either meanwhile; what somebody did is found, and said.

    Raises:
        Conflict: when the target is in use, or the source was changed while it was copied.
        StoreError: when one of the two can't be read or written: call it again to go on.
    """
    tables = _tables(source.db, target.db)
    _begin(source, target, tables)
    seen = source.db.version()
    # Blobs first: a record never names bytes that are not there.
    new_blobs, new_bytes, blobs = _copy_blobs(source, target, on_progress)
    new_rows = sum(_copy_table(source.db, target.db, table, tables[table], on_progress) for table in tables)
    if source.db.version() != seen:
        raise Conflict(
            f"The store {source.db.name} was written while it was copied.",
            mend="stop what writes to it (plusone up, releases, runs), then the same command once more: it goes on",
        )
    rows = {table: _count(source.db, table) for table in tables}
    for table, count in rows.items():
        if (found := _count(target.db, table)) != count:
            raise StoreError(
                f"The copy has {found} rows in the table {table}, and {source.db.name} has {count}: expected as many.",
                mend="copy into an empty store: something else has written to this one, or rows were removed meanwhile",
            )
    with target.db.write() as tx:
        tx.execute("copying_end")
    return Copied(
        source=source.db.name, target=target.db.name, rows=rows, new_rows=new_rows, blobs=blobs, new_blobs=new_blobs,
        new_bytes=new_bytes,
    )  # fmt: skip


def _tables(source: Database, target: Database) -> dict[str, Table]:
    """Return the tables to copy, each after those that it refers to; both stores have this code's schema."""
    expected = expected_schema()
    for db in (source, target):
        if db.tables() != {name: table.columns for name, table in expected.items()}:
            raise StoreError(f"The store {db.name} has not the schema of this plusone.", mend="plusone store migrate")
    order = graphlib.TopologicalSorter({name: table.parents for name, table in expected.items()}).static_order()
    return {name: expected[name] for name in order if name not in _NOT_COPIED}


def _begin(source: Store, target: Store, tables: Collection[str]) -> None:
    name = source.db.name
    under_way = target.db.one("copying_get")
    if under_way is None:
        used = [table for table in tables if _count(target.db, table) > (table == "experiment")]
        if used or next(target.blobs.list(), None):
            what = f"its table {used[0]} has rows" if used else "it has blobs"
            raise Conflict(
                f"The store {target.db.name} is not empty: {what}.",
                mend="name an empty one: a folder, a database or a schema that is not there yet, and a new prefix",
            )
    elif under_way["source"] != name:
        raise Conflict(
            f"The store {target.db.name} holds an unfinished copy of {under_way['source']}, not of {name}.",
            mend="go on with that one, or name an empty store",
        )
    with target.db.write() as tx:
        tx.execute("copying_begin", source=name)


# ------------------------------------------------------------------------------------------------------- records


def _copy_table(source: Database, target: Database, name: str, table: Table, on_progress: OnProgress) -> int:
    """Copy the rows that are missing or other in the target; return how many these were."""
    total, done, new = _count(source, name), 0, 0
    add = _add(name, table)
    for rows in _batches(source, name, table):
        there = {_at(row, table): _plain(row) for row in _between(target, name, table, rows[0], rows[-1])}
        other = [row for row in map(_plain, rows) if there.get(_at(row, table)) != row]
        if other:
            with target.write() as tx:
                tx.execute_each(add, other)
        new += len(other)
        done += len(rows)
        on_progress(name, done, total)
    return new


def _batches(db: Database, name: str, table: Table) -> Iterator[list[dict[str, Any]]]:
    """Give all rows in the order of the key, each batch read where the one before ended."""
    order = ", ".join(table.key)
    count = _ROWS_OF_CHUNKS if "points" in table.columns else _ROWS
    start = f"SELECT {', '.join(table.columns)} FROM {name}"  # noqa: S608  names of our own schema
    text = f"{start} ORDER BY {order} LIMIT {count}"
    values: dict[str, Any] = {}
    while rows := db.select(text, values):
        yield rows
        text = f"{start} WHERE ({order}) > ({_places('last', table)}) ORDER BY {order} LIMIT {count}"
        values = _values("last", table, rows[-1])


def _between(
    db: Database, name: str, table: Table, first: dict[str, Any], last: dict[str, Any]
) -> list[dict[str, Any]]:
    key = ", ".join(table.key)
    text = (
        f"SELECT {', '.join(table.columns)} FROM {name} "  # noqa: S608  names of our own schema
        f"WHERE ({key}) >= ({_places('first', table)}) AND ({key}) <= ({_places('last', table)})"
    )
    return db.select(text, _values("first", table, first) | _values("last", table, last))


def _add(name: str, table: Table) -> str:
    columns, key = table.columns, table.key
    changed = ", ".join(f"{part} = excluded.{part}" for part in columns if part not in key)
    return (
        f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(f':{part}' for part in columns)}) "  # noqa: S608  as above
        f"ON CONFLICT ({', '.join(key)}) DO {f'UPDATE SET {changed}' if changed else 'NOTHING'}"
    )


def _places(prefix: str, table: Table) -> str:
    return ", ".join(f":{prefix}_{part}" for part in table.key)


def _values(prefix: str, table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{part}": row[part] for part in table.key}


def _at(row: dict[str, Any], table: Table) -> tuple[Any, ...]:
    return tuple(row[part] for part in table.key)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    # NaN is not equal to itself; as text both databases take it.
    return {name: "nan" if value != value else value for name, value in row.items()}


def _count(db: Database, table: str) -> int:
    return int(db.select(f"SELECT count(*) AS n FROM {table}", {})[0]["n"])  # noqa: S608  a name of our own schema


# ------------------------------------------------------------------------------------------------------- blobs


def _copy_blobs(source: Store, target: Store, on_progress: OnProgress) -> tuple[int, int, int]:
    """Send the blobs that are missing; return how many, of how many bytes, and how many there are now."""
    there = {blob.digest: blob.size_bytes for blob in target.blobs.list()}
    wanted = {blob.digest: blob.size_bytes for blob in source.blobs.list()}
    missing = [digest for digest, size in wanted.items() if there.get(digest) != size]
    total = sum(wanted[digest] for digest in missing)
    done = 0

    def send(digest: str) -> str:
        return target.blobs.put_file(source.blobs.verify(digest))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for digest, sent in zip(missing, pool.map(send, missing), strict=True):
            if sent != digest:
                raise StoreError(f"The blob {digest} was changed while it was copied: {sent} was sent.")
            done += wanted[digest]
            on_progress("bytes of blobs", done, total)
    now = sum(1 for blob in target.blobs.list() if blob.digest in wanted)
    if now != len(wanted):
        raise StoreError(f"The copy has {now} blobs, and {source.db.name} has {len(wanted)}: expected as many.")
    return len(missing), total, now
