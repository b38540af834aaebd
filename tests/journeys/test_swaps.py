"""Many swaps in a row under load: no request fails, no answer is stale or wrong, and nothing grows."""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path

import pytest

from plusone.base.records import ModelRoute, RouteFile
from plusone.workers import routes
from tests.journeys.steady import ROWS, Steady
from tests.serving.conftest import packages, serving
from tests.serving.serving_folder import ServingFolder, until

__all__ = ["packages", "serving"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SWAPS = 60


def _held(pid: int) -> tuple[int, int]:
    """Return how many descriptors and threads a process has."""
    place = Path(f"/proc/{pid}")
    return len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def test_swaps_that_load_each_time_under_load(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    pid = supervisor.reports()[0].pid
    memory: list[int] = []
    held: list[tuple[int, int]] = []
    stale: list[tuple[int, int]] = []
    answers = {number: [float(number)] * len(ROWS) for number in (1, 2, 3)}
    with Steady(supervisor.port, answers, threads=4) as steady:
        for version in range(2, SWAPS + 2):
            live = version % 3 + 1
            serving.route(version, live=live)
            until(functools.partial(supervisor.serves, "m", version), f"version {version}", seconds=30)
            done, seen = time.monotonic(), len(steady.answers)
            steady.more(5)
            stale += [
                (version, release) for began, _, release in steady.answers[seen:] if began > done and release != live
            ]
            if version in (SWAPS // 3, SWAPS + 1):
                memory.append(_memory(pid))
                held.append(_held(pid))
    steady.check()
    assert stale == []
    # Each is loaded again and again. A worker writes at most 20 lines a second, so not every load is in its log.
    assert serving.log().count('"release_loaded"') > 3
    assert supervisor.reports()[0].pid == pid
    # Connections come and go, and so do the threads of a load.
    assert abs(held[1][0] - held[0][0]) <= 4
    assert abs(held[1][1] - held[0][1]) <= 2
    # A release that was not let go of would be over 100 kB each time.
    assert memory[1] - memory[0] < (SWAPS * 2 // 3) * 60_000, memory


def test_the_steps_of_a_canary_and_the_way_back(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    answers = {number: [float(number)] * len(ROWS) for number in (1, 2)}
    steps: list[tuple[float, float, set[int]]] = [
        (0.95, 0.05, {1, 2}), (0.5, 0.5, {1, 2}), (0.0, 1.0, {2}), (0.5, 0.5, {1, 2}), (1.0, 0.0, {1}),
    ]  # fmt: skip
    with Steady(supervisor.port, answers, threads=4) as steady:
        for version, (one, two, may) in enumerate(steps, start=2):
            targets = (serving.target(1, one), serving.target(2, two))
            routes.publish(
                serving.path, RouteFile(sequence=version, models={"m": ModelRoute(version=version, targets=targets)})
            )
            until(functools.partial(supervisor.serves, "m", version), f"version {version}", seconds=30)
            seen = steady.more(100)
            assert seen <= may
            assert len(seen) == len(may) or min(one, two) < 0.1
    steady.check()
    loaded = [json.loads(line) for line in serving.log().splitlines() if '"release_loaded"' in line]
    assert len(loaded) == 2 * 2, "each worker loaded each release once"
