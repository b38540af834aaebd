"""Tests of behaviour, simulated: how often a case at its bound passes or fails, and what it costs to ask.

The checks themselves are run, on chains whose pass rate is known. `tests/check/test_texts.py` sums the same chances
over all that can happen; here they are counted.
"""

from __future__ import annotations

import random
import time
from typing import Any

from rich.table import Table

from plusone import check
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording

RUNS = 400
RATE = 0.8
SCENES = (
    # rates of the cases, repeats
    ("one case exactly at the bound", [RATE], 20),
    ("one case exactly at the bound", [RATE], 100),
    ("50 good cases and one at the bound", [1.0] * 50 + [RATE], 20),
    ("20 cases, all at the bound", [RATE] * 20, 40),
    ("one case that is right every other time", [0.5], 20),
    ("one case that never is, among 99 that always are", [1.0] * 99 + [0.0], 20),
    ("one case that is right in 97 of 100", [0.97], 100),
)


def measure() -> dict[str, Any]:
    """Return the outcomes of each scene, as shares of its runs, and what asking costs."""
    return {"scenes": [_scene(*scene) for scene in SCENES], "cost": _cost()}


def _scene(name: str, rates: list[float], repeats: int) -> dict[str, Any]:
    runs = max(20, RUNS * 20 // (len(rates) * repeats)) if len(rates) > 1 else RUNS
    chance = random.Random(0)
    cases = [{"case": f"case {place}", "rate": rate} for place, rate in enumerate(rates)]
    found = {"passed": 0, "failed": 0, "inconclusive": 0}
    for _ in range(runs):
        try:
            check.contains(
                lambda case: "yes" if chance.random() < case["rate"] else "no", cases, text="yes", repeats=repeats
            )
            found["passed"] += 1
        except CheckFailed:
            found["failed"] += 1
        except Inconclusive:
            found["inconclusive"] += 1
    return {"name": name, "repeats": repeats, "runs": runs, **{key: value / runs for key, value in found.items()}}


def _cost() -> dict[str, float]:
    """Return microseconds for each answer of a chain that takes no time, and how much sooner 16 threads are done."""
    cases = [f"case {place}" for place in range(100)]
    start = time.perf_counter()
    with recording():
        check.contains(lambda case: case, cases, text="case", repeats=100)
    each = (time.perf_counter() - start) / 10_000 * 1e6

    def slow(case: str) -> str:
        time.sleep(0.02)
        return case

    times: list[float] = []
    for threads in (1, 16):
        start = time.perf_counter()
        check.contains(slow, cases[:4], text="case", repeats=20, threads=threads)
        times.append(time.perf_counter() - start)
    return {"us_each": each, "sooner": times[0] / times[1]}


def table(result: dict[str, Any]) -> Table:
    """Return the scenes as a table."""
    made = Table("cases", "repeats", "runs", "passed", "inconclusive", "failed", title=f"rate {RATE}, 95 % intervals")
    for one in result["scenes"]:
        shares = (f"{one[key]:.1%}" for key in ("passed", "inconclusive", "failed"))
        made.add_row(one["name"], str(one["repeats"]), str(one["runs"]), *shares)
    return made


def lines(result: dict[str, Any]) -> list[str]:
    """Return what the table does not say."""
    cost = result["cost"]
    each = f"an answer that takes no time costs {cost['us_each']:.0f} µs to ask and judge"
    return [f"{each}; 16 threads are done {cost['sooner']:.1f} times sooner with answers of 20 ms"]
