"""What every backend of the records promises: transactions, readers, threads, processes, bound values."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import BrokenRule, PlusoneError, StoreError, UsageError
from plusone.base.ids import new_id
from plusone.base.records import Run
from plusone.store import Store, open_store
from plusone.store.rows import to_row
from tests.contracts.work import FINAL, add_chunk, add_run, fill

HOSTILE = [
    "'; DROP TABLE run; --",
    '"',
    "\\",
    "%",
    "_",
    ":id",
    "?1",
    "\0",
    "x\0y",
    "\U0001f600",
    "\u202e",
    "",
    " ",
    "NULL",
]


def add_dataset(tx: Any) -> None:
    row = dict.fromkeys(("digest", "blob", "kind", "flavour", "columns", "created_at"), "d")
    tx.execute("dataset_add", **row, size_bytes=1, rows=None)


def finish_and_raise(store: Store, error: BaseException | type[BaseException]) -> None:
    with store.db.write() as tx:
        tx.execute("run_finish", id="a", status="done", finished_at="now", log=None, error=None)
        raise error


def names(store: Store) -> list[str]:
    return [row["name"] for row in store.db.all("run_list", model=None, before=None, count=1000)]


def status(store: Store, run_id: str) -> str:
    row = store.db.one("run_get", id=run_id)
    assert row
    return row["status"]


def sequences(store: Store, run_id: str) -> list[int]:
    return [row["sequence"] for row in store.db.all("series_chunk_list", run_id=run_id, key=None)]


def test_a_transaction_is_seen_whole_by_others_once_it_ends(store: Store, open_again: Callable[[], Store]) -> None:
    other = open_again()
    add_run(store, "a")
    with store.db.write() as tx:
        tx.execute("series_chunk_add", run_id="a", key="x", count=1, codec="x", summary=b"", points=b"")
        tx.execute("series_chunk_add", run_id="a", key="x", count=1, codec="x", summary=b"", points=b"")
        assert len(tx.all("series_chunk_list", run_id="a", key=None)) == 2
        assert sequences(other, "a") == []
        assert sequences(store, "a") == [], "a read outside of the transaction sees the last commit, in its process too"
    assert sequences(other, "a") == sequences(store, "a") == [1, 2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, StoreError("x")])
def test_an_error_in_the_block_undoes_all_of_it_and_the_next_one_works(store: Store, error: type[Exception]) -> None:
    add_run(store, "a")
    with pytest.raises(error if isinstance(error, type) else type(error)):
        finish_and_raise(store, error)
    assert status(store, "a") == "running"
    add_chunk(store, "a", "x")
    assert sequences(store, "a") == [1]


def test_a_write_that_breaks_a_rule_undoes_the_ones_before_it(store: Store) -> None:
    def write() -> None:
        with store.db.write() as tx:
            add_dataset(tx)
            tx.execute("series_chunk_add", run_id="no such run", key="x", count=1, codec="x", summary=b"", points=b"")

    with pytest.raises(BrokenRule, match=r"(?i)series_chunk_add.*foreign key"):
        write()
    assert store.db.one("dataset_get", digest="d") is None


def test_a_write_that_breaks_a_rule_ends_its_transaction_even_if_nobody_hears_of_it(store: Store) -> None:
    add_run(store, "a")

    def write(*, more: bool) -> None:
        with store.db.write() as tx:
            add_dataset(tx)
            with contextlib.suppress(BrokenRule):
                tx.execute("run_add", **to_row(Run(id="a", name="x", status="done", started_at="now")))
            if more:
                tx.execute("run_finish", id="a", status="done", finished_at="now", log=None, error=None)

    for more in (True, False):
        with pytest.raises(StoreError, match="broke a rule"):
            write(more=more)
        assert store.db.one("dataset_get", digest="d") is None
    assert status(store, "a") == "running"


def test_numbers_and_bytes_come_back_as_they_were(store: Store) -> None:
    add_run(store, "a")
    for value in (math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 0.1, 3):
        with store.db.write() as tx:
            tx.execute("step_run_add", run_id="a", step=repr(value), fingerprint="f", status="done", inputs="{}",
                       outputs="{}", settings="{}", started_at="t", duration_s=value)  # fmt: skip
    found = {row["step"]: row["duration_s"] for row in store.db.all("step_run_list", run_id="a")}
    assert {name: repr(value) for name, value in found.items()} == {name: repr(float(name)) for name in found}
    with store.db.write() as tx:
        tx.execute("step_run_add", run_id="a", step="nan", fingerprint="f", status="done", inputs="{}", outputs="{}",
                   settings="{}", started_at="t", duration_s="nan")  # fmt: skip
    assert math.isnan(
        float({row["step"]: row for row in store.db.all("step_run_list", run_id="a")}["nan"]["duration_s"])
    )
    with store.db.write() as tx:
        tx.execute("run_metric_set", run_id="a", key="k", value=math.nan)
    [row] = store.db.select("SELECT value FROM run_metric WHERE key = :key", {"key": "k"})
    assert row["value"] is None, "a bare NaN is NULL"
    every_byte = bytes(range(256))
    for count in (0, 1, 2**31, 2**63 - 1, -(2**63)):
        with store.db.write() as tx:
            tx.execute("series_chunk_add", run_id="a", key="x", count=count, codec="x", summary=b"", points=every_byte)
        row = store.db.all("series_chunk_list", run_id="a", key="x")[-1]
        assert (row["count"], row["points"], row["summary"]) == (count, every_byte, b"")


def test_text_is_sorted_and_compared_by_its_code_points(store: Store) -> None:
    texts = ["B", "a", "ab", "a b", "A", "_", "10", "9", "\u00e9", "e", "z", "\u4e00", "\U0001f600", "\uffff", ""]
    for text in texts:
        add_run(store, text)
    assert [row["id"] for row in store.db.all("run_list", model=None, before=None, count=99)] == sorted(
        texts, reverse=True
    )
    before = store.db.all("run_list", model=None, before="a", count=99)
    assert [row["id"] for row in before] == sorted((t for t in texts if t < "a"), reverse=True)


def test_what_is_final_can_not_be_changed_by_any_write(store: Store) -> None:
    fill(store)
    for table, change in FINAL.items():
        for statement in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}"):  # noqa: S608  a name from above
            with pytest.raises(BrokenRule, match="never"), store.db.write() as tx:
                tx.execute_each(statement, [{}])


def test_a_store_has_no_faults_and_the_tables_that_every_other_has(store: Store, tmp_path: Path) -> None:
    assert store.db.faults() == []
    plain = open_store(tmp_path / "plain")
    assert store.db.tables() == plain.db.tables()
    plain.close()


def test_transactions_do_not_nest_and_the_outer_one_can_go_on(store: Store) -> None:
    with store.db.write() as tx:
        with pytest.raises(StoreError, match="do not nest"), store.db.write():
            raise AssertionError("a second transaction of one thread was begun")
        add_dataset(tx)
    assert store.db.one("dataset_get", digest="d")


def test_a_transaction_that_ended_takes_no_more_writes(store: Store) -> None:
    with store.db.write() as tx:
        pass
    with pytest.raises(StoreError, match="has ended"):
        tx.execute("run_finish", id="a", status="done", finished_at="now", log=None, error=None)


def test_a_reader_never_waits_for_a_writer(store: Store, open_again: Callable[[], Store]) -> None:
    add_run(store, "a")
    other = open_again()
    with store.db.write() as tx:
        tx.execute("run_finish", id="a", status="done", finished_at="now", log=None, error=None)
        began = time.monotonic()
        for _ in range(50):
            assert status(other, "a") == "running"
            other.db.version()
        assert time.monotonic() - began < 30, "readers waited for the writer"


def test_threads_take_turns_in_writing_and_read_meanwhile(store: Store) -> None:
    add_run(store, "a")
    readers = threading.Event()

    def read() -> int:
        most = 0
        while not readers.is_set():
            seen = sequences(store, "a")
            assert seen == list(range(1, len(seen) + 1)), "a reader saw a gap"
            assert len(seen) >= most, "a reader went back in time"
            most = len(seen)
        return most

    with ThreadPoolExecutor(10) as pool:
        reading = [pool.submit(read) for _ in range(2)]
        try:
            list(pool.map(lambda _: [add_chunk(store, "a", "loss") for _ in range(10)], range(8)))
        finally:
            readers.set()
        assert all(one.result() <= 80 for one in reading)
    assert sequences(store, "a") == list(range(1, 81))


def test_threads_that_come_and_go_leave_no_connections_behind(store: Store) -> None:
    add_run(store, "a")
    folder = Path("/proc/self/fd")
    store.db.one("run_get", id="a")
    before = len(list(folder.iterdir()))
    for _ in range(50):
        thread = threading.Thread(target=lambda: store.db.one("run_get", id="a"))
        thread.start()
        thread.join()
    assert len(list(folder.iterdir())) <= before + 3


@pytest.mark.slow
def test_processes_that_make_a_store_and_write_at_once_lose_nothing(start, open_again: Callable[[], Store]) -> None:
    processes = [start("write_first", "abcd"[place], "20") for place in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed
    store = open_again()
    assert sequences(store, "shared") == list(range(1, 81))


def test_a_process_killed_in_a_transaction_leaves_nothing_of_it(start, store: Store) -> None:
    add_run(store, "a")
    process = start("die_in_transaction", "a")
    process.communicate(timeout=60)
    assert process.returncode == -9
    add_chunk(store, "a", "x")
    assert [row["key"] for row in store.db.all("series_chunk_list", run_id="a", key=None)] == ["x"]


def test_version_changes_with_every_commit_and_with_nothing_else(store: Store, open_again: Callable[[], Store]) -> None:
    other = open_again()
    before = other.db.version()
    other.db.all("run_list_unfinished")
    assert other.db.version() == before
    add_run(store, "a")
    after = other.db.version()
    assert after != before
    with pytest.raises(ValueError):
        finish_and_raise(store, ValueError())
    assert other.db.version() == after
    add_chunk(other, "a", "x")
    assert other.db.version() != after, "a commit of this process counts as well"
    with ThreadPoolExecutor(4) as pool:
        assert len({*pool.map(lambda _: other.db.version(), range(20))}) == 1, "every thread sees the same number"


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_values_are_bound_whatever_they_hold(store: Store, text: str) -> None:
    add_run(store, "a" + text, name=text, error=text)
    row = store.db.one("run_get", id="a" + text)
    assert row is not None
    assert (row["name"], row["error"]) == (text, text)
    assert len(names(store)) == 1


@pytest.mark.parametrize("value", ["\ud800", "a\udcffb", 2**63, -(2**63) - 1, 10**40])
def test_what_can_not_be_stored_is_refused_and_the_store_goes_on(store: Store, value: object) -> None:
    with pytest.raises(UsageError, match="run_add"):
        add_run(store, "a", name=value)
    with pytest.raises(UsageError, match="run_get"):
        store.db.one("run_get", id=value)
    add_run(store, "a")
    assert len(names(store)) == 1


def test_any_text_comes_back_as_it_was(store: Store) -> None:
    @settings(max_examples=40)
    @given(st.text() | st.text(alphabet="\0\U0010fffd01"))
    def check(text: str) -> None:
        key = new_id()
        with store.db.write() as tx:
            tx.execute("dataset_add", digest=key, blob=text, kind=text, flavour=text, size_bytes=0, rows=None,
                       columns=text, created_at=text)  # fmt: skip
        row = store.db.one("dataset_get", digest=key)
        assert row is not None
        assert {row[name] for name in ("blob", "kind", "flavour", "columns", "created_at")} == {text}

    check()


def test_a_closed_store_says_that_it_is_closed(store: Store) -> None:
    store.close()
    for use in (
        lambda: store.db.all("run_list_unfinished"),
        lambda: store.db.version(),
        lambda: store.db.write().__enter__(),
    ):
        with pytest.raises(PlusoneError, match="was closed"):
            use()
