"""One process beside the worker, and the socket to it: bytes go when there is room, and nothing waits for them.

Measured for 50 MB: 240 writes of at most 0.4 ms on the event loop, 10 ms in all. A memfd filled in one go held the loop
up for 30 to 80 ms, and kept a second copy of the body while the first was still there.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..base.errors import Unavailable
from ..evidence.histograms import Outputs
from .frames import Frame, FrameError, Kind, Parser, Reply, error_of, pack

__all__ = ["Connection", "Failed", "Job", "Log", "start"]

_READ_BYTES = 1 << 18
_PARTS_AT_ONCE = 64
_PATIENCE_S = 5.0

Log = Callable[..., None]


class Failed(Exception):
    """A fault of ours while a big request was answered; the text is the traceback of the process."""


class Job:
    """One request: what is sent, and the future of its reply.

    Attributes:
        parts: the body; emptied when it is on its way.
        size: the number of its bytes.
        reply: done with a Reply, an exception, or cancelled by who asked.
        timer: ends the request when its time is over.
    """

    __slots__ = ("kind", "meta", "parts", "reply", "size", "timer")

    def __init__(self, kind: Kind, meta: Mapping[str, Any], parts: list[bytes], reply: asyncio.Future[Reply]) -> None:
        self.kind = kind
        self.meta = meta
        self.parts = parts
        self.size = sum(map(len, parts))
        self.reply = reply
        self.timer: asyncio.TimerHandle | None = None

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless there is an answer, or nobody waits for one."""
        if not self.reply.done():
            self.reply.set_exception(error)


async def start(command: Sequence[str], log: Log) -> Connection:
    """Start a process and return the connection to it; forking takes place in a thread.

    Raises:
        Unavailable: when the system can't start it.
    """
    loop = asyncio.get_running_loop()
    try:
        process, ours = await loop.run_in_executor(None, _spawn, command)
    except OSError as error:
        raise Unavailable(f"No process for big requests could be started: {error}.", mend="send it again") from error
    log("aside_started", aside_pid=process.pid)
    return Connection(process, ours, log)


def _spawn(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        try:
            process = subprocess.Popen(
                [*command, str(theirs.fileno())], stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),)
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


class Connection:
    """A process that runs, and answers one request at a time.

    Attributes:
        pid: the process.
        is_lost: nothing can be asked of it any more; it is ending, or gone.
        answers: how many requests it answered.
        was_killed: it was ended by `kill`.
    """

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket, log: Log) -> None:
        self.pid = process.pid
        self.is_lost = False
        self.answers = 0
        self.was_killed = False
        self._process = process
        self._socket = ours
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._parser = Parser()
        self._out: deque[bytes | memoryview] = deque()
        self._job: Job | None = None
        self._number = 0
        self._parts: list[bytes] = []
        self._free = self._loop.create_future()
        self._burial: asyncio.Task[None] | None = None
        self._loop.add_reader(ours, self._on_readable)

    async def ask(self, job: Job) -> None:
        """Have a request answered; return when the process is free for the next one, or gone.

        Raises:
            ValueError: when its meta is too large to be sent.
        """
        self._number += 1
        front = pack(job.kind, self._number, job.meta, job.size)
        self._job, self._parts, self._free = job, [], self._loop.create_future()
        self._send(front, *filter(None, job.parts))
        job.parts.clear()
        await self._free

    def tell(self, kind: Kind, meta: Mapping[str, Any]) -> None:
        """Send a frame that has no answer."""
        if not self.is_lost:
            self._send(pack(kind, 0, meta))

    def cancel(self, job: Job) -> None:
        """Ask the process to stop answering a request, which it does between two pieces of the answer."""
        if self._job is job and not self.is_lost:
            self._send(pack(Kind.CANCEL, self._number))

    def kill(self) -> None:
        """End the process at once."""
        self.was_killed = True
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Close the socket, by which the process ends; what it is answering fails with Unavailable."""
        if self.is_lost:
            return
        self.is_lost = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._out.clear()
        self._burial = self._loop.create_task(self._bury())

    async def ended(self) -> None:
        """Wait until a process that was closed is gone."""
        if self._burial is not None:
            await asyncio.wait((self._burial,))

    # ---------------------------------------------------------------------------------- the socket

    def _send(self, *pieces: bytes) -> None:
        if not self._out:
            self._loop.add_writer(self._socket, self._on_writable)
        self._out.extend(pieces)

    def _on_writable(self) -> None:
        out = self._out
        try:
            sent = self._socket.sendmsg(list(itertools.islice(out, _PARTS_AT_ONCE)))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        while sent:
            first = out[0]
            if sent < len(first):
                out[0] = memoryview(first)[sent:]
                return
            sent -= len(first)
            out.popleft()
        if not out:
            self._loop.remove_writer(self._socket)

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            for frame in self._parser.feed(data):
                self._take(frame)
        except FrameError as error:
            self._log("aside_garbage", aside_pid=self.pid, error=str(error))
            self.kill()

    def _take(self, frame: Frame) -> None:
        job = self._job
        if job is None or frame.request != self._number:
            raise FrameError(f"a {frame.kind.name} for request {frame.request}, which is not being answered")
        if frame.kind == Kind.PART:
            self._parts += frame.body
            return
        parts, self._parts = self._parts, []
        if frame.kind == Kind.DONE:
            if not job.reply.done():
                job.reply.set_result(_reply(parts, frame.meta))
        elif frame.kind != Kind.FAILED:
            raise FrameError(f"the process sends no {frame.kind.name}")
        elif frame.meta.get("code"):
            job.fail(error_of(frame.meta))
        else:
            job.fail(Failed(frame.meta.get("cause", "")))
        self.answers += 1
        self._job = None
        self._free.set_result(None)

    # ---------------------------------------------------------------------------------- the end

    async def _bury(self) -> None:
        """Take in the end of the process, and tell who waits for its answer."""
        code = await self._loop.run_in_executor(None, _reap, self._process)
        busy = self._job is not None
        self._log("aside_ended", aside_pid=self.pid, code=code, busy=busy, answers=self.answers)
        if self._job is not None:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            self._job.fail(
                Unavailable(
                    f"The process for big requests died ({how}) while it had this one.",
                    mend="send it again, or fewer rows at a time",
                )
            )
            self._job = None
            self._free.set_result(None)


def _reply(parts: list[bytes], meta: Mapping[str, Any]) -> Reply:
    counted = meta["outputs"]
    return Reply(parts, meta["rows"], meta["info"], None if counted is None else Outputs(*counted))


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process that is ending; one that does not end is killed."""
    try:
        return process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
