"""The process of one model, from outside: started, asked, ended, and what it prints.

It knows sockets and signals. It knows no package and no columns.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import Unavailable
from .wire import Frame, Stream, WireError

__all__ = ["Died", "Log", "Process"]

Log = Callable[..., None]
"""Called with the name of an event and its fields, from any thread."""

_CHILD = Path(__file__).with_name("child.py")
_PATIENCE_S = 5.0
_LINES_PER_SECOND = 10
_LINE_BYTES = 500
_PIECE_BYTES = 1 << 16
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Died(Exception):
    """The process ended, or did not speak as it should; the text says how."""


class Process:
    """A process that holds one model, or is about to. One request at a time may be asked of it.

    Args:
        python: the interpreter, of the environment in which the model works.
        folder: its working folder.
        path: where its modules are found, beside the standard library; left out: where that Python looks. With it no
            line of a `.pth` file is run, so that what is imported is what the model imports.

    Raises:
        Unavailable: when it can't be started.
    """

    def __init__(self, python: Path, folder: Path, log: Log, *, path: Sequence[str] = ()) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        self._log = log
        self._number = 0
        self._stream = Stream(ours)
        self._socket = ours
        descriptors = [str(theirs.fileno()), str(lifeline)]
        try:
            self._process = subprocess.Popen(
                [str(python), "-I", *(["-S"] if path else []), "-B", str(_CHILD), *descriptors, *path],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), lifeline),
                # A group of its own: what the model starts ends with it, and ^C in a terminal is not for it.
                process_group=0,
                # One request is answered at a time, on as many cores as there are workers.
                env={"OMP_WAIT_POLICY": "passive", **dict.fromkeys(_THREADS, "1"), **os.environ},
            )
        except OSError as error:
            os.close(self._lifeline)
            ours.close()
            raise Unavailable(
                f"No process for the model could be started with {python}: {error}.",
                mend="see whether the environment of the release is there; plusone up builds it anew",
            ) from error
        finally:
            theirs.close()
            os.close(lifeline)
        self.pid = self._process.pid
        threading.Thread(target=_drain, args=(self._process.stdout, self.pid, log), name="output", daemon=True).start()

    def ask(
        self, meta: Mapping[str, Any], arrays: Mapping[str, Any] | None, time_limit_s: float, *, most_bytes: int
    ) -> Frame:
        """Send a request and return its answer, whose arrays may have `most_bytes` together.

        Raises:
            TimeoutError: when it did not answer in time; the process must be ended.
            Died: when it ended meanwhile, or what it sent is no answer; likewise.
        """
        self._number += 1
        until = time.monotonic() + time_limit_s
        try:
            self._stream.send({**meta, "request": self._number}, arrays, until=until)
            frame = self._stream.receive(until=until, most_bytes=most_bytes)
        except TimeoutError:
            raise
        except WireError as error:
            raise Died(f"it sent what is no answer: {error}") from error
        except OSError as error:
            raise Died(self._how(error)) from error
        if frame is None:
            raise Died(self._how(None))
        if frame.meta.get("request") != self._number:
            raise Died(f"it answered request {frame.meta.get('request')!r} in place of {self._number}")
        return frame

    @property
    def is_dead(self) -> bool:
        """Whether it ended, or sent something that nobody asked for. Only between requests."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def end(self, *, wait: bool = True) -> None:
        """End the process and what it started, at once; safe to call twice.

        Args:
            wait: until it is gone. A big one takes a while, which an event loop does not have.
        """
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        self._stream.close()
        # The group is there as long as its leader was not waited for.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        if not wait:
            with contextlib.suppress(RuntimeError):  # this process is ending itself
                threading.Thread(target=self._reap, name="reap", daemon=True).start()
                return
        self._reap()

    def _reap(self) -> None:
        code = self._process.wait()
        self._log("model_process_ended", model_pid=self.pid, code=code)

    def _how(self, error: OSError | None) -> str:
        """Return how it ended, in words."""
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return f"it closed its socket ({error or 'without an answer'})"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _drain(stream: Any, pid: int, log: Log) -> None:
    """Log what the model prints, a few short lines a second; the pipe is emptied whatever becomes of the log."""
    second, lines, left_out = 0, 0, 0
    with stream:
        while piece := os.read(stream.fileno(), _PIECE_BYTES):
            for line in piece.splitlines():
                present = int(time.monotonic())
                if present != second:
                    second, lines = present, 0
                if lines >= _LINES_PER_SECOND:
                    left_out += 1
                    continue
                lines += 1
                text = line[:_LINE_BYTES].decode("utf-8", "backslashreplace")
                with contextlib.suppress(Exception):
                    log("model_printed", model_pid=pid, line=text, **({"left_out": left_out} if left_out else {}))
                left_out = 0
