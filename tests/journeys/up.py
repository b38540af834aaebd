"""A `plusone up` that a test has started: its events, its processes, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from plusone.base.records import RouteFile
from plusone.workers import routes
from tests.http.server import free_port
from tests.journeys.projects import environment
from tests.serving.serving_folder import until

__all__ = ["Up"]


class Up:
    """`plusone up` on a project, on two free ports, in a process of its own."""

    def __init__(
        self, root: Path, *, workers: int = 1, ports: tuple[int, int] | None = None, env: dict[str, str] | None = None
    ) -> None:
        self.root = root
        self.serving = root / ".plusone" / "serving"
        self.port, self.control_port = ports or (free_port(), free_port())
        self.workers = workers
        self.mark = f"PLUSONE_TEST_UP={root}-{time.monotonic_ns()}"
        self.events: list[dict[str, Any]] = []
        name, _, value = self.mark.partition("=")
        command = [str(Path(sys.executable).with_name("plusone")), "up", "--json", "--workers", str(workers)]
        with (root / "up.err").open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), "--control-port", str(self.control_port)],
                cwd=root,
                env=environment(**{name: value}, **(env or {})),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Up:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(90)
        finally:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
            self._reader.join(60)
            if self.process.stdout is not None:
                self.process.stdout.close()

    @property
    def control(self) -> str:
        """The address of the control API."""
        return f"http://127.0.0.1:{self.control_port}"

    def wait_for(self, event: str, *, count: int = 1, seconds: float = 120.0) -> dict[str, Any]:
        """Wait until an event has come `count` times; return the last."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.events if one["event"] == event]

        until(
            lambda: len(found()) >= count or self.process.poll() is not None,
            f"{event} ({self.events})",
            seconds=seconds,
        )
        assert len(found()) >= count, (self.events, (self.root / "up.err").read_text("utf-8"))
        return found()[-1]

    def processes(self) -> list[int]:
        """Return the ids of all living processes that came of this command."""
        found: list[int] = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (place / "environ").read_bytes() and (place / "cmdline").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue
        return found

    def process_of(self, module: str) -> int | None:
        """Return the id of the process that runs a module, if there is one."""
        for pid in self.processes():
            try:
                if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
            except OSError:
                continue
        return None

    def route_file(self) -> RouteFile | None:
        """Return the route file, which is whole or the read fails."""
        return routes.read(self.serving)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
