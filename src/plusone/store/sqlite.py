"""SQLite in WAL mode: one writer per process, readers that never wait for it.

Queries are named in `sql/*.sql` and always bound.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..base.errors import StoreError
from .migrate import migrate
from .queries import queries

__all__ = ["Database", "Transaction"]

_BUSY_TIMEOUT_S = 60.0


class Transaction:
    """One write transaction: what it wrote is seen by others all at once, when it ends without an error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query, as dicts."""
        return _rows(self._connection, query, values)

    def one(self, query: str, **values: Any) -> dict[str, Any] | None:
        """Return the first row of the named query, or None."""
        rows = _rows(self._connection, query, values)
        return rows[0] if rows else None

    def execute(self, query: str, **values: Any) -> int:
        """Run the named write and return the number of rows it changed."""
        return self._connection.execute(queries()[query], values).rowcount


class Database:
    """One SQLite file.

    Threads may share it: each reads by a connection of its own; writes take turns. Other processes may use the file at
    the same time: a writer waits up to 60 s for another's transaction.

    Raises:
        StoreError: when the file can't be opened, is damaged, or was made by a newer plusone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writer_lock = threading.RLock()
        with _store_errors(path):
            self._writer = self._connect()
            migrate(self._writer, path)

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query as dicts, as of the last commit."""
        with _store_errors(self.path):
            return _rows(self._reader(), query, values)

    def one(self, query: str, **values: Any) -> dict[str, Any] | None:
        """Return the first row of the named query as a dict, or None."""
        rows = self.all(query, **values)
        return rows[0] if rows else None

    def version(self) -> int:
        """Return a number that changes whenever another connection commits; costs microseconds, for polling."""
        with _store_errors(self.path):
            return int(self._reader().execute("PRAGMA data_version").fetchone()["data_version"])

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Give a transaction: committed and synced to disk when the block ends, undone when it raises."""
        with self._writer_lock, _store_errors(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._writer)
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def close(self) -> None:
        """Close every connection."""
        for connection in self._opened:
            connection.close()

    def _reader(self) -> sqlite3.Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._opened.append(connection)
        connection.row_factory = _as_dict
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL, not NORMAL: a decision that was acknowledged must also outlive a power cut, and writes are few.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _rows(connection: sqlite3.Connection, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    return connection.execute(queries()[query], values).fetchall()


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


@contextlib.contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        raise StoreError(f"The store {path} can't be used just now: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"The store {path} is damaged or no plusone store: {error}.",
            mend="restore the folder from a backup, or move it away to begin with an empty one",
        ) from error
