"""PostgreSQL: one writer at a time over all processes, readers that never wait for it.

Queries are the named ones in `sql/*.sql`, translated when they are first used, and always bound. `database.py` says
what a database promises. The driver, psycopg, is imported when such a store is opened and not before.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from ..base import clock
from ..base.errors import BrokenRule, ConfigError, NoStore, StoreError, UsageError
from .database import Database, Transaction
from .migrate import migrations
from .queries import for_postgres, queries
from .schema import postgres_text

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresDatabase", "PostgresTransaction", "masked"]

_TURN_S = 60
_CONNECT_S = 10
_IDLE_READERS = 4
# A peer that is gone without a word, a machine without power for one, is noticed after a minute by both ends: its
# transaction would hold up all writers.
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_AT_START = (
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; "
    f"SET lock_timeout = '{_TURN_S}s'; SET client_min_messages = warning; SET standard_conforming_strings = on; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
# PostgreSQL's text has no NUL. It is written as the last character of Unicode's private use and a digit, and so is that
# character itself.
_MARK = "\U0010fffd"
_SECRET = re.compile(r"(?<=password=)[^&]*")
_PYTHON_INT = 2**63


def masked(url: str) -> str:
    """Return the address of a database without its password, for messages and records."""
    head, sep, rest = url.partition("://")
    place, mark, options = rest.partition("?")
    # Up to the last '@': a password may hold one that nobody quoted.
    user, at, host = place.rpartition("@")
    name, colon, _ = user.partition(":")
    return head + sep + name + (":***" if colon else "") + at + host + mark + _SECRET.sub("***", options)


def _check_address(url: str) -> None:
    """Refuse what libpq would read in another way and repeat in its errors, with pieces of the password."""
    place = url.partition("://")[2].partition("?")[0]
    if "@" in place.partition("/")[2] or place.partition("/")[0].count("@") > 1:
        raise ConfigError(
            f"{masked(url)} is no address of a database: its password has characters that must be quoted.",
            mend="write %40 for '@', %2F for '/', %3A for ':', or leave the password out and set PGPASSWORD",
        )


class PostgresTransaction(Transaction):
    """One write transaction of a `PostgresDatabase`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection: psycopg.Connection[Any] | None = connection
        self.broken = False

    def end(self) -> None:
        """Make every later call fail: outside of its block a write would belong to no transaction."""
        self._connection = None

    @property
    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            raise StoreError("This transaction has ended: expected its queries inside of the `with` block.")
        if self.broken:
            raise StoreError("This transaction has ended: a write in it broke a rule of the schema.")
        return self._connection

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query, as dicts."""
        with self._watched():
            return _rows(_run(self._open, query, values))

    def execute(self, query: str, **values: Any) -> int:
        """Run the named write and return the number of rows it changed."""
        with self._watched():
            return _run(self._open, query, values).rowcount

    def execute_each(self, text: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a write that this room made, once for each of `rows`, in one round trip."""
        query, names = for_postgres(text)
        values = [_bind(names, row, "of several rows") for row in rows]
        with self._watched(), _driver_errors("of several rows"):
            self._open.cursor(binary=True).executemany(query.encode(), values)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except BrokenRule:
            self.broken = True
            raise


class PostgresDatabase(Database):
    """One schema of a PostgreSQL database: the first of the connection's search path.

    Threads may share it: each reads by a connection that no other one uses meanwhile; writes take turns by an advisory
    lock. After the server was restarted the next call connects anew.

    Args:
        url: `postgresql://user:password@host:port/database?option=...`, as libpq reads it. What it leaves out comes
            from libpq's variables (PGPASSWORD, ...) and from `~/.pgpass`.
        create: whether to make the tables in a database that has none.
        as_it_is: whether to open it whatever its schema is, to migrate it.

    Raises:
        ConfigError: when psycopg is not installed or the address is none.
        StoreError: when the server can't be reached, or its schema is not that of this code.
    """

    dialect = "postgresql"

    def __init__(self, url: str, *, create: bool = True, as_it_is: bool = False) -> None:
        _check_address(url)
        self.name = masked(url)
        self._url = url
        self._driver = _load_driver()
        self._closed = False
        self._readers: deque[psycopg.Connection[Any]] = deque()
        self._writer: psycopg.Connection[Any] | None = None
        self._writer_lock = threading.RLock()
        self._writing = False
        try:
            if not as_it_is:
                self._check_schema(create)
        except BaseException:
            self.close()
            raise

    def all(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return every row of the named query as dicts, as of the last commit."""
        return self._read(lambda connection: _rows(_run(connection, query, values)))

    def select(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every row of a query that this room made: its text has no value of the caller's."""
        query, names = for_postgres(text)
        bound = _bind(names, values, "of a search")
        return self._read(lambda connection: _rows(_send(connection, query, bound, "of a search")))

    def version(self) -> int:
        """Return a number that changes with every commit; costs one round trip."""
        return int(self.all("commit_version")[0]["version"])

    @contextlib.contextmanager
    def write(self) -> Iterator[PostgresTransaction]:
        """Give a transaction: committed when the block ends, undone when it raises."""
        with self._writer_lock, self._store_errors():
            self._check_open()
            if self._writing:
                raise StoreError("This thread is in a transaction already: expected one at a time, they do not nest.")
            connection = self._begin()
            self._writing = True
            transaction = PostgresTransaction(connection)
            try:
                yield transaction
                transaction.end()
                if transaction.broken:
                    raise StoreError("A write in this transaction broke a rule of the schema: nothing of it was kept.")
                _run(connection, "commit_add", {})
                self._commit(connection)
            except BaseException:
                transaction.end()
                with contextlib.suppress(self._driver.Error):
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    def migrate(self, *, only_before: bool = False) -> list[str]:
        """Bring the schema to that of this code, in one transaction; processes that start together take turns."""
        files = [file for file in migrations() if not only_before or file.stem.endswith("_before")]
        with self._writer_lock, self._store_errors():
            connection = self._begin()
            try:
                # Asked inside: another process may have been first.
                applied = self._applied(connection)
                self._check_not_newer(applied)
                if not applied:
                    self._check_empty(connection)
                    connection.execute(queries("postgres")["commit_counter"].encode())
                missing = [file for file in files if file.stem not in applied]
                for file in missing:
                    connection.execute(postgres_text(file).encode())
                    _run(connection, "migration_add", {"name": file.stem, "applied_at": clock.now()})
                if missing:
                    _run(connection, "commit_add", {})
                self._commit(connection)
            except BaseException:
                with contextlib.suppress(self._driver.Error):
                    connection.execute("ROLLBACK")
                raise
        return [file.stem for file in missing]

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table, without the counter of commits."""
        found: dict[str, list[str]] = {}
        for row in self.all("column_list"):
            found.setdefault(row["name"], []).append(row["part"])
        found.pop("commit_count", None)
        return {name: tuple(columns) for name, columns in found.items()}

    def faults(self) -> list[str]:
        """Return the rules of the schema that are not in force; the server sees to the others by itself."""
        return [f"{row['rule']} of the table {row['name']} {row['fault']}" for row in self.all("rule_list")]

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
        while self._readers:
            self._readers.pop().close()

    # ------------------------------------------------------------------------------------------------ the schema

    def _check_schema(self, create: bool) -> None:
        applied = self._read(self._applied)
        if not applied:
            if not create:
                raise NoStore(
                    f"There is no store in {self.name}.", mend="plusone release  (makes it with the first release)"
                )
            self.migrate()
            return
        self._check_not_newer(applied)
        # What comes after may be missing still, while older code is running; what comes before is needed.
        if missing := [f.stem for f in migrations() if f.stem.endswith("_before") and f.stem not in applied]:
            raise StoreError(
                f"The store {self.name} was made by an older plusone: it has not {', '.join(missing)}.",
                mend="plusone store migrate  (--before while older versions are in use)",
            )

    def _applied(self, connection: psycopg.Connection[Any]) -> set[str]:
        if not any(row["name"] == "migration" for row in _rows(_run(connection, "table_list", {}))):
            return set()
        return {row["name"] for row in _rows(_run(connection, "migration_list", {}))}

    def _check_not_newer(self, applied: set[str]) -> None:
        newer = sorted(applied - {file.stem for file in migrations()})
        # A migration's first half is made so that code that does not know it goes on; its second half is not.
        if any(not name.endswith("_before") for name in newer):
            raise StoreError(
                f"The store {self.name} was made by a newer plusone: it has {', '.join(newer)}, this code does not.",
                mend="pip install --upgrade plusone",
            )

    def _check_empty(self, connection: psycopg.Connection[Any]) -> None:
        found = [row["name"] for row in _rows(_run(connection, "table_list", {}))]
        if found:
            raise StoreError(
                f"The database {self.name} is another program's: it has the table {found[0]!r}, not 'migration'.",
                mend="name an empty database, or a schema of its own: ...?options=-csearch_path%3Dplusone",
            )

    # ------------------------------------------------------------------------------------------------ connections

    def _read(self, ask: Any) -> Any:
        with self._store_errors():
            for attempt in (1, 2):
                self._check_open()
                try:
                    # The last one used: it is the most likely to be alive.
                    connection = self._readers.pop()
                except IndexError:
                    connection = self._connect()
                try:
                    found = ask(connection)
                except self._driver.OperationalError:
                    # The server was restarted, say: a question can be asked again.
                    if not connection.broken or attempt == 2:
                        raise
                    self._drop_readers()
                else:
                    return found
                finally:
                    self._give_back(connection)
        raise AssertionError("not reached")

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        if connection.closed or self._closed or len(self._readers) >= _IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def _drop_readers(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._readers.pop().close()

    def _begin(self) -> psycopg.Connection[Any]:
        """Return the writing connection, in a transaction whose turn it is."""
        begin = f"BEGIN; {queries('postgres')['turn_take']}".encode()
        for attempt in (1, 2):
            if self._writer is None or self._writer.closed:
                self._writer = self._connect()
            try:
                self._writer.execute(begin)
                break
            except self._driver.OperationalError:
                # Nothing was written yet, so it can be begun again on another connection.
                if not self._writer.broken or attempt == 2:
                    with contextlib.suppress(self._driver.Error):
                        self._writer.execute("ROLLBACK")
                    raise
        return self._writer

    def _commit(self, connection: psycopg.Connection[Any]) -> None:
        with _driver_errors("at the end of the transaction"):
            try:
                connection.execute("COMMIT")
            except self._driver.OperationalError as error:
                raise StoreError(
                    f"The store {self.name} was lost while a transaction was ended: it may have been kept or not "
                    f"({self._said(error)}).",
                    mend="look whether it is there, with plusone status or plusone runs, before doing it again",
                ) from None

    def _connect(self) -> psycopg.Connection[Any]:
        self._check_open()
        try:
            connection = self._driver.connect(
                # Not prepared: a pooler between us and the server, and a migration while we run, are no trouble then.
                self._url, autocommit=True, prepare_threshold=None, connect_timeout=_CONNECT_S,
                application_name="plusone", client_encoding="utf8", **_KEEPALIVE,
            )  # fmt: skip
        except self._driver.ProgrammingError:
            # What libpq says of an address repeats pieces of it, and a piece may be the password.
            raise ConfigError(
                f"{self.name} is no address of a database.",
                mend="PLUSONE_STORE=postgresql://USER@HOST:PORT/DATABASE, what is no letter or digit as %XX",
            ) from None
        _adapt(connection)
        connection.execute(_AT_START)
        return connection

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The store {self.name} was closed by this process.")

    def _said(self, error: Exception) -> str:
        return " ".join(str(error).split()).replace(self._url, self.name).rstrip(".?")

    @contextlib.contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except self._driver.errors.LockNotAvailable:
            raise StoreError(
                f"The store {self.name} was written by another process for over {_TURN_S} s: the turn did not come."
            ) from None
        except self._driver.ProgrammingError as error:
            if error.sqlstate == "42501":
                raise StoreError(f"The store {self.name} refuses it: {self._said(error)}.") from None
            raise  # a fault in our own code: the store is in order
        except self._driver.OperationalError as error:
            raise StoreError(
                f"The store {self.name} can't be used just now: {self._said(error)}.",
                mend="see that the server runs and that PLUSONE_STORE names it, then: plusone store check",
            ) from None
        except self._driver.Error as error:
            raise StoreError(f"The store {self.name} answers with an error: {self._said(error)}.") from None


def _load_driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError(
            f"A store on PostgreSQL needs psycopg, which can't be imported: {error}.",
            mend="pip install 'plusone[postgres]'",
        ) from None
    return psycopg


def _adapt(connection: psycopg.Connection[Any]) -> None:
    """Make every integer one of 64 bits, whatever its size: the types of a query do not depend on its values then."""
    from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(int, Int8BinaryDumper)


@cache
def _query(name: str) -> tuple[str, tuple[str, ...]]:
    ours = queries("postgres")
    return for_postgres(ours[name] if name in ours else queries()[name])


def _run(connection: psycopg.Connection[Any], query: str, values: Mapping[str, Any]) -> psycopg.Cursor[Any]:
    text, names = _query(query)
    return _send(connection, text, _bind(names, values, query), query)


def _send(connection: psycopg.Connection[Any], text: str, values: Sequence[Any], query: str) -> psycopg.Cursor[Any]:
    with _driver_errors(query):
        return connection.cursor(binary=True).execute(text.encode(), values)


def _bind(names: Sequence[str], values: Mapping[str, Any], query: str) -> list[Any]:
    try:
        return [_as_bound(values[name]) for name in names]
    except (UnicodeEncodeError, OverflowError) as error:
        raise UsageError(
            f"A value of the query {query!r} can't be stored: {error}.",
            mend="expected text that is valid Unicode, and integers of 64 bits",
        ) from None


def _as_bound(value: Any) -> Any:
    if isinstance(value, str):
        value.encode()
        if "\0" in value or _MARK in value:
            value = value.replace(_MARK, _MARK + "1").replace("\0", _MARK + "0")
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, int) and not -_PYTHON_INT <= value < _PYTHON_INT:
        raise OverflowError(f"{value} has more than 64 bits")
    elif isinstance(value, float) and value != value:
        return None  # as SQLite has it; NaN that is to be kept is bound as text (`rows.py`)
    return value


def _rows(cursor: psycopg.Cursor[Any]) -> list[dict[str, Any]]:
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, map(_as_read, row), strict=True)) for row in cursor.fetchall()]


def _as_read(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value.replace(_MARK + "0", "\0").replace(_MARK + "1", _MARK) if _MARK in value else value
    if kind is bool:
        return int(value)
    if kind is Decimal:
        return int(value) if value == value.to_integral_value() else float(value)
    return value


@contextlib.contextmanager
def _driver_errors(query: str) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.IntegrityError as error:
        said = " ".join(str(error).split())
        raise BrokenRule(f"The write {query!r} breaks a rule of the store: {said}.") from None
    except psycopg.DataError as error:
        said = " ".join(str(error).split())
        raise UsageError(f"A value of the query {query!r} can't be stored: {said}.") from None
