"""Fresh and migrated stores have one schema; a newer store is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from plusone.base.errors import StoreError
from plusone.store import migrate, open_store


def schema(file: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    finally:
        connection.close()


def test_a_store_migrated_file_by_file_has_the_schema_of_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(tmp_path / "fresh").close()
    whole = migrate.migrations()
    for count in range(1, len(whole) + 1):
        monkeypatch.setattr(migrate, "migrations", lambda count=count: whole[:count])
        open_store(tmp_path / "stepwise").close()
    assert schema(tmp_path / "stepwise" / "plusone.db") == schema(tmp_path / "fresh" / "plusone.db")


def test_every_migration_is_a_pair() -> None:
    stems = [file.stem for file in migrate.migrations()]
    assert stems == [
        f"{base}_{end}" for base in dict.fromkeys(s.rpartition("_")[0] for s in stems) for end in ("before", "after")
    ]


def test_opening_again_applies_nothing(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    before = (tmp_path / "plusone.db").read_bytes()
    open_store(tmp_path).close()
    assert (tmp_path / "plusone.db").read_bytes() == before


def test_a_newer_store_is_refused_with_the_command_that_mends_it_and_not_touched(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "plusone.db")
    connection.execute("INSERT INTO migration VALUES ('9999_future_before', 'later')")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="9999_future_before") as caught:
        open_store(tmp_path)
    assert "pip install --upgrade plusone" in str(caught.value)


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(tmp_path / "store").close()
    before = schema(tmp_path / "store" / "plusone.db")
    for text, error in (
        ("CREATE TABLE extra (x);\nCREATE TABLE run (id TEXT);\n", StoreError),
        ("CREATE TABLE extra (x);\nCREATE TABLE more (id TEXT)", ValueError),
    ):
        bad = tmp_path / "9998_bad_before.sql"
        bad.write_text(text)
        whole = migrate.migrations()
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "migrations", lambda whole=whole, bad=bad: [*whole, bad])
            with pytest.raises(error):
                open_store(tmp_path / "store")
        assert schema(tmp_path / "store" / "plusone.db") == before
    open_store(tmp_path / "store").close()
