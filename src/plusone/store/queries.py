"""The named queries in `sql/*.sql`: a line `-- name: release_list` begins one, the next such line ends it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["queries"]

_NAME = re.compile(r"^-- name: ([a-z_]+)[!^]?\s*$", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Return the text of every named query. The mark behind a name says what it is: `^` one row, `!` a write.

    Raises:
        ValueError: when two queries have one name.
    """
    found: dict[str, str] = {}
    for file in sorted((Path(__file__).parent / "sql").glob("*.sql")):
        parts = _NAME.split(file.read_text("utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"{file}: a second query named {name}")
            found[name] = text.strip()
    return found
