"""What requests notice of swaps, canary steps and rollbacks: under 70 % of what one worker can do, beside a control of
the same length without any; and of a thousand swaps in a row.

The load does not wait for answers, and what a request took counts from when it was due. A small model and one of 70 MB.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from plusone.base.config import Serve
from plusone.base.ids import digest_file
from plusone.base.records import ModelRoute, Package, RouteFile, RouteTarget, Stage
from plusone.packaging import pack
from plusone.workers import routes
from plusone.workers.supervisor import Supervisor

from . import machine
from .paced import Noted, paced

MODEL = "m"
PATH = f"/models/{MODEL}/predict"
FIELDS = list("abcdef")
BIG_ROWS = 66_000  # a forest of so many rows without a limit to its leaves is one of 70 MB
CONNECTIONS = 16
SHARE = 0.7
CAPACITY_S = 4.0
SETTLE_S = 1.0
ROUNDS = 3
SWAPS = 1000
WAIT_S = 120.0
GAP_MS = 50.0
_LOOK_S = 0.01


def _models() -> dict[str, tuple[Any, int]]:
    return {
        "small": (LogisticRegression(), 2000),
        "70 MB": (RandomForestClassifier(100, random_state=0), BIG_ROWS),
    }


def write_package(folder: Path, trained: Any, rows: int) -> str:
    """Train and package a model; return the digest."""
    rng = np.random.default_rng(0)
    columns = pd.DataFrame(rng.normal(size=(rows, len(FIELDS))), columns=FIELDS)
    late = (columns["a"] + rng.normal(size=rows) > 0).to_numpy()
    with threadpool_limits(1):
        trained.fit(columns, late)
    table = pa.Table.from_pandas(columns[:2000]).append_column("y", pa.array(late[:2000]))
    folder.mkdir(parents=True)
    _, digest = pack(
        trained, name=MODEL, target="y", features=FIELDS, train=table, environment="none==0\n", folder=folder
    )
    return digest


def write_again(source: Path, folder: Path) -> str:
    """Write the same model as another package, which says another name of what was trained; return the digest."""
    shutil.copytree(source, folder)
    manifest = folder / "manifest.json"
    package = msgspec.json.decode(manifest.read_bytes(), type=Package)
    manifest.chmod(0o644)
    manifest.write_bytes(msgspec.json.encode(msgspec.structs.replace(package, trained=f"{package.trained} again")))
    return digest_file(manifest)


class Server:
    """One worker and the route that it follows."""

    def __init__(self, folder: Path, digests: Sequence[str]) -> None:
        self.folder = folder
        self.digests = digests
        self.version = 0
        self.supervisor = Supervisor(folder, Serve(port=0))

    def __enter__(self) -> Server:
        self.go((1, 1.0, "live"), wait=False)
        self.supervisor.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()

    @property
    def pid(self) -> int:
        return self.supervisor.reports()[0].pid

    def go(self, *targets: tuple[int, float, Stage], wait: bool = True) -> float:
        """Publish a route of releases, shares and stages; return when all workers had said that they serve it."""
        self.version += 1
        found = tuple(
            RouteTarget(
                release=release,
                digest=self.digests[release - 1],
                package=self.digests[release - 1],
                folder=f"packages/{release}",
                share=share,
                stage=stage,
            )
            for release, share, stage in targets
        )
        models = {MODEL: ModelRoute(version=self.version, targets=found)}
        routes.publish(self.folder, RouteFile(sequence=self.version, models=models))
        return self.wait() if wait else time.monotonic()

    def wait(self) -> float:
        """Wait until the newest version is served; return when."""
        until = time.monotonic() + WAIT_S
        while True:
            self.supervisor.poll()
            reports = self.supervisor.reports()
            if self.supervisor.serves(MODEL, self.version) and all(report.ready for report in reports):
                return time.monotonic()
            if time.monotonic() > until or any(report.failed for report in reports):
                raise RuntimeError(f"version {self.version} of the route is not served: {reports}")
            time.sleep(_LOOK_S)


def _bodies() -> list[bytes]:
    rng = np.random.default_rng(1)
    return [
        json.dumps({"rows": [dict(zip(FIELDS, row, strict=True))]}).encode()
        for row in rng.normal(size=(64, 6)).tolist()
    ]


def _capacity(server: Server, scratch: Path) -> float:
    with paced(server.supervisor.port, PATH, _bodies(), rate=0.0, connections=CONNECTIONS, scratch=scratch) as found:
        time.sleep(CAPACITY_S)
    (noted,) = found
    return len(noted.ended) / (noted.ended[-1] - noted.ended[0])


def _moves(server: Server) -> list[tuple[str, float, float, set[int]]]:
    """Swap, roll back, go through the steps of a canary: of each its name, begin and end, and who may answer after."""
    made: list[tuple[str, float, float, set[int]]] = []

    def move(name: str, may: set[int], *targets: tuple[int, float, Stage]) -> None:
        began = time.monotonic()
        made.append((name, began, server.go(*targets), may))
        time.sleep(SETTLE_S / 4)

    move("swap", {2}, (2, 1.0, "live"), (1, 0.0, "previous"))
    move("rollback", {1}, (1, 1.0, "live"))  # and the other one is let go of
    move("canary 5 %", {1, 2}, (1, 0.95, "live"), (2, 0.05, "canary"))
    move("canary 50 %", {1, 2}, (1, 0.5, "live"), (2, 0.5, "canary"))
    move("all of it", {2}, (2, 1.0, "live"), (1, 0.0, "previous"))
    move("rollback", {1}, (1, 1.0, "live"))
    return made


def _stale(noted: Noted, moves: Sequence[tuple[str, float, float, set[int]]], upto: float) -> int:
    """Count answers of a release that has no traffic to requests that were sent after that was said to be done."""
    ends = [began for _, began, _, _ in moves[1:]] + [upto]
    count = 0
    for (_, _, done, may), end in zip(moves, ends, strict=True):
        inside = (noted.sent > done) & (noted.ended < end) & (noted.status == 200)
        count += int((~np.isin(noted.release[inside], list(may))).sum())
    return count


def measure_moves(scratch: Path, name: str) -> dict[str, Any]:
    """Measure the moves of one model beside a control, some rounds."""
    folder = scratch / "serving"
    trained, rows = _models()[name]
    digests = [write_package(folder / "packages" / "1", trained, rows)]
    digests.append(write_again(folder / "packages" / "1", folder / "packages" / "2"))
    rounds: list[dict[str, Any]] = []
    with Server(folder, digests) as server:
        capacity = _capacity(server, scratch)
        rate = SHARE * capacity
        for _ in range(ROUNDS):
            port = server.supervisor.port
            with paced(port, PATH, _bodies(), rate=rate, connections=CONNECTIONS, scratch=scratch) as found:
                time.sleep(SETTLE_S)
                began = time.monotonic()
                moves = _moves(server)
                ended = time.monotonic()
                time.sleep(SETTLE_S)
                control = time.monotonic()
                time.sleep(ended - began)
                over = time.monotonic()
            (noted,) = found
            rounds.append(
                {
                    "calibration_s": machine.calibrate(),
                    "requests": len(noted.ended),
                    "failed": noted.failed(),
                    "stale": _stale(noted, moves, ended),
                    "gap_ms": noted.longest_gap_ms(began, ended),
                    "control_gap_ms": noted.longest_gap_ms(control, over),
                    "latency_ms": noted.latency_ms(began, ended),
                    "control_latency_ms": noted.latency_ms(control, over),
                    "moves": [
                        {"name": one, "took_s": done - at, "gap_ms": noted.longest_gap_ms(at, done + 0.05)}
                        for one, at, done, _ in moves
                    ],
                }
            )
    size = sum(file.stat().st_size for file in (folder / "packages" / "1").iterdir())
    shutil.rmtree(folder)
    return {"capacity_per_s": capacity, "rate_per_s": rate, "package_bytes": size, "rounds": rounds}


def measure_many(scratch: Path, swaps: int = SWAPS) -> dict[str, Any]:
    """Swap that often under load; each swap loads a release, and lets go of the other one."""
    folder = scratch / "serving"
    trained, rows = _models()["small"]
    digests = [write_package(folder / "packages" / "1", trained, rows)]
    digests.append(write_again(folder / "packages" / "1", folder / "packages" / "2"))
    memory: list[int] = []
    stale = requests = failed = 0
    with Server(folder, digests) as server:
        rate = SHARE * _capacity(server, scratch)
        pid = server.pid
        began = time.monotonic()
        for _ in range(10):
            with paced(
                server.supervisor.port, PATH, _bodies(), rate=rate, connections=CONNECTIONS, scratch=scratch
            ) as found:
                moves: list[tuple[str, float, float, set[int]]] = []
                for number in range(swaps // 10):
                    release = 2 if number % 2 == 0 else 1
                    at = time.monotonic()
                    moves.append(("swap", at, server.go((release, 1.0, "live")), {release}))
                ended = time.monotonic()
            (noted,) = found
            requests += len(noted.ended)
            failed += noted.failed()
            stale += _stale(noted, moves, ended)
            memory.append(machine.memory(pid)["uss"])
        assert server.pid == pid
    seconds = time.monotonic() - began
    shutil.rmtree(folder)
    # Caches fill up at first (typing keeps 128 types for each of its forms): growth is what the second half adds.
    grown = (memory[-1] - memory[4]) / (swaps * 0.5)
    return {
        "swaps": swaps,
        "seconds": seconds,
        "rate_per_s": rate,
        "requests": requests,
        "failed": failed,
        "stale": stale,
        "memory_bytes": memory,
        "bytes_per_swap": grown,
    }


def measure(scratch: Path, swaps: int = SWAPS) -> dict[str, Any]:
    """Measure the moves with both models, and many swaps."""
    found: dict[str, Any] = {"moves": {name: measure_moves(scratch, name) for name in _models()}}
    found["many"] = measure_many(scratch, swaps)
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """A line for each bar."""
    for name, one in found["moves"].items():
        rounds = one["rounds"]
        yield (
            f"{name} ({one['package_bytes'] / 1e6:.1f} MB): swap, canary steps and rollback {len(rounds)} times at "
            f"{one['rate_per_s']:.0f} requests/s (70 % of {one['capacity_per_s']:.0f}): "
            f"{sum(each['failed'] for each in rounds)} of {sum(each['requests'] for each in rounds)} failed (bar: 0), "
            f"{sum(each['stale'] for each in rounds)} answers of a release after its traffic was gone (bar: 0)"
        )
        for each in rounds:
            bar = max(GAP_MS, 2 * each["control_gap_ms"])
            yield (
                f"    longest gap {each['gap_ms']:.0f} ms (bar: {bar:.0f}; control {each['control_gap_ms']:.0f}); "
                f"latency p50 {each['latency_ms']['p50']:.1f}, p99 {each['latency_ms']['p99']:.1f}, most "
                f"{each['latency_ms']['max']:.0f} ms (control {each['control_latency_ms']['p50']:.1f}, "
                f"{each['control_latency_ms']['p99']:.1f}, {each['control_latency_ms']['max']:.0f}); "
                + ", ".join(f"{move['name']} {move['took_s']:.2f} s, {move['gap_ms']:.0f} ms" for move in each["moves"])
            )
    many = found["many"]
    yield (
        f"{many['swaps']} swaps in a row in {many['seconds']:.0f} s at {many['rate_per_s']:.0f} requests/s: "
        f"{many['failed']} of {many['requests']} failed (bar: 0), {many['stale']} stale; memory "
        f"{many['memory_bytes'][0] / 1e6:.1f} MB after the first {many['swaps'] // 10}, "
        f"{many['memory_bytes'][4] / 1e6:.1f} MB after half of them, "
        f"{many['memory_bytes'][-1] / 1e6:.1f} MB at the end: "
        f"{many['bytes_per_swap']:.0f} bytes a swap (bar: flat)"
    )
