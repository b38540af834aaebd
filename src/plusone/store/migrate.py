"""Brings a database file to the schema of this code: numbered SQL files, each applied once, in one transaction.

A migration is a pair: `NNNN_title_before.sql` is safe while the old code still runs (new tables, new columns),
`NNNN_title_after.sql` is applied when only the new code runs. One process on one machine has no old code beside it, so
both are applied in turn.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..base import clock
from ..base.errors import StoreError

__all__ = ["migrate", "migrations"]

_FOLDER = Path(__file__).parent / "sql" / "migrations"


def migrations() -> list[Path]:
    """Return the migration files in the order in which they are applied."""
    order = {"before": 0, "after": 1}
    return sorted(_FOLDER.glob("*.sql"), key=lambda file: (file.stem[:4], order[file.stem.rpartition("_")[2]]))


def migrate(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Apply what is missing and return its names.

    Raises:
        StoreError: when the file has a migration that this code does not know.
    """
    files = migrations()
    known = [file.stem for file in files]
    if _applied(connection) == set(known):
        return []
    connection.execute("BEGIN EXCLUSIVE")
    try:
        # Asked again inside: another process may have been first.
        applied = _applied(connection)
        if newer := sorted(applied - set(known)):
            raise StoreError(
                f"The store {path} was made by a newer plusone: it has {', '.join(newer)}, this code does not.",
                mend="pip install --upgrade plusone",
            )
        if not applied:
            _check_empty(connection, path)
        missing = [file for file in files if file.stem not in applied]
        for file in missing:
            _run(connection, file.read_text("utf-8"))
            connection.execute("INSERT INTO migration (name, applied_at) VALUES (?, ?)", (file.stem, clock.now()))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return [file.stem for file in missing]


def _applied(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migration'").fetchone()
    if found is None:
        return set()
    names = {row["name"] for row in connection.execute("SELECT name FROM migration")}
    if not all(isinstance(name, str) for name in names):
        raise sqlite3.DatabaseError("the names of its migrations are no text")
    return names


def _check_empty(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1").fetchone()
    if found is not None:
        raise StoreError(
            f"The file {path} is another program's database: it has the table {found['name']!r}, not 'migration'.",
            mend="move it away, or name another folder in [tool.plusone] store",
        )


def _run(connection: sqlite3.Connection, text: str) -> None:
    # executescript would commit the transaction we are in, so statements are run one by one.
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    if rest := [line for line in statement.splitlines() if line.strip() and not line.lstrip().startswith("--")]:
        raise ValueError(f"A migration ends in the middle of a statement: {rest[-1]!r}")
