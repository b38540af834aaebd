"""A slow model that is asked for far more than it can do, and a fast one beside it in the same worker."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib

from plusone.base.ids import digest_file

from . import flights, machine, serving, serving_sides
from .serving_clients import Client
from .serving_sides import MODEL, PATH, PLUSONE

SLOW = "slow"
TIMES = 200
ROWS = 64
QUEUE = 16
OVER = 8
SECONDS = 6.0


def _slow_model(scratch: Path, frame: Any) -> str:
    """Package a model that needs milliseconds: the same boosted trees 200 times over. Returns its digest."""
    model = copy.deepcopy(joblib.load(scratch / "model.joblib"))
    trees = model.named_steps["trees"]
    trees._predictors = trees._predictors * TIMES
    chosen = frame.sample(2000, random_state=3)
    return serving.write_package(model, chosen, chosen.head(500), scratch / "serving" / SLOW)


def _capacity(port: int, body: str) -> dict[str, Any]:
    """What the slow model takes when nobody else asks: one request after the other."""
    probe = Client("probe", port=port, path=f"/models/{SLOW}/predict", body=body, pause_s=0.0)
    probe.go()
    time.sleep(2.0)
    return probe.result()


def measure(scratch: Path) -> dict[str, Any]:
    """Measure the fast model alone, and beside the slow one that is offered 8 times what it can do."""
    frame = serving.prepare(scratch)
    first = digest_file(scratch / "serving" / "package" / "manifest.json")
    slow = _slow_model(scratch, frame)
    serving.publish(scratch / "serving", {MODEL: [("package", first)], SLOW: [(SLOW, slow)]}, 2)
    rows = flights.rows(frame, ROWS)
    small, large = json.dumps({"rows": rows[:1]}), json.dumps({"rows": rows})
    settings = json.dumps({"models": {SLOW: {"queue": QUEUE}}})
    with serving_sides.running(PLUSONE, scratch, {}, "--settings", settings) as one:
        capacity = _capacity(one.port, large)
        rate = OVER * 1000 / capacity["p50_ms"]
        found: dict[str, Any] = {
            "capacity": capacity,
            "rate": rate,
            "queue": QUEUE,
            "calibration_s": machine.calibrate(),
        }
        alone = Client("probe", port=one.port, path=PATH, body=small, pause_s=0.005)
        alone.go()
        time.sleep(SECONDS / 2)
        found["fast_alone"] = alone.result()
        over = Client("at_rate", port=one.port, path=f"/models/{SLOW}/predict", body=large, rate=rate, seconds=SECONDS)
        beside = Client("probe", port=one.port, path=PATH, body=small, pause_s=0.005)
        beside.go()
        over.go()
        found["over"] = over.result()
        found["fast_beside"] = beside.result()
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What was taken, what was refused, and what the fast model did meanwhile."""
    over = found["over"]
    yield (
        f"a slow model, {ROWS} rows a request: p50 {found['capacity']['p50_ms']:.1f} ms by itself; offered "
        f"{found['rate']:.0f} requests/s for {SECONDS:.0f} s with a queue of {found['queue']}"
    )
    refused = 0
    for status, one in sorted(over["statuses"].items()):
        refused += one["count"] if int(status) in (429, 503) else 0
        yield (
            f"  {status}: {one['count']} requests ({one['count'] / over['seconds']:.0f}/s), p50 {one['p50_ms']:.1f}, "
            f"p99 {one['p99_ms']:.1f}, max {one['max_ms']:.1f} ms"
        )
    yield f"  refusals with Retry-After: {over['told_when']} of {refused}; connections that failed: {over['failed']}"
    alone, beside = found["fast_alone"], found["fast_beside"]
    yield (
        f"  a fast model in the same worker: p50 {alone['p50_ms']:.1f}, p99 {alone['p99_ms']:.1f} ms alone; p50 "
        f"{beside['p50_ms']:.1f}, p99 {beside['p99_ms']:.1f}, max {beside['max_ms']:.1f} ms beside that"
    )
