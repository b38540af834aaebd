"""What is true of SQLite alone: the file, its damage, its triggers."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import BrokenRule, StoreError
from plusone.store import Store, open_store
from plusone.store.queries import queries
from plusone.store.sqlite import SqliteDatabase
from tests.contracts.work import FINAL, add_chunk, add_run, fill


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


def file_of(store: Store) -> SqliteDatabase:
    assert isinstance(store.db, SqliteDatabase)
    return store.db


@pytest.mark.parametrize("table", FINAL)
def test_what_is_final_can_not_be_changed_or_taken_out_by_any_sql(store: Store, table: str) -> None:
    fill(store)
    connection = sqlite3.connect(file_of(store).path, isolation_level=None)
    before = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  a name from above
    for statement in (f"UPDATE {table} SET {FINAL[table]}", f"DELETE FROM {table}"):  # noqa: S608  a name from above
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            connection.execute(statement)
    assert connection.execute(f"SELECT * FROM {table}").fetchall() == before != []  # noqa: S608  a name from above
    connection.close()


def test_every_named_query_fits_the_schema(store: Store) -> None:
    connection = sqlite3.connect(file_of(store).path)
    for name, text in queries().items():
        try:
            connection.execute(f"EXPLAIN {text}", dict.fromkeys(re.findall(r":([a-z_]+)", text)))
        except sqlite3.Error as error:
            raise AssertionError(name) from error
    connection.close()
    assert len(queries()) > 30


def test_a_full_disk_undoes_the_transaction_and_the_store_goes_on(store: Store) -> None:
    add_run(store, "a")

    def write_much() -> None:
        with store.db.write() as tx:
            for _ in range(100):
                tx.execute(
                    "series_chunk_add", run_id="a", key="k", count=1, codec="x", summary=b"", points=b"x" * 10_000
                )

    pages = int(file_of(store)._writer.execute("PRAGMA page_count").fetchone()["page_count"])
    file_of(store)._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        write_much()
    file_of(store)._writer.execute("PRAGMA max_page_count = 1000000")
    add_chunk(store, "a", "after")
    assert [row["key"] for row in store.db.all("series_chunk_list", run_id="a", key=None)] == ["after"]


def test_a_commit_that_fails_leaves_no_transaction_open(store: Store) -> None:
    def write() -> None:
        with store.db.write() as tx:
            file_of(store)._writer.execute(
                "PRAGMA defer_foreign_keys = ON"
            )  # so that the rule is looked at in the commit
            tx.execute("series_chunk_add", run_id="nobody", key="k", count=1, codec="x", summary=b"", points=b"")

    with pytest.raises(BrokenRule):
        write()
    add_run(store, "a")
    assert store.db.one("run_get", id="a")


@given(st.data())
@settings(max_examples=25)
def test_a_damaged_file_gives_a_store_error_or_works(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    store = open_store(folder)
    fill(store)
    store.close()
    file = folder / "plusone.db"
    content = bytearray(file.read_bytes())
    how = data.draw(st.sampled_from(["cut", "flip", "zeros", "text"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if how == "cut":
        del content[place:]
    elif how == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "zeros":
        content[place : place + 4096] = bytes(min(4096, len(content) - place))
    else:
        content[:] = b"this is no database, and long enough to have a header" * 50
    file.write_bytes(content)
    said = ""
    try:
        again = open_store(folder)
        try:
            for query in ("run_list_unfinished", "model_list", "route_current"):
                again.db.all(query)
        finally:
            again.close()
    except StoreError as error:  # any other error is a traceback for whoever has the damaged file
        said = str(error)
    assert not said or str(file) in said


def test_a_file_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "plusone.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE photos (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="another program's database"):
        SqliteDatabase(file)
    connection = sqlite3.connect(file)
    assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["photos"]
    connection.close()


def test_a_folder_where_the_file_should_be_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "plusone.db").mkdir()
    with pytest.raises(StoreError, match="can't be used"):
        open_store(tmp_path)


def test_a_fault_in_our_own_query_is_not_called_damage(store: Store) -> None:
    with pytest.raises(sqlite3.ProgrammingError):
        store.db.all("run_get")  # without its parameter
    with pytest.raises(KeyError):
        store.db.all("no_such_query")
