"""The schema for PostgreSQL: the migrations that SQLite gets, translated word by word.

One text for both, so that they can't come apart: types by name, text sorted by code points, triggers as functions.
`sql/postgres/migrations/` may hold another text for a migration that is not to be translated.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["postgres_text", "translate"]

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
