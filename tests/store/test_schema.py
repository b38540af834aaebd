"""SQLite's migrations on PostgreSQL: the same tables, the same columns, and every query fits both."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from plusone.store import open_store
from plusone.store.migrate import migrations
from plusone.store.postgres import PostgresDatabase
from plusone.store.queries import for_postgres, queries
from plusone.store.schema import expected_schema, postgres_text, translate
from tests.contracts.servers import schema_address


@pytest.fixture
def db(servers: object, tmp_path: Path):
    with contextlib.closing(PostgresDatabase(schema_address(tmp_path)[0])) as opened:
        yield opened


def test_both_have_the_same_tables_and_columns(db: PostgresDatabase) -> None:
    assert db.tables() == {name: table.columns for name, table in expected_schema().items()}


def test_both_have_the_same_keys(db: PostgresDatabase) -> None:
    text = (
        "SELECT c.relname AS name, a.attname AS part FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indisprimary AND c.relnamespace = to_regnamespace(current_schema())"
    )
    found: dict[str, set[str]] = {}
    for row in db.select(text, {}):
        found.setdefault(row["name"], set()).add(row["part"])
    del found["commit_count"]
    assert found == {name: set(table.key) for name, table in expected_schema().items()}


def test_all_text_is_sorted_by_code_points(db: PostgresDatabase) -> None:
    text = (
        "SELECT table_name AS name, column_name AS part FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
    )
    assert db.select(text, {}) == []


@pytest.mark.parametrize("name", [*queries()])
def test_every_query_prepares(servers: object, name: str, prepared) -> None:
    text, names = for_postgres(queries("postgres").get(name) or queries()[name])
    for place in range(len(names)):
        text = text.replace("%s", f"${place + 1}", 1)
    prepared(text.replace("%%", "%").rstrip().rstrip(";"))


@pytest.fixture(scope="module")
def prepared(servers: object, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("prepared")
    with contextlib.closing(PostgresDatabase(schema_address(folder)[0])) as db:

        def prepare(text: str) -> None:
            with db.write() as tx:
                connection = tx._open
                connection.execute(f"PREPARE one AS {text}".encode())
                connection.execute("DEALLOCATE one")

        yield prepare


def test_every_trigger_is_translated() -> None:
    for file in migrations():
        text = postgres_text(file)
        assert "RAISE(ABORT" not in text, file
        assert len(re.findall("CREATE TRIGGER", text)) == len(re.findall("EXECUTE FUNCTION", text))


def test_words_are_translated_and_what_is_quoted_is_not() -> None:
    given = "CREATE TABLE t (a INTEGER, b TEXT DEFAULT 'TEXT', c BLOB) WITHOUT ROWID; -- a REAL one\nSELECT x'00ff';"
    assert translate(given) == (
        "CREATE TABLE t (a BIGINT, b TEXT COLLATE \"C\" DEFAULT 'TEXT', c BYTEA); -- a REAL one\n"
        "SELECT '\\x00ff'::bytea;"
    )


def test_a_store_of_sqlite_is_what_is_expected(tmp_path: Path) -> None:
    with contextlib.closing(open_store(tmp_path)) as store:
        assert store.db.tables() == {name: table.columns for name, table in expected_schema().items()}
