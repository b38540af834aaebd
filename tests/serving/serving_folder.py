"""What the tests of this room do with a serving folder: publish routes, start workers, send requests, count answers."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from plusone.base.config import Serve
from plusone.base.records import ModelRoute, RouteFile, RouteTarget
from plusone.workers import routes
from plusone.workers.supervisor import Supervisor

ROW = {"x": 0.5, "z": 0.25}
BODY = json.dumps({"rows": [ROW]}).encode()
MAX_BODY_BYTES = 1024 * 1024


def until(
    condition: Callable[[], bool], what: str, *, seconds: float = 15.0, poll: Callable[[], None] | None = None
) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        if poll is not None:
            poll()
        pause.wait(0.005)


class ServingFolder:
    """A serving folder and the supervisors that a test started on it."""

    def __init__(self, path: Path, packages: dict[int, tuple[str, Path]]) -> None:
        self.path = path
        self.packages = packages
        self.supervisors: list[Supervisor] = []
        for digest, folder in packages.values():
            shutil.copytree(folder, path / "packages" / digest)

    def target(self, number: int, share: float, *, stage: Any = "", shadow: float = 0.0) -> RouteTarget:
        """Return the route target of one of the three packages."""
        digest = self.packages[number][0]
        return RouteTarget(
            release=number,
            digest=digest,
            package=digest,
            folder=f"packages/{digest}",
            share=share,
            shadow=shadow,
            stage=stage,
        )

    def publish(self, version: int, *targets: RouteTarget, model: str = "m") -> None:
        """Publish a route file with one model and these releases."""
        models = {model: ModelRoute(version=version, targets=targets)}
        routes.publish(self.path, RouteFile(sequence=version, models=models))

    def route(self, version: int, *, live: int, warm: int | None = None, model: str = "m") -> None:
        """Publish a route file with one model."""
        targets = [self.target(live, 1.0), *([] if warm is None else [self.target(warm, 0.0)])]
        self.publish(version, *targets, model=model)

    def start(
        self, *, workers: int, port: int = 0, wait: bool = True, hung_s: float = 30.0, **settings: Any
    ) -> Supervisor:
        """Start a supervisor and wait until its workers are ready."""
        common = Serve(port=port, workers=workers, max_body_bytes=MAX_BODY_BYTES)
        serve = msgspec.structs.replace(common, **settings)
        supervisor = Supervisor(self.path, serve, hung_s=hung_s)
        self.supervisors.append(supervisor)
        supervisor.start()
        if wait:
            until(lambda: all_ready(supervisor), "workers ready", poll=supervisor.poll)
        return supervisor

    def kill(self, pid: int) -> None:
        """Kill one process of this folder at once (signal 9)."""
        assert pid in {report.pid for report in routes.read_reports(self.path)}
        os.kill(pid, signal.SIGKILL)

    def processes(self, supervisor: Supervisor) -> list[subprocess.Popen[bytes]]:
        """Return the processes that a supervisor started."""
        return [seat.process for seat in supervisor._seats if seat.process is not None]

    def abandon(self, supervisor: Supervisor) -> None:
        """Leave the workers of a supervisor alone, as its death would."""
        processes = self.processes(supervisor)
        supervisor._release()
        # Somebody must take in the end of the children, as init would.
        for process in processes:
            threading.Thread(target=process.wait, daemon=True).start()

    def log(self) -> str:
        """Return what all workers logged."""
        return "".join(path.read_text("utf-8") for path in sorted((self.path / "logs").glob("*.log")))


def all_ready(supervisor: Supervisor) -> bool:
    """Whether every worker of a supervisor is ready."""
    reports = supervisor.reports()
    return len(reports) == supervisor.workers and all(report.ready for report in reports)


def ask(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Send one request on a connection of its own; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def error_of(answer: tuple[int, dict[str, str], bytes]) -> dict[str, Any]:
    """Return the error object of an answer, after checking its form."""
    assert answer[1]["content-type"] == "application/json"
    error: dict[str, Any] = json.loads(answer[2])["error"]
    assert error["code"]
    assert error["message"]
    assert b"Traceback" not in answer[2]
    return error


class Traffic:
    """Threads that send prediction requests without a pause, each on its own kept connection, and keep the answers."""

    def __init__(self, port: int, *, threads: int = 4, path: str = "/models/m/predict") -> None:
        self.answers: list[tuple[float, float, int]] = []
        """When the request was begun, when it was answered, and by which release."""
        self.failures: list[str] = []
        self._port = port
        self._path = path
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        self.more(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(15)

    def more(self, count: int = 40, *, poll: Callable[[], None] | None = None) -> None:
        """Wait for `count` further answers."""
        goal = len(self.answers) + count
        until(lambda: len(self.answers) >= goal, f"{count} further answers ({self.failures[:3]})", poll=poll)

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        sent = 0
        while not self._end.is_set():
            began = time.monotonic()
            try:
                connection.request("POST", self._path, BODY)  # connects again after a close
                response = connection.getresponse()
                body = response.read()
                sent += 1
                if response.status == 200:
                    self.answers.append((began, time.monotonic(), json.loads(body)["release"]))
                else:
                    self.failures.append(f"{response.status} {body!r}")
                if sent % (5 + number) == 0:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()
