"""Runs the commands of plusone as a person would, and ends every process that it started."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["PLUSONE", "Commands", "Failure", "Ran", "free_ports"]

_TICK_S = 0.1
PLUSONE = Path(sys.executable).parent / "plusone"


class Failure(Exception):
    """Something that the story needs did not happen: it can't go on."""


class Ran(NamedTuple):
    """A command that has ended. Times are of `time.monotonic`."""

    code: int
    issued: float
    returned: float
    output: str
    errors: str

    @property
    def answer(self) -> Any:
        """What it printed with --json."""
        try:
            return json.loads(self.output)
        except ValueError:
            raise Failure(
                f"expected JSON, exit code {self.code}: {(self.errors or self.output).strip()[-2000:]}"
            ) from None


class Commands:
    """Starts processes for one project folder; leaving the block ends those that still run, the newest first.

    Args:
        folder: the project's folder.
        tick: called about ten times a second while a command is waited for.
    """

    def __init__(self, folder: Path, tick: Callable[[], None]) -> None:
        self._folder = folder
        self._tick = tick
        self._running: list[subprocess.Popen[Any]] = []
        # The story is about this project's own store, whatever the terminal is set to.
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("PLUSONE_")}
        self._environment["PLUSONE_BY"] = "demo"

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            self.end(process)

    def start(self, words: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """Start a process in a session of its own, so that Ctrl-C reaches it through us only."""
        process = subprocess.Popen(
            [str(word) for word in words], cwd=self._folder, env=self._environment, start_new_session=True, **options
        )
        self._running.append(process)
        return process

    def end(self, process: subprocess.Popen[Any], *, patience_s: float = 20.0) -> int:
        """Ask a process to end, by closing its standard input or by SIGTERM; kill its group when it does not."""
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        elif process.poll() is None:
            process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)  # what it started itself and left behind
        if process in self._running:
            self._running.remove(process)
        return process.returncode

    def plusone(self, *words: str, on_line: Callable[[str], None] | None = None) -> Ran:
        """Run a command of plusone in the project and return what came of it; `on_line` gets its standard error."""
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        errors: list[str] = []
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            issued = time.monotonic()
            options = {"stdout": output, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
            process = self.start([PLUSONE, *words], **options)
            reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
            reader.start()
            while _waiting(process):
                self._drain(lines, errors, on_line)
                self._tick()
            returned = time.monotonic()
            reader.join(5)
            self._drain(lines, errors, on_line)
            self._running.remove(process)
            output.seek(0)
            return Ran(process.returncode, issued, returned, output.read(), "\n".join(errors))

    def until_ready(self, process: subprocess.Popen[Any], url: str, *, patience_s: float = 30.0) -> None:
        """Return when `url` answers 200.

        Raises:
            Failure: when the process ended, or it took longer than `patience_s`.
        """
        host, _, path = url.removeprefix("http://").partition("/")
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Failure(f"the server ended with exit code {process.returncode} before it was ready")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if _status(host, path) == 200:
                    return
            self.pause(_TICK_S)
        raise Failure(f"{url} did not answer 200 within {patience_s:.0f} s")

    def pause(self, seconds: float) -> None:
        """Let time pass, in ticks."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(left, _TICK_S))

    @staticmethod
    def _drain(lines: queue.SimpleQueue[str], kept: list[str], on_line: Callable[[str], None] | None) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                line = lines.get_nowait()
                kept.append(line)
                if on_line:
                    on_line(line)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    for line in process.stderr or ():
        lines.put(line.rstrip("\n"))


def _waiting(process: subprocess.Popen[Any]) -> bool:
    try:
        process.wait(_TICK_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _status(host: str, path: str) -> int:
    connection = http.client.HTTPConnection(host, timeout=2)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nothing listens on."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
