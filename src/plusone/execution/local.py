"""A child process that is asked for things over a pipe, whose output streams to the caller line by line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from ..base.errors import Unavailable

__all__ = ["Child", "serve_requests"]

OnLine = Callable[[str], None]
OnEvent = Callable[[dict[str, Any]], None]


class Child:
    """A Python child that answers requests: one JSON object a line, on pipes of its own, apart from its output.

    When the parent dies, however it dies, the child's pipe closes and the child ends.

    Args:
        module: what `python -m` runs; it must call `serve_requests`.
        arguments: its command line.
        folder: its working folder.
        log: the file that keeps everything it prints.
        on_line: called with each line it prints, without the line end, from a thread.
        environment: variables to add to this process's own.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        folder: Path,
        log: Path,
        on_line: OnLine | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, "--pipes", str(request_read), str(reply_write), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(request_read, reply_write),
            # OpenMP threads that spin while they wait are many times slower when the cores are shared with a server.
            env={"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        )
        os.close(request_read)
        os.close(reply_write)
        self._requests = os.fdopen(request_write, "wb", buffering=0)
        self._replies = os.fdopen(reply_read, "rb")
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("ab")
        self._printer = threading.Thread(target=self._stream, args=(on_line,), daemon=True)
        self._printer.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def ask(self, request: dict[str, Any], *, on_event: OnEvent | None = None) -> dict[str, Any]:
        """Send a request and return its reply; events that come before it go to `on_event`.

        Raises:
            Unavailable: when the child died before it replied; says how.
        """
        try:
            self._requests.write(msgspec.json.encode(request) + b"\n")
            for line in self._replies:
                message: dict[str, Any] = msgspec.json.decode(line)
                if "event" not in message:
                    return message
                if on_event:
                    on_event(message)
        except (BrokenPipeError, msgspec.DecodeError):
            pass
        code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._printer.join(5)
        raise Unavailable(f"The process that did the work ended with {how} before it was done.", exit=code)

    def close(self) -> None:
        """End the child and wait for it: it ends by itself when its pipe closes, and is killed after 5 s."""
        self._requests.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._printer.join(5)
        self._replies.close()
        self._log.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stream(self, on_line: OnLine | None) -> None:
        stream: IO[bytes] | None = self._process.stdout
        if stream is None:
            return
        with stream, contextlib.suppress(ValueError):
            for line in stream:
                self._log.write(line)
                self._log.flush()
                if on_line:
                    on_line(line.decode("utf-8", "replace").rstrip("\r\n"))


def serve_requests(request_fd: int, reply_fd: int, handle: Callable[[dict[str, Any], OnEvent], dict[str, Any]]) -> None:
    """Answer requests until the parent closes its end; the child's half of `Child`.

    `handle` gets the request and a function that sends an event; it returns the reply. If the parent goes away while
    work is done, the process ends at once: nobody waits for the result.
    """
    # A process that this one starts must not hold the parent's pipe open.
    os.set_inheritable(request_fd, False)
    os.set_inheritable(reply_fd, False)
    waiting: list[bytes] = []
    arrived = threading.Condition()

    def listen() -> None:
        with os.fdopen(request_fd, "rb") as requests:
            for line in requests:
                with arrived:
                    waiting.append(line)
                    arrived.notify()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    with os.fdopen(reply_fd, "wb", buffering=0) as replies:

        def send(message: dict[str, Any]) -> None:
            replies.write(msgspec.json.encode(message) + b"\n")

        while True:
            with arrived:
                arrived.wait_for(lambda: bool(waiting))
                line = waiting.pop(0)
            send(handle(msgspec.json.decode(line), send))
