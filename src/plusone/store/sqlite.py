"""SQLite in WAL mode: one writer per process, readers that never wait for it.

Queries are named in `sql/*.sql` and always bound.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import StoreError, UsageError
from .migrate import migrate
from .queries import queries

__all__ = ["Database", "Transaction"]

_BUSY_TIMEOUT_S = 60.0
_LOOK_AGAIN_S = 0.005
_CACHE_KIB = 16 * 1024


class Transaction:
    """One write transaction: what it wrote is seen by others all at once, when it ends without an error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection

    def end(self) -> None:
        """Make every later call fail: outside of its block a write would belong to no transaction."""
        self._connection = None

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError("This transaction has ended: expected its queries inside of the `with` block.")
        return self._connection

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query, as dicts."""
        return _run(self._open, query, values).fetchall()

    def one(self, query: str, **values: Any) -> dict[str, Any] | None:
        """Return the first row of the named query, or None."""
        rows = self.all(query, **values)
        return rows[0] if rows else None

    def execute(self, query: str, **values: Any) -> int:
        """Run the named write and return the number of rows it changed."""
        return _run(self._open, query, values).rowcount


class Database:
    """One SQLite file.

    Attributes:
        dialect: what its SQL is called; `search.py` asks.

    Threads may share it: each reads by a connection that no other one uses meanwhile; writes take turns. Other
    processes may use the file at the same time: a writer waits up to 60 s for another's transaction.

    Raises:
        StoreError: when the file can't be opened, is damaged, or was made by a newer plusone.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._opened: list[sqlite3.Connection] = []
        self._readers: deque[sqlite3.Connection] = deque()
        self._writer_lock = threading.RLock()
        self._poller_lock = threading.Lock()
        self._poller: sqlite3.Connection | None = None
        try:
            with _store_errors(path):
                self._writer = self._connect()
                migrate(self._writer, path)
        except BaseException:
            self.close()
            raise

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query as dicts, as of the last commit."""
        with _store_errors(self.path), self._reader() as connection:
            return _run(connection, query, values).fetchall()

    def one(self, query: str, **values: Any) -> dict[str, Any] | None:
        """Return the first row of the named query as a dict, or None."""
        rows = self.all(query, **values)
        return rows[0] if rows else None

    def select(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every row of a query that this room made (`search.py`): its text has no value of the caller's."""
        with _store_errors(self.path), self._reader() as connection:
            return connection.execute(text, values).fetchall()

    def version(self) -> int:
        """Return a number that changes whenever another connection commits; costs microseconds, for polling."""
        with _store_errors(self.path), self._poller_lock:
            # Always the same connection: the number means nothing to another one.
            if self._poller is None or self._closed:
                self._poller = self._connect()
            return int(self._poller.execute("PRAGMA data_version").fetchone()["data_version"])

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Give a transaction: committed and synced to disk when the block ends, undone when it raises.

        Raises:
            StoreError: when this thread is in a transaction already, or the disk is full: nothing was written then.
        """
        with self._writer_lock, _store_errors(self.path):
            self._check_open()
            if self._writer.in_transaction:
                raise StoreError("This thread is in a transaction already: expected one at a time, they do not nest.")
            self._writer.execute("BEGIN IMMEDIATE")
            transaction = Transaction(self._writer)
            try:
                yield transaction
                transaction.end()
                self._writer.execute("COMMIT")
            except BaseException:
                transaction.end()
                # After some errors, a full disk for one, SQLite has undone it by itself.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for connection in self._opened:
            connection.close()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        self._check_open()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._readers.append(connection)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The store {self.path} was closed by this process.")

    def _connect(self) -> sqlite3.Connection:
        self._check_open()
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._opened.append(connection)
        connection.row_factory = _as_dict
        _use_wal(connection)
        # FULL, not NORMAL: a decision that was acknowledged must also outlive a power cut, and writes are few.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # The indexes of a large store fit, without which a search reads the same pages again and again.
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    end = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Here SQLite does not wait by itself, when two processes make one file at the same time.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def _run(connection: sqlite3.Connection, query: str, values: dict[str, Any]) -> sqlite3.Cursor:
    try:
        return connection.execute(queries()[query], values)
    except (UnicodeEncodeError, OverflowError) as error:
        raise UsageError(
            f"A value of the query {query!r} can't be stored: {error}.",
            mend="expected text that is valid Unicode, and integers of 64 bits",
        ) from None


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


@contextlib.contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        # A broken rule of the schema, or a fault in our own code: the store is in order.
        raise
    except sqlite3.OperationalError as error:
        raise StoreError(f"The store {path} can't be used just now: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"The store {path} is damaged or no plusone store: {error}.",
            mend="restore the folder from a backup, or move it away to begin with an empty one",
        ) from error
