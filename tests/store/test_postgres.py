"""What is true of PostgreSQL alone: addresses without secrets, a server that comes and goes, migrations by hand."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plusone.base.errors import ConfigError, StoreError
from plusone.store import migrate, open_store, postgres
from plusone.store.postgres import PostgresDatabase, masked
from tests.contracts.servers import Postgres, schema_address
from tests.contracts.work import add_run


@pytest.fixture
def address(servers: object, tmp_path: Path) -> str:
    return schema_address(tmp_path)[0]


@contextlib.contextmanager
def opened(address: str, **more: Any) -> Iterator[PostgresDatabase]:
    with contextlib.closing(PostgresDatabase(address, **more)) as db:
        yield db


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@host/db",
        f"postgresql://me:{SECRET}@host:5432/db?options=-csearch_path%3Dx",
        f"postgresql://host/db?user=me&password={SECRET}",
        f"postgresql://host/db?password={SECRET}&user=me",
        f"postgresql://me:{SECRET}@{SECRET}@host/db",
        f"postgresql://me:a/{SECRET}@host/db",
        f"postgresql://me:{SECRET}%zz@host/db",
        f"postgresql://me:{SECRET}%00@127.0.0.1:1/db",
        f"postgresql://me:{SECRET}@127.0.0.1:1/db",
        f"postgresql://me:{SECRET}@127.0.0.1:none/db",
        f"postgresql://me:{SECRET}@[::1/db",
    ],
)
def test_no_error_shows_the_password(address: str) -> None:
    assert SECRET not in masked(address)
    with pytest.raises((ConfigError, StoreError)) as caught:
        PostgresDatabase(address.replace("@host", "@127.0.0.1:1").replace("//host", "//127.0.0.1:1"))
    assert SECRET not in str(caught.value)


@pytest.mark.slow
def test_a_wrong_password_is_said(servers: tuple[Postgres, object]) -> None:
    port = servers[0].port
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        PostgresDatabase(f"postgresql://tester:{SECRET}@127.0.0.1:{port}/postgres")
    assert SECRET not in str(caught.value)


def test_an_address_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mysql://"):
        open_store(tmp_path, database="mysql://host/db", blobs="")


def test_without_the_driver_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "psycopg":
            raise ImportError("No module named 'psycopg'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError) as caught:
        PostgresDatabase("postgresql://host/db")
    assert "pip install 'plusone[postgres]'" in str(caught.value)


def test_without_create_an_empty_database_is_an_error_and_stays_empty(address: str) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        PostgresDatabase(address, create=False)
    with opened(address, as_it_is=True) as db:
        assert db.tables() == {}


def test_a_database_of_another_program_is_refused_and_left_as_it_is(address: str) -> None:
    with opened(address, as_it_is=True) as db:
        connection = db._connect()
        connection.execute("CREATE TABLE photos (name text)")
        connection.close()
        with pytest.raises(StoreError, match="another program's: it has the table 'photos'"):
            PostgresDatabase(address)
        assert set(db.tables()) == {"photos"}


def test_an_older_store_is_migrated_by_hand_only(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migrate.migrations()
    with monkeypatch.context() as patch:
        patch.setattr(postgres, "migrations", lambda: whole[:2])
        PostgresDatabase(address).close()
    with pytest.raises(StoreError, match="older plusone") as caught:
        PostgresDatabase(address)
    assert "plusone store migrate" in str(caught.value)
    with opened(address, as_it_is=True) as db:
        assert db.migrate(only_before=True)[0] == "0002_tracking_before"
        with opened(address) as old_and_new:
            assert "metric_chunk" in old_and_new.tables(), "old code may go on until the second half"
        assert "0002_tracking_after" in db.migrate()
        assert db.migrate() == []
        assert "metric_chunk" not in db.tables()


def test_a_newer_store_is_refused_once_its_second_half_is_there(address: str) -> None:
    with opened(address) as db:
        for name, refused in (("9999_future_before", False), ("9999_future_after", True)):
            with db.write() as tx:
                tx.execute_each("INSERT INTO migration VALUES (:name, 'later')", [{"name": name}])
            if refused:
                with pytest.raises(StoreError, match="newer plusone"):
                    PostgresDatabase(address)
            else:
                PostgresDatabase(address).close()


def test_a_connection_that_was_cut_is_made_anew(address: str, tmp_path: Path) -> None:
    with contextlib.closing(open_store(tmp_path / "store", database=address, blobs="")) as store:
        add_run(store, "a")
        assert store.db.one("run_get", id="a")
        with opened(address) as other:
            cut = (
                "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity "
                "WHERE application_name = 'plusone' AND pid <> pg_backend_pid()"
            )
            for _ in range(2):
                other.select(cut, {})
                assert store.db.one("run_get", id="a")
                other.select(cut, {})
                add_run(store, str(_))
        assert len(store.db.all("run_list", model=None, before=None, count=9)) == 3


def test_a_transaction_that_loses_its_server_is_an_error_and_keeps_nothing(address: str, tmp_path: Path) -> None:
    with contextlib.closing(open_store(tmp_path / "store", database=address, blobs="")) as store:
        add_run(store, "a")

        def write() -> None:
            with store.db.write() as tx:
                tx.execute("run_set_tags", id="a", tags="lost")
                with opened(address) as other:
                    other.select(
                        "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity "
                        "WHERE application_name = 'plusone' AND pid <> pg_backend_pid()",
                        {},
                    )
                tx.execute("run_set_tags", id="a", tags="lost too")

        with pytest.raises(StoreError, match="can't be used just now"):
            write()
        row = store.db.one("run_get", id="a")
        assert row
        assert row["tags"] == "{}"
        add_run(store, "b")


@pytest.mark.slow
def test_after_the_servers_were_stopped_and_started_the_store_goes_on(tmp_path: Path, monkeypatch: Any) -> None:
    from tests.contracts.servers import start_servers

    database, seaweed = start_servers(monkeypatch.setenv)
    address, blobs = schema_address(tmp_path)
    with contextlib.closing(open_store(tmp_path / "store", database=address, blobs=blobs)) as store:
        add_run(store, "a")
        digest = store.blobs.put_bytes(b"kept")
        store.blobs.path(digest).unlink()
        database.stop()
        seaweed.stop()
        with pytest.raises(StoreError, match="can't be used just now"):
            store.db.one("run_get", id="a")
        with pytest.raises(StoreError, match="can't be used just now"):
            add_run(store, "b")
        with pytest.raises(StoreError, match="can't be used just now"):
            store.blobs.get(digest)
        database.start()
        seaweed.start()
        assert store.db.one("run_get", id="a")
        add_run(store, "b")
        assert store.blobs.get(digest) == b"kept"
    database.remove()
    seaweed.remove()
