"""The newest requests out of a store: how many, in which order, with which labels, within which bounds."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from plusone.base.errors import BrokenArtifact
from plusone.base.records import Output
from plusone.monitoring.requests import SCHEMA, newest_requests, read_requests, write_requests
from plusone.predictions.collecting import collect
from plusone.predictions.late import take_labels
from plusone.store import Store, open_store
from tests.predictions.written import log_predictions

NUMBER = Output(name="y", kind="number")


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


def ids(table: pa.Table) -> list[str]:
    return table["id"].to_pylist()


def test_the_newest_come_from_chunks_that_overlap_the_oldest_first(store: Store, tmp_path: Path):
    dice = random.Random(3)
    times = {f"{release}-{place:03}": release / 10 + place for release in range(3) for place in range(100)}
    for release in range(3):
        for begin in range(0, 100, 25):
            some = [f"{release}-{place:03}" for place in range(begin, begin + 25)]
            # Incompressible, so that each is a chunk of its own.
            log_predictions(tmp_path, some, release=release + 1, at=1e9 + begin + release / 10, size=0,
                            request=dice.randbytes(20_000))  # fmt: skip
            collect(store, tmp_path)
    wanted = sorted(times, key=lambda one: times[one])
    for count in (1, 7, 100, 299, 300, 1000):
        found = newest_requests(store, "m", count)
        assert ids(found) == wanted[-count:]
        assert found["release"].to_pylist() == [int(one[0]) + 1 for one in wanted[-count:]]
    assert newest_requests(store, "other", 10).num_rows == 0


def test_bounds_of_bytes_and_rows_leave_the_oldest_out(store: Store, tmp_path: Path):
    log_predictions(tmp_path, [f"p{place}" for place in range(20)], request=b"x" * 1000)
    collect(store, tmp_path)
    assert ids(newest_requests(store, "m", 20, most_bytes=3500)) == ["p17", "p18", "p19"]
    assert ids(newest_requests(store, "m", 20, most_rows=5)) == [f"p{place}" for place in range(15, 20)]
    assert ids(newest_requests(store, "m", 20, most_bytes=1)) == ["p19"], "one at least"


def test_the_newest_label_of_each_row_is_with_them(store: Store, tmp_path: Path):
    log_predictions(tmp_path, ["a", "b", "c"])
    collect(store, tmp_path)
    for one, value in (("a", 1.0), ("a", 2.0), ("b:0", 3.0), ("b:7", 4.0)):
        take_labels(store, "m", [{"id": one, "label": value}], NUMBER)
    found = dict(zip("abc", newest_requests(store, "m", 9)["labels"].to_pylist(), strict=True))
    assert found == {
        "a": [{"row": 0, "value": "2.0"}],
        "b": [{"row": 0, "value": "3.0"}, {"row": 7, "value": "4.0"}],
        "c": None,
    }


def test_they_go_to_another_process_by_a_file(store: Store, tmp_path: Path):
    path = tmp_path / "requests.arrow"
    assert write_requests(store, "m", 10, path) == 0
    assert not path.exists()
    log_predictions(tmp_path, ["a", "b"])
    collect(store, tmp_path)
    assert write_requests(store, "m", 10, path) == 2
    assert read_requests(path).equals(newest_requests(store, "m", 10))
    assert read_requests(path).schema == SCHEMA


@pytest.mark.parametrize("damage", ["gone", "empty", "torn", "other"])
def test_a_file_that_is_damaged_is_named(tmp_path: Path, damage: str):
    path = tmp_path / "requests.arrow"
    table = pa.table({"x": [1]}) if damage == "other" else SCHEMA.empty_table()
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    if damage == "gone":
        path.unlink()
    if damage == "empty":
        path.write_bytes(b"")
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BrokenArtifact, match="does not hold the requests"):
        read_requests(path)
