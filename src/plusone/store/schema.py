"""The schema: what this code expects of it, and how PostgreSQL gets it: SQLite's migrations, translated word by word.

One text for both, so that they can't come apart: types by name, text sorted by code points, triggers as functions.
`sql/postgres/migrations/` may hold another text for a migration that is not to be translated.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from .sqlite import SqliteDatabase

__all__ = ["Table", "expected_schema", "postgres_text", "translate"]

_OTHERS = Path(__file__).parent / "sql" / "postgres" / "migrations"
_TYPES = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "BLOB": "BYTEA", "TEXT": 'TEXT COLLATE "C"'}
_WORDS = re.compile(
    r"(?P<keep>'(?:[^']|'')*'|--[^\n]*)|\bx'(?P<bytes>[0-9a-f]*)'|(?P<rowid>\s*\bWITHOUT ROWID\b)|\b(?P<type>"
    + "|".join(_TYPES)
    + r")\b"
)
_TRIGGER = re.compile(
    r"CREATE TRIGGER (?P<name>\w+) BEFORE (?P<what>UPDATE|DELETE) ON (?P<table>\w+) "
    r"BEGIN SELECT RAISE\(ABORT, (?P<message>'[^']*')\); END;"
)
_TRIGGER_HERE = (
    r"CREATE FUNCTION \g<name>() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    r"RAISE EXCEPTION \g<message> USING ERRCODE = 'integrity_constraint_violation'; END $$;\n"
    r"CREATE TRIGGER \g<name> BEFORE \g<what> ON \g<table> FOR EACH ROW EXECUTE FUNCTION \g<name>();"
)


class Table(NamedTuple):
    """A table: its columns in the order of their names, those of its key, and the tables that it refers to."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    parents: tuple[str, ...]


def expected_schema() -> dict[str, Table]:
    """Return the tables that this code knows: those of a store that was made just now."""
    text = (
        "SELECT m.name AS name, c.name AS part, c.pk AS place FROM sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table' ORDER BY 3"
    )
    links = (
        'SELECT DISTINCT m.name AS name, f."table" AS parent FROM sqlite_master m, pragma_foreign_key_list(m.name) f '
        "WHERE m.type = 'table'"
    )
    with tempfile.TemporaryDirectory(prefix="plusone-schema-") as folder:
        fresh = SqliteDatabase(Path(folder) / "plusone.db")
        try:
            tables, parts, parents = fresh.tables(), fresh.select(text, {}), fresh.select(links, {})
        finally:
            fresh.close()
    return {
        name: Table(
            columns,
            tuple(row["part"] for row in parts if row["name"] == name and row["place"]),
            tuple(row["parent"] for row in parents if row["name"] == name),
        )
        for name, columns in tables.items()
    }


def postgres_text(file: Path) -> str:
    """Return what the migration in `file` is for PostgreSQL: a text of its own if there is one, or the translation."""
    other = _OTHERS / file.name
    return other.read_text("utf-8") if other.exists() else translate(file.read_text("utf-8"))


def translate(text: str) -> str:
    """Return a migration written for SQLite as PostgreSQL has it.

    Example: `CREATE TABLE t (n INTEGER, b BLOB) WITHOUT ROWID;` becomes `CREATE TABLE t (n BIGINT, b BYTEA);`
    """

    def put(found: re.Match[str]) -> str:
        if found["keep"] is not None:
            return found["keep"]
        if found["bytes"] is not None:
            return f"'\\x{found['bytes']}'::bytea"
        return "" if found["rowid"] else _TYPES[found["type"]]

    return _TRIGGER.sub(_TRIGGER_HERE, _WORDS.sub(put, text))
