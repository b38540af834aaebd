"""The named queries in `sql/*.sql`: a line `-- name: release_list` begins one, the next such line ends it.

Their parameters are written as SQLite has them, `:name`. `for_postgres` translates a text; `sql/postgres/*.sql` may
hold another text for a query that can't serve both.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

__all__ = ["for_postgres", "queries"]

_FOLDER = Path(__file__).parent / "sql"
_PARTS = re.compile(r"'(?:[^']|'')*'|--[^\n]*|::|:([a-z_][a-z0-9_]*)(?=(\s+IS\s+(?:NOT\s+)?NULL\b)?)", re.IGNORECASE)
_NAME = re.compile(r"^-- name: ([a-z_]+)[!^]?\s*$", re.MULTILINE)


@cache
def queries(folder: str = "") -> dict[str, str]:
    """Return the text of every named query. The mark behind a name says what it is: `^` one row, `!` a write.

    Args:
        folder: where below `sql` to look.

    Raises:
        ValueError: when two queries have one name.
    """
    found: dict[str, str] = {}
    for file in sorted((_FOLDER / folder).glob("*.sql")):
        parts = _NAME.split(file.read_text("utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"{file}: a second query named {name}")
            found[name] = text.strip()
    return found


@lru_cache(maxsize=1024)
def for_postgres(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text as psycopg takes it, with `%s` for each parameter, and their names in that order.

    A parameter that stands twice is two: PostgreSQL then finds the type of each by itself. One that is only compared
    with NULL has none to be found, and is called text.

    Example: `a = :a OR :a IS NULL` becomes `a = %s OR %s::text IS NULL` and `("a", "a")`.
    """
    names: list[str] = []

    def put(found: re.Match[str]) -> str:
        whole = found[0]
        if whole.startswith("--"):
            return ""
        if found[1] is None:
            return whole.replace("%", "%%")
        names.append(found[1])
        return "%s::text" if found[2] else "%s"

    pieces: list[str] = []
    end = 0
    for found in _PARTS.finditer(text):
        pieces += [text[end : found.start()].replace("%", "%%"), put(found)]
        end = found.end()
    pieces.append(text[end:].replace("%", "%%"))
    return "".join(pieces), tuple(names)
