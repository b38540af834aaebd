"""Copies: bounded, compared, and never in anybody's way."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from plusone import packaging
from plusone.base.records import RouteTarget
from plusone.evidence.evidence import SHADOW
from plusone.graphs.runner import Answer
from plusone.hosting import shadows
from plusone.hosting.lanes import Job
from plusone.hosting.ledger import Ledger
from plusone.hosting.shadows import Copy, Fit, ShadowLane, count_differing, try_copies
from plusone.hosting.table import Entry, Target
from plusone.predictor import load


class Model:
    """A packaged model that can be held up, and that fails for rows with x over 100."""

    def __init__(self, folder: Path) -> None:
        self._predictor = load(folder)
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def run(self, columns: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(20)
        if (np.concatenate([array.ravel() for array in columns.feeds.values()]) > 100.0).any():
            raise RuntimeError("over 100")
        return self._predictor.run(columns)


def target_of(number: int, predictor: Any, *, shadow: float = 0.0) -> Target:
    route = RouteTarget(
        release=number,
        digest=str(number),
        package=str(number),
        folder="f",
        share=0.0 if shadow else 1.0,
        shadow=shadow,
        stage="shadow" if shadow else "live",
    )
    return Target("m", route, predictor, Path(), 1e-5)


class Bench:
    """A live release that answers 1 to every row, and one in the shadow."""

    def __init__(self, folder: Path, live: Any, shadow: Any, *, share: float = 1.0, timeout_s: float = 30.0) -> None:
        loop = asyncio.get_running_loop()
        self.model = shadow
        self.live, self.target = target_of(1, live), target_of(2, shadow, shadow=share)
        self.entry = Entry("m", 1, (self.live, self.target))
        self.ledger = Ledger(folder, 0)
        self.books = self.ledger.open(SHADOW, self.target)
        self.lane = ShadowLane(
            self.target,
            self.books,
            timeout_s,
            call_soon=loop.call_soon,
            call_later=loop.call_later,
            call_from_thread=loop.call_soon_threadsafe,
        )

    def copy(self, *xs: float, count: int = 1, key: str = "", columns: bool = False) -> None:
        """Copy one batch of `count` jobs, each with these rows."""
        body = msgspec.json.encode({"rows": [{"x": x, "z": 0.0} for x in xs]})
        live, jobs = self.live, list[Job]()
        for number in range(count):
            name = key or f"id {number}"
            rows = None if columns else live.predictor.decode_rows(body)
            read = live.predictor.decode(body) if columns else None
            endpoint: Any = None
            jobs.append(Job(endpoint, None, name, live, rows, read, len(xs), 0.0, key))
        answer = Answer(None, None, None, np.ones(len(xs) * count))
        self.lane.copy(live, jobs, answer)

    def counts(self) -> Any:
        self.ledger.look(9.0)
        return self.books.counts

    async def until(self, condition: Any) -> Any:
        deadline = time.monotonic() + 20
        while not condition(self.counts()):
            assert time.monotonic() < deadline, self.counts()
            await asyncio.sleep(0.002)
        return self.counts()


@pytest.fixture
def folders(packages: dict[int, tuple[str, Path]]) -> dict[int, Path]:
    return {number: folder for number, (_, folder) in packages.items()}


def test_copies_are_run_in_a_thread_of_their_own_and_compared_row_by_row(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> Bench:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[2]))
        bench.copy(1.0, 2.0, count=3)
        bench.copy(1.0, columns=True)
        await bench.until(lambda counts: counts.compared == 7)
        bench.lane.close()
        return bench

    bench = asyncio.run(live())
    counts = bench.counts()
    assert (counts.requests, counts.errors, counts.rows, counts.differing) == (4, 0, 7, 7)
    assert counts.outputs == {"2": 7}
    assert sum(counts.latency.values()) == 4
    assert all(name.startswith("shadow-m") for name in bench.model.threads)


def test_equal_answers_do_not_differ(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> Any:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[1]))
        bench.copy(1.0, count=20)
        return await bench.until(lambda counts: counts.compared == 20)

    assert asyncio.run(live()).differing == 0


def test_a_shadow_that_raises_fails_the_copies_that_made_it_raise(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> Any:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[2]))
        for x in (1.0, 101.0, 2.0, 102.0):
            bench.copy(x)
        return await bench.until(lambda counts: counts.requests == 4)

    counts = asyncio.run(live())
    assert (counts.errors, counts.compared, counts.refused) == (2, 2, 0)


def test_a_shadow_that_hangs_holds_up_nobody_and_what_has_no_room_is_dropped(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> None:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[2]), timeout_s=0.05)
        bench.model.go.clear()
        bench.copy(1.0)
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        for _ in range(10):
            bench.copy(1.0, count=100)
        assert time.perf_counter() - began < 2.0
        assert bench.lane.waiting == shadows._QUEUE
        assert bench.counts().dropped == 1000 - shadows._QUEUE
        await asyncio.sleep(0.1)
        for _ in range(3):
            bench.lane.sweep()
        assert (bench.counts().requests, bench.counts().errors) == (1, 1), "it is counted once"
        bench.model.go.set()
        counts = await bench.until(lambda counts: counts.compared == shadows._QUEUE)
        assert (counts.requests, counts.errors) == (1 + shadows._QUEUE, 1), "what came too late counts for nothing"
        bench.lane.close()

    asyncio.run(live())


def test_rows_that_wait_are_bounded_too(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> None:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[2]))
        bench.model.go.clear()
        for _ in range(10):
            bench.copy(*[1.0] * 1000)
        assert bench.counts().dropped == 10 - shadows._MOST_ROWS // 1000
        bench.lane.close()
        assert bench.lane.waiting == 0
        bench.model.go.set()

    asyncio.run(live())


def test_only_the_share_is_copied_and_always_the_same_keys(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> None:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[1]), share=0.3)
        keys = [f"user {number}" for number in range(40)]
        for _ in range(3):
            for key in keys:
                bench.copy(1.0, key=key)
        wanted = 3 * sum(bench.target.is_copied(key) for key in keys)
        assert 0 < wanted < 120
        assert (await bench.until(lambda counts: counts.compared >= wanted)).compared == wanted
        await asyncio.sleep(0.05)
        assert bench.counts().requests == wanted

    asyncio.run(live())


def test_what_nobody_here_has_the_rows_of_is_not_copied(tmp_path: Path, folders: dict[int, Path]):
    async def live() -> None:
        bench = Bench(tmp_path, load(folders[1]), Model(folders[1]))
        endpoint: Any = None
        bench.lane.copy(bench.live, [Job(endpoint, None, "big", bench.live, None, None, 9, 0.0)], None)
        assert (bench.counts().uncopied, bench.lane.waiting) == (1, 0)

    asyncio.run(live())


@pytest.fixture(scope="module")
def other_fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that takes x only, as an integer that may be missing, and answers 1."""
    folder = tmp_path_factory.mktemp("other") / "package"
    values = np.arange(20)
    model = LinearRegression().fit(pd.DataFrame({"x": values}), np.ones(20))
    train = pa.table({"x": values, "y": np.ones(20)})
    packaging.pack(model, name="m", target="y", features=["x"], train=train, environment="none==0\n", folder=folder)
    return folder


def test_a_release_of_another_signature_reads_copies_by_its_own_rules(
    tmp_path: Path, folders: dict[int, Path], other_fields: Path
):
    async def live() -> Any:
        bench = Bench(tmp_path, load(folders[1]), Model(other_fields))
        bench.copy(3.0)
        bench.copy(0.5)  # no integer
        bench.copy(4.0, columns=True)
        return await bench.until(lambda counts: counts.compared and counts.refused)

    counts = asyncio.run(live())
    assert (counts.compared, counts.differing, counts.refused, counts.errors, counts.uncopied) == (1, 0, 1, 0, 1)


def test_rows_and_columns_keep_their_order(folders: dict[int, Path]):
    live, shadow = load(folders[1]), load(folders[2])
    fit = Fit(live, shadow)
    assert fit.same_columns
    one = target_of(1, live)
    copies: list[Copy] = []
    for place, x in enumerate((1.0, 2.0, 3.0, 4.0, 5.0)):
        body = msgspec.json.encode({"rows": [{"x": x, "z": 0.0}]})
        rows, columns = (live.decode_rows(body), None) if place % 3 else (None, live.decode(body))
        copies.append(Copy(one, rows, columns, 1, Answer(None, None, None, np.full(5, 2.0)), place))
    gathered = fit.gather(copies)
    ((_, array),) = gathered.feeds.items()
    assert array[:, shadow.order.index("x")].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert try_copies(shadow, fit, copies)[1:] == (5, 0, 0, 5, 0)


def test_what_differs_is_another_class_or_a_number_off_by_more_than_a_hundredth():
    def numbers(*values: float) -> Answer:
        return Answer(None, None, None, np.array(values))

    given = [numbers(100.0, 100.0, -100.0), numbers(0.0, 0.0, math.nan, 1.0)]
    assert count_differing(given, numbers(101.0, 101.1, -98.9, 0.0, 1e-9, math.nan, math.nan)) == 4
    one = Answer(np.array(["a", "b"], dtype=object), np.array([0, 1, 1]), None, None)
    other = Answer(np.array(["b", "a"], dtype=object), np.array([1, 0, 1]), None, None)
    assert count_differing([one], other) == 1
    with pytest.raises(ValueError, match="3 rows"):
        count_differing([one], numbers(1.0))


def test_vectors_differ_in_any_number_and_rankings_in_their_first_item() -> None:
    def vectors(*rows: list[float]) -> Answer:
        return Answer(None, None, None, np.array(rows))

    before = [vectors([1.0, 2.0]), vectors([1.0, np.nan])]
    assert count_differing(before, vectors([1.001, 2.0], [1.0, np.nan])) == 0
    assert count_differing(before, vectors([1.0, 2.1], [1.0, np.nan])) == 1
    assert count_differing(before, vectors([1.0], [1.0])) == 2
    assert count_differing(before, Answer(None, None, None, np.array([1.0, 1.0]))) == 2
    items = np.array(["a", "b"], dtype=object)

    def ranked(*codes: list[int]) -> Answer:
        return Answer(items, np.array(codes), None, None, np.zeros((len(codes), len(codes[0]))))

    given = [ranked([0, 1], [1, 0])]
    assert count_differing(given, ranked([0, -1], [1, -1])) == 0
    assert count_differing(given, ranked([0, 1], [0, 1])) == 1
    assert count_differing(given, ranked([0], [-1])) == 1
    assert count_differing(given, vectors([0.0, 1.0], [1.0, 0.0])) == 2


def test_of_several_labels_one_that_is_another_makes_a_row_differ() -> None:
    def labels(*rows: list[int]) -> Answer:
        return Answer(np.array(["no", "yes", "A", "B"], dtype=object), np.array(rows), None, None)

    before = [labels([0, 2]), labels([1, 3], [1, 2])]
    assert count_differing(before, labels([0, 2], [1, 3], [1, 2])) == 0
    assert count_differing(before, labels([1, 3], [1, 3], [1, 3])) == 2
