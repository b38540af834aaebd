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

RUNS = {"model": None, "before": None, "count": 100}


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


@pytest.mark.slow
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


def test_nothing_is_written_to_a_file_that_was_removed_and_all_goes_on_when_it_is_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    db = file_of(store)
    fill(store)
    version = db.version()
    runs = len(db.all("run_list", **RUNS))
    away = [(path, tmp_path / path.name) for path in db.path.parent.glob("plusone.db*")]
    for path, other in away:
        path.rename(other)
    for ask in (db.version, lambda: db.all("route_current"), lambda: add_run(store, "lost")):
        with pytest.raises(StoreError, match="is gone"):
            ask()
    assert not db.path.exists(), "no empty store takes its place"
    for path, other in away:
        other.rename(path)
    assert len(db.all("run_list", **RUNS)) == runs
    assert db.version() == version
    store.close()


def test_a_file_that_is_removed_during_a_transaction_gets_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    db = file_of(store)
    away = tmp_path / "away"

    def write() -> None:
        with db.write() as tx:
            tx.execute("server_remove", id="x", older_than="")
            db.path.rename(away)

    with pytest.raises(StoreError, match="is gone"):
        write()
    away.rename(db.path)
    with db.write() as tx:
        tx.execute("server_remove", id="x", older_than="")
    store.close()


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_garbage_in_place_of_the_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    store = open_store(tmp_path / "store")
    db = file_of(store)
    fill(store)
    runs = len(db.all("run_list", **RUNS))
    away = [(path, tmp_path / path.name) for path in db.path.parent.glob("plusone.db*")]
    for path, other in away:
        path.rename(other)
    db.path.write_bytes(content)
    for ask in (db.version, lambda: db.all("route_current"), lambda: add_run(store, "lost")):
        with pytest.raises(StoreError):
            ask()
    assert db.path.read_bytes() == content
    for path, other in away:
        other.rename(path)
    assert len(db.all("run_list", **RUNS)) == runs
    store.close()


def test_another_store_that_takes_its_place_is_opened_and_polled(tmp_path: Path) -> None:
    store, other = open_store(tmp_path / "store"), open_store(tmp_path / "other")
    db = file_of(store)
    fill(other)
    runs = len(file_of(other).all("run_list", **RUNS))
    assert runs
    other.close()
    version = db.version()
    for path in db.path.parent.glob("plusone.db*"):
        path.unlink()
    (tmp_path / "other" / "plusone.db").rename(db.path)
    assert db.version() != version
    assert len(db.all("run_list", **RUNS)) == runs
    add_run(store, "new")
    assert len(db.all("run_list", **RUNS)) == runs + 1
    store.close()
