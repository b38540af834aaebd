"""Opens a store: the records and the blobs of one project.

There is always a folder, for what belongs to one machine: journals, what is served, locks, and the blobs or a cache of
them. The records are in a file of it, or in PostgreSQL where `PLUSONE_STORE` or the project names one; the blobs are
below it, or in a bucket where `PLUSONE_BLOBS` or the project names one.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..base.config import Project
from ..base.errors import ConfigError, NoStore, StoreError
from ..blobs.blobs import Blobs
from .database import Database
from .sqlite import SqliteDatabase

__all__ = ["Store", "open_blobs", "open_project", "open_store"]

_DATABASE = "PLUSONE_STORE"
_BLOBS = "PLUSONE_BLOBS"


class Store:
    """The records (`db`) and the blobs of one project.

    Attributes:
        folder: where the control process and the workers keep their files, and journals, locks and caches lie.
        db: named queries and transactions.
        blobs: bytes by digest.
        environment: the variables that lead a child process to the same store, beside the folder. They may hold a
            password: they are for no command line, log or record.
    """

    def __init__(self, folder: Path, db: Database, blobs: Blobs, environment: dict[str, str]) -> None:
        self.folder = folder
        self.db = db
        self.blobs = blobs
        self.environment = environment

    def again(self) -> Store:
        """Return the same store with connections of its own: a fork must not use those of its parent."""
        database, bucket = (self.environment.get(name, "") for name in (_DATABASE, _BLOBS))
        return open_store(self.folder, database=database, blobs=bucket, create=False)

    def close(self) -> None:
        """Close the database connections; a later call on this store fails."""
        self.db.close()


def open_project(project: Project, *, create: bool = True) -> Store:
    """Return the store of a project, wherever its settings say that it is.

    Raises:
        ConfigError, StoreError: as `open_store`.
    """
    return open_store(project.store, database=project.database, blobs=project.blobs, create=create)


def open_store(folder: Path, *, database: str | None = None, blobs: str | None = None, create: bool = True) -> Store:
    """Return the store in `folder`, made and migrated if needed.

    Args:
        database: the address of the records, `postgresql://...`; empty: a file in the folder; None: what
            `PLUSONE_STORE` says if that is an address, else the file.
        blobs: the address of the blobs, `s3://bucket/prefix`; empty: below the folder; None: what `PLUSONE_BLOBS` says.
        create: whether to make one that is not there.

    Raises:
        ConfigError: when an address can't be used, or what it needs is not installed.
        StoreError: when the folder can't be made or read, the database or the bucket can't be reached, it was made by a
            newer plusone, or, with `create=False`, does not exist.
    """
    if database is None:
        named = os.environ.get(_DATABASE, "")
        database = named if "://" in named else ""
    bucket = _bucket_address(blobs)
    if not create and not database and not (folder / "plusone.db").exists():
        raise NoStore(f"There is no store in {folder}.", mend="plusone release  (makes it with the first release)")
    if not database and not (folder / "plusone.db").exists() and any((folder / "blobs").glob("*/*")):
        # A new one would hide that the records are gone, and be in the way of who puts them back.
        raise StoreError(
            f"The records of the store are gone: {folder / 'plusone.db'} is not there, and the blobs beside it are.",
            mend=f"put it back with -wal and -shm, perhaps from a backup; to begin anew: mv {folder} {folder}.old",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
    except OSError as error:
        raise StoreError(f"The store's folder {folder} can't be made: {error}.") from error
    db = _open_database(folder, database, create)
    try:
        found = open_blobs(folder / "blobs", bucket)
    except BaseException:
        db.close()
        raise
    environment = {_DATABASE: database, _BLOBS: bucket}
    return Store(folder, db, found, {name: value for name, value in environment.items() if value})


def open_blobs(folder: Path, address: str | None = None) -> Blobs:
    """Return the blobs in `folder`, or those of a bucket with `folder` as their cache.

    Args:
        address: as `blobs` of `open_store`.

    Raises:
        ConfigError: when the address can't be used, or what it needs is not installed.
    """
    bucket = _bucket_address(address)
    if not bucket:
        return Blobs(folder)
    from ..blobs.buckets import Bucket

    return Blobs(folder, Bucket(bucket))


def _bucket_address(given: str | None) -> str:
    return os.environ.get(_BLOBS, "") if given is None else given


def _open_database(folder: Path, address: str, create: bool) -> Database:
    if not address:
        return SqliteDatabase(folder / "plusone.db")
    scheme = address.partition("://")[0]
    if scheme not in ("postgresql", "postgres"):
        raise ConfigError(
            f"No store is known at an address that begins with {scheme}://.",
            mend="PLUSONE_STORE=postgresql://USER@HOST:PORT/DATABASE, or a folder",
        )
    from .postgres import PostgresDatabase

    return PostgresDatabase(address, create=create)
