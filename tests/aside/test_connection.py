"""A body of 50 MB in a process beside the loop: the answer is right, the loop never waits, and memory does not grow."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from plusone.aside import Aside
from plusone.aside.connection import Job
from plusone.aside.frames import Kind, Reply
from plusone.base.errors import InvalidInput
from tests.aside.conftest import Packed, body_of, check_answer, pieces

T = TypeVar("T")

ROWS = 400_000
STALL_S = 0.1
GROWTH_MB = 24


def resident_mb(pid: int | str) -> float:
    """The memory of a process that is its own: what it shares with files is left out."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


async def with_ticks(work: Awaitable[T]) -> tuple[T, float, float]:
    """Return what the work does, the longest time that the loop was held up meanwhile, and how long it took."""
    longest, began = 0.0, time.perf_counter()

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - before - 0.005)

    ticking = asyncio.ensure_future(tick())
    try:
        return await work, longest, time.perf_counter() - began
    finally:
        ticking.cancel()


@pytest.mark.slow
@pytest.mark.alone
def test_a_body_of_50_mb_does_not_hold_up_the_loop(packed: Packed, record_property: Callable[..., None]) -> None:
    body = body_of(ROWS, pad=100)
    assert len(body) > 50_000_000

    async def main() -> None:
        aside = Aside()
        await aside.warm(*packed)
        stalls: list[float] = []
        for _ in range(5):
            work = aside.predict(*packed, "json", pieces(body), timeout_s=60)
            reply, stall, took = await with_ticks(work)
            stalls.append(stall)
            assert reply.rows == ROWS
            check_answer(reply.parts, ROWS)
            record_property("seconds", round(took, 2))
        wrong = pieces(body[:-2] + b',{"x":1}]}')
        with pytest.raises(InvalidInput, match=f"Row {ROWS} has no field 'z'"):
            await aside.predict(*packed, "json", wrong, timeout_s=60)
        record_property("stalls_ms", [round(stall * 1000, 1) for stall in stalls])
        await aside.close()
        # The median: on a machine with less cores than processes any one of them may have to wait for its turn.
        assert sorted(stalls)[2] < STALL_S, stalls

    uvloop.run(main())


@pytest.mark.slow
def test_a_hundred_big_bodies_leave_memory_as_it_was(packed: Packed, record_property: Callable[..., None]) -> None:
    body = body_of(40_000, pad=100)

    async def main() -> None:
        aside = Aside()
        seen: list[tuple[float, float]] = []
        for number in range(100):
            reply: Reply = await aside.predict(*packed, "json", pieces(body), timeout_s=60)
            assert reply.rows == 40_000
            del reply
            if number % 10 == 9:
                gc.collect()
                seen.append((resident_mb("self"), resident_mb(aside.pids[0])))
        record_property("worker_and_aside_mb", seen)
        await aside.close()
        assert seen[-1][0] - seen[1][0] < GROWTH_MB, seen
        assert seen[-1][1] - seen[1][1] < GROWTH_MB, seen

    uvloop.run(main())


def test_a_job_is_answered_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        job = Job(Kind.PREDICT, {}, [b"ab", b"", b"c"], loop.create_future())
        assert job.size == 3
        job.fail(ValueError("first"))
        job.fail(ValueError("second"))
        with pytest.raises(ValueError, match="first"):
            await job.reply

    asyncio.run(main())
