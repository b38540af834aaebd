"""Batches, bounds and deadlines of one model's requests, on a real event loop with real packaged models."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from plusone.base.config import Limits
from plusone.base.errors import InvalidInput, Overloaded, TooSlow, Unavailable
from plusone.base.records import RouteTarget
from plusone.hosting.lanes import INLINE_S, Job, Lane, compute
from plusone.hosting.table import Target
from plusone.predictor import load

LIMITS = Limits(max_body_bytes=1024, concurrency=1, queue=100, timeout_s=30.0, log_share=1.0)


class Model:
    """A packaged model whose runs are counted, held up, or made to fail for rows with x over 100."""

    def __init__(self, folder: Path) -> None:
        self._predictor = load(folder)
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def run(self, columns: Any) -> Any:
        self.batches.append(columns.rows)
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(60)
        if (np.concatenate([array.ravel() for array in columns.feeds.values()]) > 100.0).any():
            raise RuntimeError("over 100")
        return self._predictor.run(columns)


class Caller:
    """Where the jobs of a test come from: keeps what they were answered."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}

    def write(self, job: Job, answer: Any) -> Any:
        return answer.labels.tolist()

    def done(self, job: Job, result: Any) -> None:
        assert job.id not in self.results, "answered twice"
        self.results[job.id] = result

    def failed(self, job: Job, error: Exception) -> None:
        assert job.id not in self.results, "answered twice"
        self.results[job.id] = error

    def entry(self, job: Job) -> Any:
        return job.id, "json", job.count, None, None

    async def all(self, count: int) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while len(self.results) < count:
            assert time.monotonic() < deadline, self.results
            await asyncio.sleep(0.001)
        return self.results


class Bench:
    """A lane, a caller and a model with `row_s` seconds a row."""

    def __init__(self, folder: Path, *, row_s: float = 1e-5, **limits: Any) -> None:
        loop = asyncio.get_running_loop()
        self.model = Model(folder)
        self.predictor: Any = self.model
        """The same: it behaves as one."""
        self.caller = Caller()
        self.answered: list[int] = []
        route = RouteTarget(release=1, digest="d", package="p", folder="f", share=1.0)
        self.target = Target("m", route, self.predictor, folder, row_s)
        self.lane = Lane(
            "m",
            msgspec.structs.replace(LIMITS, **limits),
            loop.call_soon,
            loop.call_soon_threadsafe,
            lambda target, jobs, answer: self.take(jobs, answer),
        )

    def take(self, jobs: list[Job], answer: Any) -> None:
        assert answer.rows == sum(job.count for job in jobs)
        self.answered.append(len(jobs))

    def job(self, name: str, *xs: float, wide: bool = False) -> Job:
        body = msgspec.json.encode({"rows": [{"x": x, "z": 0.0} for x in xs]})
        rows = None if wide else self.model.decode_rows(body)
        columns = self.model.decode(body) if wide else None
        return Job(self.caller, None, name, self.target, rows, columns, len(xs), time.perf_counter())

    def put(self, name: str, *xs: float, wide: bool = False) -> None:
        self.lane.put(self.job(name, *xs, wide=wide))


@pytest.fixture
def folder(packages: dict[int, tuple[str, Path]]) -> Path:
    """A packaged model that answers 1.0 to every row."""
    return packages[1][1]


def numbers(result: Any) -> list[float]:
    """The predictions of a result, from rows or from columns."""
    return result if isinstance(result, list) else msgspec.json.decode(b"[" + result + b"]")


def test_what_comes_in_during_one_turn_of_the_loop_is_one_batch(folder: Path):
    async def live() -> Bench:
        bench = Bench(folder)
        for number in range(10):
            bench.put(f"one {number}", 0.5)
        bench.put("three", 1.0, 2.0, 3.0)
        bench.put("wide", 1.0, 2.0, wide=True)
        assert bench.model.batches == []
        await bench.caller.all(12)
        return bench

    bench = asyncio.run(live())
    assert bench.model.batches == [15]
    assert bench.model.threads == {"MainThread"}
    assert bench.answered == [12]
    counts = {name: len(numbers(result)) for name, result in bench.caller.results.items()}
    assert counts == {**{f"one {number}": 1 for number in range(10)}, "three": 3, "wide": 2}
    assert all(np.allclose(numbers(result), 1.0, atol=1e-5) for result in bench.caller.results.values())


def test_a_request_is_answered_the_same_bytes_alone_and_among_others(folder: Path):
    async def live() -> tuple[dict[str, Any], dict[str, Any]]:
        bench = Bench(folder)
        jobs = [
            bench.job("one", 0.5),
            bench.job("wide", *[0.25] * 40, wide=True),
            bench.job("three", 1.0, 2.0, 3.0),
            bench.job("wide one", 7.0, wide=True),
        ]
        (run,) = compute(jobs)
        together = {job.id: result for job, result in zip(run.jobs, run.results, strict=True)}
        return {job.id: compute([job])[0].results[0] for job in jobs}, together

    alone, together = asyncio.run(live())
    assert together == alone
    counts = {name: len(numbers(result)) for name, result in together.items()}
    assert counts == {"one": 1, "wide": 40, "three": 3, "wide one": 1}


def test_a_request_that_makes_the_model_raise_fails_alone(folder: Path):
    async def live() -> Bench:
        bench = Bench(folder)
        for name, x in (("a", 1.0), ("bad", 101.0), ("c", 2.0)):
            bench.put(name, x)
        bench.put("wide", 3.0, wide=True)
        await bench.caller.all(4)
        return bench

    bench = asyncio.run(live())
    results = bench.caller.results
    assert isinstance(results.pop("bad"), RuntimeError)
    assert all(np.allclose(numbers(result), 1.0, atol=1e-5) for result in results.values())
    assert bench.answered == [1, 1, 1], "each ran alone"


def test_a_slow_model_runs_in_a_thread_and_its_batches_grow_with_what_waits(folder: Path):
    async def live() -> Bench:
        bench = Bench(folder, row_s=2 * INLINE_S)
        bench.model.go.clear()
        bench.put("first", 1.0)
        for number in range(20):
            bench.put(f"later {number}", 1.0)
        # The loop is free meanwhile, and nothing beside the first has begun.
        await asyncio.sleep(0.02)
        assert (bench.lane.running, bench.lane.waiting) == (1, 20)
        assert bench.model.batches == [1]
        bench.model.go.set()
        await bench.caller.all(21)
        return bench

    bench = asyncio.run(live())
    assert bench.model.batches[0] == 1
    assert 1 < len(bench.model.batches) < 6, "they were run one by one"
    assert all(name.startswith("model-m") for name in bench.model.threads)


def test_a_big_request_does_not_hold_up_the_small_ones_behind_it(folder: Path):
    async def live() -> None:
        bench = Bench(folder, row_s=1e-4)
        bench.model.go.clear()
        bench.put("big", *[1.0] * 100)
        bench.put("big too", *[1.0] * 100)
        await asyncio.sleep(0)
        bench.model.go.set()
        bench.put("small", 1.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "small" in bench.caller.results
        await bench.caller.all(3)

    asyncio.run(live())


def test_what_may_not_wait_is_refused_at_once(folder: Path):
    async def live() -> None:
        bench = Bench(folder, row_s=2 * INLINE_S, queue=3)
        bench.model.go.clear()
        for number in range(4):  # one runs, three wait
            bench.put(str(number), 1.0)
        with pytest.raises(Overloaded, match="expected at most 3") as caught:
            bench.put("too many", 1.0)
        assert caught.value.status == 429
        bench.model.go.set()
        await bench.caller.all(4)
        bench.put("again", 1.0)
        await bench.caller.all(5)

    asyncio.run(live())


def test_more_than_can_be_done_in_time_is_refused_at_once(folder: Path):
    async def live() -> None:
        bench = Bench(folder, row_s=0.5, timeout_s=1.0)
        bench.model.go.clear()
        for number in range(4):  # one runs, and three wait for 0.5 s each
            bench.put(str(number), 1.0)
        with pytest.raises(Overloaded, match="need more than 1 s"):
            bench.put("too late", 1.0)
        bench.model.go.set()
        await bench.caller.all(4)

    asyncio.run(live())


def test_deadlines_are_kept_while_the_model_hangs_and_late_answers_are_dropped(folder: Path):
    async def live() -> None:
        bench = Bench(folder, row_s=2 * INLINE_S, timeout_s=60.0)
        bench.model.go.clear()
        jobs = [bench.job("runs", 1.0), bench.job("waits", 1.0)]
        for job in jobs:
            bench.lane.put(job)
        bench.lane.sweep()
        assert bench.caller.results == {}
        for job in jobs:
            job.deadline -= 60.0  # a minute has gone by
        bench.lane.sweep()
        assert {name: type(error) for name, error in bench.caller.results.items()} == {
            "runs": TooSlow,
            "waits": Unavailable,
        }
        bench.model.go.set()
        bench.put("next", 1.0)
        await bench.caller.all(3)  # and none is answered twice
        assert np.allclose(numbers(bench.caller.results["next"]), 1.0, atol=1e-5)
        assert bench.answered == [1]

    asyncio.run(live())


def test_a_batch_is_of_one_release(folder: Path):
    async def live() -> None:
        bench = Bench(folder)
        other = Bench(folder)
        for number in range(3):
            bench.put(f"a{number}", 1.0)
            job = bench.job(f"b{number}", 1.0)
            job.target = other.target
            bench.lane.put(job)
        await bench.caller.all(6)
        assert sum(bench.model.batches) == sum(other.model.batches) == 3

    asyncio.run(live())


def test_a_target_learns_what_a_row_takes_and_is_not_misled_by_one_long_run(folder: Path):
    async def live() -> None:
        target = Bench(folder, row_s=1e-4).target
        target.observe(1, 10.0)
        assert target.row_s == pytest.approx(1.3e-4)
        for _ in range(200):
            target.observe(10, 1e-4)
        assert target.row_s == pytest.approx(1e-5, rel=0.01)

    asyncio.run(live())


def test_a_bad_request_never_becomes_a_job(folder: Path):
    async def live() -> None:
        with pytest.raises(InvalidInput):
            Bench(folder).put("bad", float("nan"))

    asyncio.run(live())


def test_compute_gives_each_job_its_own_part(folder: Path):
    async def live() -> None:
        bench = Bench(folder)
        jobs = [bench.job("a", 1.0), bench.job("b", 1.0, 2.0, wide=True), bench.job("c", 3.0, 4.0, 5.0)]
        (run,) = compute(jobs)
        found = {job.id: len(numbers(result)) for job, result in zip(run.jobs, run.results, strict=True)}
        assert found == {"a": 1, "b": 2, "c": 3}
        assert [job.id for job in run.jobs] == ["a", "c", "b"], "rows come before columns"
        assert run.answer is not None
        assert run.answer.rows == 6

    asyncio.run(live())


class InProcess(Model):
    """Says of itself that it runs in a process of its own, which dies of rows with x over 100."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.native: Any = self
        self.limits: list[float] = []

    def limit(self, seconds: float) -> None:
        self.limits.append(seconds)

    def run(self, columns: Any) -> Any:
        try:
            return super().run(columns)
        except RuntimeError as error:
            raise Unavailable("The process died.") from error


def _native(folder: Path) -> Bench:
    bench = Bench(folder)
    bench.model = bench.predictor = InProcess(folder)
    route = RouteTarget(release=1, digest="d", package="p", folder="f", share=1.0)
    bench.target = Target("m", route, bench.predictor, folder, 1e-6)
    return bench


def test_a_model_in_a_process_of_its_own_never_holds_up_the_loop_and_is_given_the_time_limit(folder: Path):
    async def live() -> Bench:
        bench = _native(folder)
        for number in range(20):
            bench.put(f"one {number}", 0.5)
        await bench.caller.all(20)
        bench.lane.close()
        return bench

    bench = asyncio.run(live())
    assert isinstance(bench.model, InProcess)
    assert all(name.startswith("model-m") for name in bench.model.threads)
    assert set(bench.model.limits) == {30.0}


def test_the_death_of_its_process_costs_the_whole_batch_and_one_process(folder: Path):
    async def live() -> Bench:
        bench = _native(folder)
        bench.model.go.clear()
        bench.put("first", 0.5)  # runs; the others wait for it and become one batch
        for number in range(5):
            bench.put(f"one {number}", 1000.0 if number == 2 else 0.5)
        bench.model.go.set()
        await bench.caller.all(6)
        bench.lane.close()
        return bench

    bench = asyncio.run(live())
    assert bench.model.batches == [1, 5]
    assert all(isinstance(bench.caller.results[f"one {number}"], Unavailable) for number in range(5))
