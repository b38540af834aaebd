"""`plusone store check` and `copy` between every two backends: what they promise."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plusone.base.errors import BrokenArtifact, Conflict, StoreError
from plusone.base.ids import digest_bytes
from plusone.lineage.checking import Found, check_store
from plusone.store import Store
from plusone.store.moving import copy_store
from plusone.store.schema import expected_schema
from tests.contracts.backends import BACKENDS, NEED_SERVERS
from tests.contracts.test_blobs import damage
from tests.contracts.work import add_chunk, add_run, fill


def silent(what: str, done: int, total: int) -> None:
    """Hear of the progress and say nothing."""


def check(store: Store, *, deep: bool = False) -> Found:
    return check_store(store, deep=deep, on_progress=silent)


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Return a function that opens the empty store to copy into."""
    with contextlib.ExitStack() as stack:

        def open_one(backend: str) -> Store:
            if backend in NEED_SERVERS:
                request.getfixturevalue("servers")
            return stack.enter_context(contextlib.closing(BACKENDS[backend](tmp_path / "other")))

        yield open_one


def add_content(store: Store) -> list[str]:
    """Write rows into many tables, hostile values among them, and some blobs; return their digests."""
    contents = [b"manifest", b"log", os.urandom(100_000), b"environment", "\0\u00e9".encode()]
    digests = [store.blobs.put_bytes(content) for content in contents]
    fill(store)
    for place in range(1203):
        if place % 100 == 0:
            add_run(store, f"run {place} \0 \U0010fffd0 'x'", log=digests[1], environment=digests[3])
    add_chunk(store, "r", "loss")
    with store.db.write() as tx:
        for place in range(60):
            tx.execute(
                "series_chunk_add",
                run_id="r",
                key="big",
                count=place,
                codec="x",
                summary=b"\0\xff",
                points=b"p" * place,
            )
        tx.execute("step_run_add", run_id="r", step="s", fingerprint="f", status="done", inputs="{}", outputs="{}",
                   settings="{}", started_at="t", duration_s="nan")  # fmt: skip
        for place in range(1203):
            tx.execute("dataset_add", digest=f"d{place}", blob=digests[2], kind="json", flavour="json",
                       size_bytes=2**62, rows=None if place % 2 else place, columns="[]", created_at="t")  # fmt: skip
    return digests


def everything(store: Store) -> dict[str, list[str]]:
    """Every row of every table, as text, but for the record of which migrations were applied when."""
    found = {}
    for name, table in expected_schema().items():
        if name != "migration":
            columns = ", ".join(table.columns)
            rows = store.db.select(f"SELECT {columns} FROM {name}", {})  # noqa: S608  names of our own schema
            plain = [{key: "nan" if value != value else value for key, value in row.items()} for row in rows]
            found[name] = sorted(map(repr, plain))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("target", BACKENDS)
def test_a_copy_has_every_row_and_every_blob(store: Store, other: Callable[[str], Store], target: str) -> None:
    digests = add_content(store)
    copy = other(target)
    done = copy_store(store, copy, on_progress=silent)
    assert everything(copy) == everything(store)
    assert done.rows["run"] == 14
    assert done.rows["dataset"] == 1203
    assert done.blobs == done.new_blobs == len(digests)
    assert {blob.digest: copy.blobs.get(blob.digest) for blob in copy.blobs.list()} == {
        digest: store.blobs.get(digest) for digest in digests
    }
    add_chunk(copy, "r", "goes on")  # a copy is a store like any other


@pytest.mark.slow
def test_a_copy_that_was_interrupted_goes_on_and_takes_what_changed_meanwhile(store: Store, other) -> None:
    add_content(store)
    copy = other("sqlite-and-disk")
    for stop_at in ("bytes of blobs", "run", "dataset", "series_chunk"):

        def stop(what: str, done: int, total: int, stop_at: str = stop_at) -> None:
            if what == stop_at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copy_store(store, copy, on_progress=stop)
    with store.db.write() as tx:
        tx.execute("run_finish", id="r", status="done", finished_at="now", log=None, error=None)
    done = copy_store(store, copy, on_progress=silent)
    assert everything(copy) == everything(store)
    assert 0 < done.new_rows < sum(done.rows.values())
    assert done.new_blobs == 0, "what was there was not sent again"
    with pytest.raises(Conflict, match="is not empty"):
        copy_store(store, copy, on_progress=silent)


def test_a_store_that_is_in_use_is_not_copied_over(store: Store, other) -> None:
    copy = other("sqlite-and-disk")
    add_run(copy, "mine")
    with pytest.raises(Conflict, match="is not empty: its table run has rows"):
        copy_store(store, copy, on_progress=silent)
    assert [row["id"] for row in copy.db.all("run_list", model=None, before=None, count=9)] == ["mine"]


@pytest.mark.slow
def test_what_is_written_while_it_is_copied_is_found(store: Store, open_again, other) -> None:
    add_content(store)
    writer = open_again()
    copy = other("sqlite-and-disk")
    written: list[str] = []

    def write(what: str, done: int, total: int) -> None:
        if what == "series_chunk" and not written:
            written.append("late")
            add_run(writer, "late")

    with pytest.raises(Conflict, match="was written while it was copied"):
        copy_store(store, copy, on_progress=write)
    copy_store(store, copy, on_progress=silent)
    assert everything(copy) == everything(store)


def test_a_damaged_blob_is_not_copied(store: Store, other) -> None:
    digests = add_content(store)
    damage(store, digests[0], b"damaged!")
    with pytest.raises((BrokenArtifact, StoreError), match="was changed"):
        copy_store(store, other("sqlite-and-disk"), on_progress=silent)


def test_a_check_finds_blobs_that_are_missing_and_a_deep_one_those_that_were_changed(store: Store) -> None:
    digest = store.blobs.put_bytes(b"what it printed")
    add_run(store, "a", log=digest)
    for deep in (False, True):
        found = check(store, deep=deep)
        assert (found.faults, found.blobs) == ((), 1)
    assert check(store, deep=True).checked_bytes == 15
    damage(store, digest, b"what it pr1nted")
    assert check(store).faults == ()
    [fault] = check(store, deep=True).faults
    assert "was changed" in fault
    assert "the log of the run a" in fault
    store.blobs.remove(digest)
    for deep in (False, True):
        [fault] = check(store, deep=deep).faults
        assert f"{digest} is missing" in fault
    assert check_store(store, deep=True, on_progress=silent, needed=()).faults == ()


def test_a_check_finds_names_of_blobs_that_can_be_none(store: Store) -> None:
    fill(store)
    faults = check(store).faults
    assert any("'d' is no digest" in fault and "the manifest of m@1" in fault for fault in faults)
    assert any("'p' is no digest" in fault and "the package of m@1" in fault for fault in faults)


def test_the_copy_of_a_blob_is_checked_where_it_lies(store: Store) -> None:
    digest = store.blobs.put_bytes(b"here")
    add_run(store, "a", log=digest)
    assert digest == digest_bytes(b"here")
    if store.blobs.address:
        store.blobs.path(digest).chmod(0o644)
        store.blobs.path(digest).write_bytes(b"her3")
        assert check(store, deep=True).faults == (), "a damaged cache is no fault: it is fetched again"
        assert store.blobs.get(digest) == b"here"
