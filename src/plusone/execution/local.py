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

_PATIENCE_S = 5.0
_PIECE_BYTES = 1 << 16

OnLine = Callable[[str], None]
OnEvent = Callable[[dict[str, Any]], None]


class Child:
    """A Python child that answers requests: one JSON object a line, on pipes of its own, apart from its output.

    When the parent dies, however it dies, the child's pipe closes and the child ends.

    Raises:
        Unavailable: when it can't be started.

    Args:
        module: what `python -m` runs; it must call `serve_requests`.
        arguments: its command line.
        folder: its working folder.
        log: the file that keeps everything it prints.
        on_line: called with each line it prints, without the line end, from a thread; a line of over 64 KiB comes in
            several pieces. When it raises it is not called again, and the work goes on.
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
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("ab", buffering=0)
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        self._requests = os.fdopen(request_write, "wb", buffering=0)
        self._replies = os.fdopen(reply_read, "rb")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", module, "--pipes", str(request_read), str(reply_write), *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(request_read, reply_write),
                # OpenMP threads that spin while they wait are many times slower when a server shares the cores.
                env={"OMP_WAIT_POLICY": "passive", **os.environ, **(environment or {})},
            )
        except OSError as error:
            self._close_files()
            raise Unavailable(f"No process could be started in {folder}: {error}.") from error
        finally:
            os.close(request_read)
            os.close(reply_write)
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
        try:
            # It can't reply any more: its end of the pipe is closed.
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._printer.join(_PATIENCE_S)
        raise Unavailable(
            f"The process that did the work ended with {how} before it was done.",
            mend="look for what ended it: a step or a model that calls os._exit, or one that needs more memory",
            exit=code,
        )

    def close(self) -> None:
        """End the child and wait for it: it ends by itself when its pipe closes, and is killed after 5 s."""
        self._requests.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._printer.join(_PATIENCE_S)
        self._close_files()

    def _close_files(self) -> None:
        self._requests.close()
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
        with stream:
            # A line without an end, a progress bar for one, comes in pieces. Whatever happens to the log or to whoever
            # looks on (a full disk, a closed terminal), the pipe is emptied: a full one would stop the work.
            while line := stream.readline(_PIECE_BYTES):
                with contextlib.suppress(ValueError, OSError):
                    self._log.write(line)
                try:
                    if on_line:
                        on_line(line.decode("utf-8", "replace").rstrip("\r\n"))
                except Exception:
                    on_line = None


def serve_requests(request_fd: int, reply_fd: int, handle: Callable[[dict[str, Any], OnEvent], dict[str, Any]]) -> None:
    """Answer requests until the parent closes its end; the child's half of `Child`.

    `handle` gets the request and a function that sends an event; it returns the reply. If the parent goes away while
    work is done, the process ends at once: nobody waits for the result.
    """
    # A process that this one starts must not hold the parent's pipe open.
    os.set_inheritable(request_fd, False)
    os.set_inheritable(reply_fd, False)
    # Nor may one that it forks: the parent would not learn that this process died.
    os.register_at_fork(after_in_child=lambda: _let_go(request_fd, reply_fd))
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


def _let_go(*descriptors: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)
