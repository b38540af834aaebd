"""A project whose rollouts are carried on by hand: evidence and servers are written as workers and machines would, and
the time is what the test says."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from plusone.base import clock
from plusone.base.plans import parse_plan
from plusone.base.records import Route, ServerReport, WorkerReport
from plusone.base.rollouts import Rollout
from plusone.control.rolling import Rolling
from plusone.monitoring.judge import Judging
from plusone.release import rollout
from plusone.release.events import newest_rollout
from plusone.release.lifecycle import current_route
from plusone.store.rows import to_row
from tests.release.written import Written

__all__ = ["START", "Rolled", "killer"]

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Rolled:
    """m@1 live and m@2 passed, and what this machine's workers counted of them.

    Args:
        new: whether the releases are to be made, or are there.
    """

    def __init__(self, root: Path, *, new: bool = True) -> None:
        self.written = Written(root)
        self.store = self.written.store
        if new:
            self.written.release(live=True)
            self.written.release()
        self.folder = self.store.folder / "serving"
        (self.folder / "evidence").mkdir(parents=True, exist_ok=True)
        self.passed_s = 0.0
        self.counts: dict[tuple[str, int], dict[str, Any]] = {}
        self.told: list[dict[str, Any]] = []
        self.rolling = self.another()

    def another(self, folder: Path | None = None) -> Rolling:
        """Another control process."""
        return Rolling(self.store, folder or self.folder, Judging(), now=self.now)

    def now(self) -> str:
        """The time, as the test says."""
        return (START + dt.timedelta(seconds=self.passed_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def begin(self, *plan: str) -> None:
        """Begin to roll m@2 out, and serve its first step."""
        rollout.begin(self.store, "m@2", parse_plan(plan, "the plan"), by="ann")
        self.serve()

    def serve(self, *, behind: int = 0, evidence: str = "{}", host: str = "here") -> None:
        """Have every worker serve the newest route, or one that is so many versions older."""
        route = self.route()
        worker = WorkerReport(pid=1, slot=0, ready=True, generation="g", versions={"m": route.version - behind})
        report = ServerReport(
            id=f"server-{host}", host=host, pid=1, address="a", control="c", workers=(worker,),
            started_at=clock.now(), heartbeat_at=clock.now(),
        )  # fmt: skip
        with self.store.db.write() as tx:
            tx.execute("server_report", **to_row(report), evidence=evidence)

    def route(self) -> Route:
        """The newest route version."""
        found = current_route(self.store.db, "m")
        assert found is not None
        return found

    def count(self, release: int, requests: int, *, kind: str = "served", errors: int = 0, output: str = "a") -> None:
        """Have the workers count requests."""
        one = self.counts.setdefault(
            (kind, release), {"requests": 0, "errors": 0, "rows": 0, "outputs": {}, "latency": {}}
        )
        answered = requests - errors
        one["requests"] += requests
        one["errors"] += errors
        one["rows"] += answered
        one["outputs"][output] = one["outputs"].get(output, 0) + answered
        one["latency"]["-60"] = one["latency"].get("-60", 0) + answered
        self.write()

    def write(self) -> None:
        """Write what was counted, as a worker does."""
        counts = [{"kind": kind, "model": "m", "release": n, **rest} for (kind, n), rest in self.counts.items()]
        (self.folder / "evidence" / "0.json").write_bytes(msgspec.json.encode({"counts": counts}))

    def turn(self, seconds: float = 1.0, *, turns: int = 1, rolling: Rolling | None = None) -> None:
        """Let some time pass and take a look, some times; whatever route comes of it is served at once."""
        for _ in range(turns):
            self.passed_s += seconds
            before = self.route().version
            (rolling or self.rolling).turn(self.told.append)
            if self.route().version != before:
                self.serve()

    def rollout(self) -> Rollout:
        """The newest rollout."""
        found = newest_rollout(self.store.db, "m")
        assert found is not None
        return found

    def kinds(self) -> list[str]:
        """What happened to it, but for the looks."""
        return [event.kind for event in self.rollout().events]

    @property
    def host(self) -> str:
        """The name of this machine."""
        return socket.gethostname()


def killer(number: int) -> Callable[..., None]:
    """Kill this process at the n-th boundary: before or after a statement of a write transaction."""
    seen = 0

    def hook(frame: Any, event: str, argument: Any) -> None:
        nonlocal seen
        if event not in ("c_call", "c_return") or getattr(argument, "__name__", "") != "execute":
            return
        code = frame.f_code
        back = frame.f_back.f_code.co_name
        writes = code.co_name == "write" or (code.co_name == "_run" and back == "execute")
        if writes and code.co_filename.endswith("sqlite.py"):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook
