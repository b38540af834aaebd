"""What a small request waits for while the same worker reads a body of 50 MB, answers it, or refuses one."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import flights, serving, serving_sides
from .serving_clients import Client
from .serving_sides import FASTAPI, MODEL, PATH, PLUSONE, Running

LARGE_BYTES = 50_000_000
LIMIT_BYTES = 64_000_000
TOO_LARGE_BYTES = 100_000_000
ROUNDS = 3
ALONE_S = 2.0


def _write(rows: list[dict[str, Any]], size: int, file: Path) -> None:
    """Write a valid request of about so many bytes: the rows over and over."""
    some = json.dumps(rows)[1:-1]
    file.write_text('{"rows": [' + ", ".join([some] * max(1, size // (len(some) + 2))) + "]}", "utf-8")


@contextlib.contextmanager
def _probed(one: Running, body: str) -> Iterator[dict[str, Any]]:
    """Send small requests while the block runs; what they took is in what this gives, afterwards."""
    found: dict[str, Any] = {}
    probe = Client("probe", port=one.port, path=PATH, body=body)
    probe.go()
    time.sleep(0.2)
    yield found
    found.update(probe.result())


def _measure(one: Running, files: Mapping[str, Path], body: str, rounds: int) -> dict[str, Any]:
    with _probed(one, body) as alone:
        time.sleep(ALONE_S)
    found: dict[str, Any] = {"alone": alone}
    for kind, file in files.items():
        found[kind] = []
        for _ in range(rounds):
            large = Client("send", port=one.port, path=PATH, file=str(file), chunked=kind == "refused, chunked")
            with _probed(one, body) as beside:
                large.go()
                answered = large.result()
            found[kind].append({"large": answered, "beside": beside})
    return found


def measure(scratch: Path, pythons: Mapping[str, Path]) -> dict[str, Any]:
    """Measure plusone, and FastAPI by hand beside it, which has no limit and reads what it is sent."""
    frame = serving.prepare(scratch)
    rows = flights.rows(frame, 1000)
    body = json.dumps({"rows": rows[:1]})
    files = {"answered": scratch / "large", "refused": scratch / "too-large"}
    _write(rows, LARGE_BYTES, files["answered"])
    _write(rows, TOO_LARGE_BYTES, files["refused"])
    settings = json.dumps({"max_body_bytes": LIMIT_BYTES})
    found: dict[str, Any] = {"model": MODEL}
    with serving_sides.running(PLUSONE, scratch, pythons, "--settings", settings) as one:
        found["plusone"] = _measure(one, {**files, "refused, chunked": files["refused"]}, body, ROUNDS)
    with serving_sides.running(FASTAPI, scratch, pythons) as one:
        found["fastapi"] = _measure(one, {"answered": files["answered"]}, body, 1)
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """A line for each side and each kind of body."""
    for side in ("plusone", "fastapi"):
        alone = found[side]["alone"]
        yield f"{side}: small requests, nothing beside them: p50 {alone['p50_ms']:.1f}, max {alone['max_ms']:.1f} ms"
        for kind, rounds in found[side].items():
            if kind == "alone":
                continue
            large = rounds[0]["large"]
            statuses = sorted({one["large"]["status"] for one in rounds})
            first = max(one["large"]["first_byte_s"] for one in rounds)
            whole = max(one["large"]["seconds"] for one in rounds)
            yield (
                f"{side}, beside a body, {large['sent_bytes'] / 1e6:.0f} MB sent, {kind} (status {statuses}, first "
                f"byte after {first:.3f} s, whole after {whole:.2f} s): small requests p50 "
                f"{max(one['beside']['p50_ms'] for one in rounds):.1f}, p99 "
                f"{max(one['beside']['p99_ms'] for one in rounds):.1f}, max "
                f"{max(one['beside']['max_ms'] for one in rounds):.1f} ms of "
                f"{sum(one['beside']['count'] for one in rounds)} (bar: 100 ms)"
            )
