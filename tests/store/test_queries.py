"""The named queries are found, one text each."""

from __future__ import annotations

import re
from pathlib import Path

from plusone import store
from plusone.store.queries import queries


def test_no_line_that_names_a_query_is_missed() -> None:
    texts = [file.read_text("utf-8") for file in (Path(store.__file__).parent / "sql").glob("*.sql")]
    assert sum(len(re.findall(r"--\s*name", text)) for text in texts) == len(queries())
    assert not any("-- name" in text for text in queries().values())


def test_a_query_is_one_statement() -> None:
    plain = {name: re.sub(r"--.*", "", text).strip() for name, text in queries().items()}
    assert [name for name, text in plain.items() if text.count(";") != 1 or not text.endswith(";")] == []
