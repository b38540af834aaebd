"""SQLite in WAL mode: one writer per process, readers that never wait for it.

Queries are named in `sql/*.sql` and always bound. `database.py` says what a database promises.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import BrokenRule, StoreError, UsageError
from .database import Database, Transaction
from .migrate import migrate
from .queries import queries

# The contract is exported as well: whoever has a store of SQLite at hand needs no second import.
__all__ = ["Database", "SqliteDatabase", "SqliteTransaction", "Transaction"]

_BUSY_TIMEOUT_S = 60.0
_LOOK_AGAIN_S = 0.005
_CACHE_KIB = 16 * 1024
_MAGIC = b"SQLite format 3\x00"


class SqliteTransaction(Transaction):
    """One write transaction of a `SqliteDatabase`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection
        self.broken = False

    def end(self) -> None:
        """Make every later call fail: outside of its block a write would belong to no transaction."""
        self._connection = None

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError("This transaction has ended: expected its queries inside of the `with` block.")
        if self.broken:
            raise StoreError("This transaction has ended: a write in it broke a rule of the schema.")
        return self._connection

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query, as dicts."""
        return _run(self._open, query, values).fetchall()

    def execute(self, query: str, **values: Any) -> int:
        """Run the named write and return the number of rows it changed."""
        try:
            return _run(self._open, query, values).rowcount
        except BrokenRule:
            self.broken = True
            raise

    def execute_each(self, text: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a write that this room made, once for each of `rows`."""
        with _broken_rules("of several rows"):
            self._open.executemany(text, rows)


class SqliteDatabase(Database):
    """One SQLite file.

    Attributes:
        path: the file.
        dialect: what its SQL is called; `search.py` asks.

    Threads may share it: each reads by a connection that no other one uses meanwhile; writes take turns. Other
    processes may use the file at the same time: a writer waits up to 60 s for another's transaction. When the file is
    removed every call fails, and nothing is written where nobody would find it; one that takes its place is opened.

    Raises:
        StoreError: when the file can't be opened, is damaged, or was made by a newer plusone.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._closed = False
        self._opened: list[sqlite3.Connection] = []
        self._readers: deque[sqlite3.Connection] = deque()
        self._writer_lock = threading.RLock()
        self._poller_lock = threading.Lock()
        self._poller: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """Device and inode of the file that the connections have open."""
        self._files = 0
        """How many files were opened one after the other."""
        try:
            with _store_errors(path):
                self._writer = self._connect()
                self._applied = migrate(self._writer, path)
            self._file = self._found()
        except BaseException:
            self.close()
            raise

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query as dicts, as of the last commit."""
        with _store_errors(self.path), self._reader() as connection:
            return _run(connection, query, values).fetchall()

    def select(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every row of a query that this room made (`search.py`): its text has no value of the caller's."""
        with _store_errors(self.path), self._reader() as connection:
            return connection.execute(text, values).fetchall()

    def version(self) -> int:
        """Return a number that changes whenever another connection commits; costs microseconds, for polling."""
        with _store_errors(self.path), self._poller_lock:
            self._check_file()
            # Always the same connection: the number means nothing to another one.
            if self._poller is None or self._closed:
                self._poller = self._connect()
            version = int(self._poller.execute("PRAGMA data_version").fetchone()["data_version"])
            return (self._files << 32) + version

    @contextlib.contextmanager
    def write(self) -> Iterator[SqliteTransaction]:
        """Give a transaction: committed and synced to disk when the block ends, undone when it raises.

        Raises:
            StoreError: when this thread is in a transaction already, or the disk is full: nothing was written then.
        """
        with self._writer_lock, _store_errors(self.path):
            self._check_open()
            if self._writer.in_transaction:
                raise StoreError("This thread is in a transaction already: expected one at a time, they do not nest.")
            self._check_file()
            self._writer.execute("BEGIN IMMEDIATE")
            transaction = SqliteTransaction(self._writer)
            try:
                yield transaction
                transaction.end()
                if transaction.broken:
                    raise StoreError("A write in this transaction broke a rule of the schema: nothing of it was kept.")
                self._check_file()  # what would be committed to a file that was removed is lost
                with _broken_rules("at the end of the transaction"):
                    self._writer.execute("COMMIT")
            except BaseException:
                transaction.end()
                # After some errors, a full disk for one, SQLite has undone it by itself.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def migrate(self, *, only_before: bool = False) -> list[str]:
        """Return what opening has applied: a file is brought to this code's schema when it is opened."""
        return list(self._applied)

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table."""
        found: dict[str, list[str]] = {}
        text = (
            "SELECT m.name AS name, c.name AS part FROM sqlite_master m, pragma_table_info(m.name) c "
            "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2"
        )
        for row in self.select(text, {}):
            found.setdefault(row["name"], []).append(row["part"])
        return {name: tuple(columns) for name, columns in found.items()}

    def faults(self) -> list[str]:
        """Return what SQLite's own checks find: damaged pages and indexes, references to nothing."""
        found = [row["integrity_check"] for row in self.select("PRAGMA integrity_check", {})]
        lost = self.select("PRAGMA foreign_key_check", {})
        return [text for text in found if text != "ok"] + [
            f"row {row['rowid']} of {row['table']} refers to a row of {row['parent']} that is not there" for row in lost
        ]

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for connection in self._opened:
            connection.close()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        self._check_open()
        self._check_file()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._readers.append(connection)

    def _found(self) -> tuple[int, int]:
        try:
            stat = os.stat(self.path)
        except FileNotFoundError:
            raise StoreError(
                f"The store {self.path} is gone: its file was removed while it was in use.",
                mend="put the file back, with those beside it (-wal, -shm); what waits to be stored waits for it",
            ) from None
        return stat.st_dev, stat.st_ino

    def _check_file(self) -> None:
        """See that the connections are to the file that is there; open another one that has taken its place."""
        found = self._found()
        if found == self._file:
            return
        with self._writer_lock:
            if found == self._file:
                return
            if self._writer.in_transaction:
                raise StoreError(f"The store {self.path} was replaced during a transaction: nothing of it was kept.")
            with self.path.open("rb") as stream:
                if stream.read(len(_MAGIC)) != _MAGIC:  # looked at here: SQLite would make a store of an empty file
                    raise sqlite3.DatabaseError("the file that has taken its place is no database")
            writer = self._connect()
            self._applied = migrate(writer, self.path)
            # The old connections may be in use by other threads: they are closed with this object.
            self._writer, self._readers, self._poller = writer, deque(), None
            self._file = found
            self._files += 1

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
        with _broken_rules(query):
            return connection.execute(queries()[query], values)
    except (UnicodeEncodeError, OverflowError) as error:
        raise UsageError(
            f"A value of the query {query!r} can't be stored: {error}.",
            mend="expected text that is valid Unicode, and integers of 64 bits",
        ) from None


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


@contextlib.contextmanager
def _broken_rules(query: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise BrokenRule(f"The write {query!r} breaks a rule of the store: {error}.") from error


@contextlib.contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        # A fault in our own code: the store is in order.
        raise
    except sqlite3.OperationalError as error:
        raise StoreError(f"The store {path} can't be used just now: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"The store {path} is damaged or no plusone store: {error}.",
            mend="restore the folder from a backup, or move it away to begin with an empty one",
        ) from error
