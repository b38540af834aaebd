"""The backends that the contract tests run on. Another one is one more entry of `BACKENDS`: how a store is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plusone.store import Store, open_store
from tests.contracts.servers import schema_address

__all__ = ["BACKENDS", "NEED_SERVERS", "Open"]

Open = Callable[[Path], Store]


def on_servers(folder: Path) -> Store:
    """Open the store of PostgreSQL and S3 that goes with a folder."""
    database, blobs = schema_address(folder)
    return open_store(folder, database=database, blobs=blobs)


BACKENDS: dict[str, Open] = {"sqlite-and-disk": open_store, "postgresql-and-s3": on_servers}
NEED_SERVERS = {"postgresql-and-s3"}
