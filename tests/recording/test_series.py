"""Series are read as they were logged, and drawn without losing a spike."""

from __future__ import annotations

import contextlib
import math
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import StoreError
from plusone.base.ids import new_id
from plusone.base.records import Run
from plusone.recording.points import CODEC, Columns, encode_chunk, summarise
from plusone.recording.recorder import Recorder
from plusone.recording.series import list_keys, plot_series, read_series
from plusone.store import Store, open_store
from plusone.tracking.runs import add_run


def add(
    store: Store, run_id: str, points: Columns, key: str = "loss", *, chunk: int = 65536, old: bool = False
) -> None:
    with store.db.write() as tx:
        for begin in range(0, len(points.steps), chunk):
            part = points.pick(slice(begin, begin + chunk))
            rows = list(zip(part.steps.tolist(), part.values.tolist(), part.times.tolist(), strict=True))
            tx.execute(
                "series_chunk_add",
                run_id=run_id,
                key=key,
                count=len(part.steps),
                codec="msgpack" if old else CODEC,
                summary=b"" if old else summarise(part).tobytes(),
                points=msgspec.msgpack.encode(rows) if old else encode_chunk(part),
            )


def begin(store: Store) -> str:
    run = Run(id=new_id(), name="r", status="running", started_at="")
    add_run(store, run)
    return run.id


def points(values: Any, steps: Any = None) -> Columns:
    values = np.asarray(values, np.float64)
    steps = np.arange(len(values)) if steps is None else np.asarray(steps)
    return Columns(steps.astype(np.int64), values, 1.7e9 + np.arange(len(values), dtype=np.float64))


def test_a_series_is_read_whole_in_the_order_of_logging(store: Store) -> None:
    run_id = begin(store)
    values = [0.5, math.nan, math.inf, -math.inf, 1.0]
    add(store, run_id, points(values[:2], [5, 1]), old=True)
    add(store, run_id, points(values[2:], [3, 3, 9]))
    add(store, run_id, points([1.0]), "another")
    found = read_series(store, run_id, "loss")
    assert found.steps.tolist() == [5, 1, 3, 3, 9]
    assert repr(found.values.tolist()) == repr(values)
    assert list_keys(store, run_id) == ["another", "loss"]
    assert len(read_series(store, run_id, "nothing").steps) == 0
    assert list_keys(store, "no-such-run") == []


def test_what_is_in_the_journal_and_not_in_the_store_is_read_too_and_once(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    for number in range(10):
        recorder.log({"loss": number, "rate": 1.0})
        if number == 4:
            recorder.flush()
    recorder.log({"late": 2.0})
    assert read_series(store, run_id, "loss").values.tolist() == list(range(10))
    assert list_keys(store, run_id) == ["late", "loss", "rate"]
    assert plot_series(store, run_id, "loss").values.tolist() == list(range(10))
    recorder.close()
    assert read_series(store, run_id, "loss").values.tolist() == list(range(10))


def test_a_reader_beside_a_writer_sees_each_point_once(store: Store) -> None:
    run_id = begin(store)
    recorder = Recorder(store, run_id)
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            for _ in range(100):
                recorder.log({"loss": 1.0})
            recorder.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = 0
        for _ in range(20):
            # Nobody moves as often as this writer: a reader may have to give up, but never sees a point twice.
            with contextlib.suppress(StoreError):
                found = read_series(store, run_id, "loss").steps.tolist()
                drawn = plot_series(store, run_id, "loss", count=10**6).steps.tolist()
                assert found == list(range(len(found)))
                assert drawn == list(range(len(drawn)))
                assert len(drawn) >= len(found) >= seen
                seen = len(found)
    finally:
        stopped.set()
        writer.join()
        recorder.close()


def test_a_short_series_is_drawn_whole_and_sorted(store: Store) -> None:
    run_id = begin(store)
    add(store, run_id, points([0.0, math.nan, 2.0], [2, 1, 0]))
    found = plot_series(store, run_id, "loss", count=3)
    assert found.steps.tolist() == [0, 1, 2]
    assert math.isnan(found.values[1])
    assert len(plot_series(store, run_id, "nothing").steps) == 0


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("count", [5_000, 300_000])
def test_no_spike_is_lost(store: Store, count: int, old: bool) -> None:
    run_id = begin(store)
    chance = np.random.default_rng(1)
    values = chance.normal(size=count)
    spikes = chance.choice(count, 20, replace=False)
    values[spikes] = [1000.0 + place for place in range(10)] + [-1000.0 - place for place in range(10)]
    values[7] = math.nan
    add(store, run_id, points(values, np.arange(count) * 3), chunk=40_000, old=old)
    found = plot_series(store, run_id, "loss", count=400)
    assert len(found.steps) <= 400
    assert (np.diff(found.steps) >= 0).all()
    assert (values[found.steps // 3] == found.values).all(), "each drawn point was logged"
    assert (found.times == 1.7e9 + found.steps // 3).all()
    span = (3 * (count - 1)) / 200
    for spike in spikes:
        value = values[spike]
        rivals = [other for other in spikes if int(other * 3 // span) == int(spike * 3 // span)]
        extreme = max(values[rivals]) if value > 0 else min(values[rivals])
        assert value in found.values or value != extreme


def test_a_narrow_range_of_steps_is_drawn_from_its_points(store: Store) -> None:
    run_id = begin(store)
    values = np.random.default_rng(2).normal(size=300_000)
    add(store, run_id, points(values), chunk=50_000)
    found = plot_series(store, run_id, "loss", count=100, first_step=123_000, last_step=123_050)
    assert found.steps.tolist() == list(range(123_000, 123_051))
    assert (found.values == values[123_000:123_051]).all()
    wide = plot_series(store, run_id, "loss", count=100, first_step=100_000)
    assert wide.steps.min() >= 100_000
    assert values[100_000:].max() in wide.values
    assert len(plot_series(store, run_id, "loss", first_step=2**70).steps) == 0
    assert len(plot_series(store, run_id, "loss", first_step=-(2**70), last_step=-1).steps) == 0


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5)), st.floats()),
        min_size=1,
        max_size=200,
    ),
    st.integers(-1, 30),
)
def test_whatever_was_logged_is_drawn(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float]], count: int
) -> None:
    store = open_store(tmp_path_factory.mktemp("series"))
    run_id = begin(store)
    steps, values = zip(*rows, strict=True)
    add(store, run_id, points(values, np.array(steps, np.int64)))
    found = plot_series(store, run_id, "loss", count=count)
    store.close()
    real = [value for value in values if not math.isnan(value)]
    assert (np.diff(found.steps.astype(object)) >= 0).all()
    if real:
        drawn = found.values[~np.isnan(found.values)]
        assert (drawn.min(), drawn.max()) == (min(real), max(real))


def test_a_damaged_segment_does_not_stop_the_reader(store: Store, tmp_path: Path) -> None:
    run_id = begin(store)
    add(store, run_id, points([1.0]))
    folder = store.folder / "runs" / run_id / "journal"
    folder.mkdir(parents=True)
    (folder / "x.segment").write_bytes(b"something else")
    assert read_series(store, run_id, "loss").values.tolist() == [1.0]
