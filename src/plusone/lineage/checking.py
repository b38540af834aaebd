"""Looks whether a store is in order: its schema, what the database finds by itself, and the blobs that records name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ..base.errors import BrokenArtifact, NotFound
from ..base.records import Code, Package
from ..store import Store
from ..store.schema import expected_schema

__all__ = ["Found", "OnProgress", "check_store", "named_blobs"]

OnProgress = Callable[[str, int, int], object]
"""Is told what is done, how much of it, and of how much (0: not known)."""

_AT_ONCE = 8
_QUERIES = {
    "dataset": "check_datasets",
    "run": "check_runs",
    "artifact": "check_artifacts",
    "release": "check_releases",
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looked at and what is wrong.

    Attributes:
        faults: a sentence each; empty when all is well.
        blobs: how many blobs are named by records.
        checked_bytes: how many bytes were read and digested.
    """

    store: str
    faults: tuple[str, ...]
    tables: int
    blobs: int
    checked_bytes: int = 0


def check_store(store: Store, *, deep: bool, on_progress: OnProgress, needed: Collection[str] | None = None) -> Found:
    """Look at all of a store and return what is wrong; nothing is changed.

    Args:
        deep: read every blob and compare it with its digest.
        needed: the blobs that must be there; None: all that a record names.
    """
    on_progress("schema", 0, 0)
    tables = store.db.tables()
    faults = [*_schema_faults(tables), *store.db.faults()]
    named = named_blobs(store, tables)
    wanted = [digest for digest in sorted(named) if needed is None or digest in needed]
    size = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looked = pool.map(lambda digest: _look(store, digest, deep), wanted)
        for place, (fault, count) in enumerate(looked):
            if fault:
                faults.append(f"{fault} It is {named[wanted[place]]}.")
            size += count
            on_progress("blobs", place + 1, len(wanted))
    return Found(store=store.db.name, faults=tuple(faults), tables=len(tables), blobs=len(wanted), checked_bytes=size)


def named_blobs(store: Store, tables: Collection[str]) -> dict[str, str]:
    """Return the digests that records name, and which record it is (of several, one)."""
    found: dict[str, str] = {}
    for digest, what in _named(store, tables):
        found.setdefault(digest, what)
    return found


def _schema_faults(tables: dict[str, tuple[str, ...]]) -> Iterator[str]:
    expected = {name: table.columns for name, table in expected_schema().items()}
    for name in sorted(expected.keys() - tables.keys()):
        yield f"The table {name} is missing."
    for name, columns in expected.items():
        if name in tables and (lost := sorted(set(columns) - set(tables[name]))):
            yield f"The table {name} has no column {', '.join(lost)}."


def _named(store: Store, tables: Collection[str]) -> Iterator[tuple[str, str]]:
    db = store.db

    def rows(table: str) -> list[dict[str, Any]]:
        return db.all(_QUERIES[table]) if table in tables else []

    for row in rows("dataset"):
        yield row["blob"], f"the content of the dataset {row['digest'][:12]}"
    for row in rows("run"):
        for name in ("log", "environment"):
            if row[name]:
                yield row[name], f"the {name} of the run {row['id']}"
        code = msgspec.json.decode(row["code"], type=Code | None) if row["code"] else None
        for path, digest in ((code.files | ({"the diff": code.diff} if code.diff else {})) if code else {}).items():
            yield digest, f"{path} in the code of the run {row['id']}"
    for row in rows("artifact"):
        yield row["blob"], f"the file {row['path']} of {row['owner']}"
    for row in rows("release"):
        name = f"{row['model']}@{row['number']}"
        yield row["digest"], f"the manifest of {name}"
        yield row["package"], f"the package of {name}"
        for path, digest in msgspec.json.decode(row["tests"], type=dict[str, str]).items():
            yield digest, f"{path} in the tests of {name}"
        try:
            package = msgspec.json.decode(store.blobs.get(row["package"]), type=Package)
        except (BrokenArtifact, NotFound, msgspec.MsgspecError):
            continue  # it is found missing or damaged itself
        for file in package.files:
            yield file.digest, f"the file {file.path} in the package of {name}"


def _look(store: Store, digest: str, deep: bool) -> tuple[str, int]:
    """Return what is wrong with a blob, '' for nothing, and how many bytes were read."""
    blobs = store.blobs
    size = 0
    try:
        if not deep:
            return ("" if blobs.has(digest) else f"The blob {digest} is missing."), 0
        # Where it lies, not the copy in a cache.
        with blobs.open(digest, cached=False) as stream:
            while piece := stream.read(1 << 20):
                size += len(piece)
    except (BrokenArtifact, NotFound) as error:
        return error.message, size
    return "", size
