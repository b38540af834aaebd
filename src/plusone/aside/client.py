"""The worker's end: big requests wait here for a process beside it, on the event loop and without ever holding it up.

A process is started by the first big request, started again when it died, and ended when it had nothing to do for a
while, so that its memory goes. Whatever becomes of it, each request is answered: with its reply or with an error.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import Overloaded, PlusoneError, TooSlow, Unavailable
from .connection import Connection, Failed, Job, Log, start
from .frames import Kind, Reply

__all__ = ["Aside", "Failed"]

_COMMAND = (sys.executable, "-P", "-m", "plusone.aside")
_FIRST_DELAY_S = 0.1
_MOST_DELAY_S = 5.0


def _silent(event: str, **fields: Any) -> None:
    """Take what is logged, and keep none of it."""


class _Slot:
    """The place of one process, which may run or not."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.job: Job | None = None
        self.task: asyncio.Task[None] | None = None
        self.end: asyncio.TimerHandle | None = None
        """Set while a process has nothing to do."""


class Aside:
    """Answers big requests in processes of their own. Belongs to the event loop on which it was made.

    Args:
        command: what starts a process: a program that calls `aside.process.run`. The descriptor of the socket is added.
        processes: how many at most. Each answers one request at a time; a second one starts when the first is busy.
        queue: how many requests may wait; those beyond are refused.
        queue_bytes: how many bytes the bodies that wait may have together; a single one may have more.
        idle_s: a process ends when it had nothing to do for so long.
        log: called with the name of an event and its fields.
    """

    def __init__(
        self,
        command: Sequence[str] = _COMMAND,
        *,
        processes: int = 1,
        queue: int = 16,
        queue_bytes: int = 256 * 1024 * 1024,
        idle_s: float = 60.0,
        log: Log = _silent,
    ) -> None:
        self._command = tuple(command)
        self._queue = queue
        self._queue_bytes = queue_bytes
        self._idle_s = idle_s
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._slots = [_Slot() for _ in range(processes)]
        self._waiting: deque[Job] = deque()
        self._waiting_bytes = 0
        self._closed = False
        self._delay_s = 0.0
        self._not_before = 0.0

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        running = [slot.connection for slot in self._slots if slot.connection is not None]
        return [connection.pid for connection in running if not connection.is_lost]

    @property
    def waiting(self) -> int:
        """How many requests wait for a process."""
        return len(self._waiting)

    async def predict(
        self,
        package: str,
        folder: Path,
        kind: str,
        parts: list[bytes],
        *,
        options: Mapping[str, Any] | None = None,
        timeout_s: float,
    ) -> Reply:
        """Return the answer to one body.

        Args:
            package: the digest of the package.
            folder: where it lies.
            kind: the name of the handler.
            parts: the body. The list is emptied as it is sent, so that the memory goes with it.
            options: given to the handler; what JSON can say.
            timeout_s: how long to wait for a process and its answer, together.

        Raises:
            Overloaded: when too much waits already; nothing was done, and `parts` is as it was.
            TooSlow: when the process had the request and did not answer in time. It is killed.
            Unavailable: when no process was free in time, could be started, or the one that had the request died.
            BrokenArtifact: when the package can't be loaded.
            Failed: for a fault of ours; it holds the traceback of the process.
            PlusoneError: as the handler raised it.
        """
        meta = {"package": package, "folder": str(folder), "kind": kind, "options": dict(options or {})}
        return await self._do(Kind.PREDICT, meta, parts, timeout_s)

    async def warm(self, package: str, folder: Path, *, timeout_s: float = 30.0) -> None:
        """Have a process run that has loaded this package, for a first request that does not wait for that.

        Raises:
            PlusoneError: as `predict` raises it.
        """
        await self._do(Kind.LOAD, {"package": package, "folder": str(folder)}, [], timeout_s)

    def unload(self, package: str) -> None:
        """Let go of a package that no request will ask for. Does not wait."""
        for slot in self._slots:
            if slot.connection is not None:
                slot.connection.tell(Kind.UNLOAD, {"package": package})

    async def close(self) -> None:
        """End all processes; what waits or is being answered fails with Unavailable."""
        self._closed = True
        while self._waiting:
            self._next().fail(_ending())
        connections = [slot.connection for slot in self._slots if slot.connection is not None]
        for slot in self._slots:
            if slot.job is not None:
                slot.job.fail(_ending())
            if slot.end is not None:
                slot.end.cancel()
        for connection in connections:
            connection.close()
        if tasks := [slot.task for slot in self._slots if slot.task is not None]:
            await asyncio.wait(tasks)
        for connection in connections:
            await connection.ended()

    # ---------------------------------------------------------------------------------- the queue

    async def _do(self, kind: Kind, meta: dict[str, Any], parts: list[bytes], timeout_s: float) -> Reply:
        job = Job(kind, meta, parts, self._loop.create_future())
        self._admit(job)
        job.timer = self._loop.call_later(timeout_s, self._expire, job, timeout_s)
        self._waiting.append(job)
        self._waiting_bytes += job.size
        self._go_on()
        try:
            return await job.reply
        except asyncio.CancelledError:
            self._give_up(job)
            raise

    def _admit(self, job: Job) -> None:
        if self._closed:
            raise _ending()
        if any(slot.task is None for slot in self._slots):
            return
        too_large = self._waiting and self._waiting_bytes + job.size > self._queue_bytes
        if too_large or len(self._waiting) >= self._queue:
            raise Overloaded(
                f"{len(self._waiting)} big requests of {self._waiting_bytes} bytes wait already: expected at most "
                f"{self._queue} of {self._queue_bytes} bytes.",
                mend="send it again later, or fewer rows at a time",
                waiting=len(self._waiting),
            )

    def _next(self) -> Job:
        job = self._waiting.popleft()
        self._waiting_bytes -= job.size
        return job

    def _leave(self, job: Job) -> bool:
        """Take a request out of the queue; return whether it was there."""
        if job not in self._waiting:
            return False
        self._waiting.remove(job)
        self._waiting_bytes -= job.size
        _stop(job)
        return True

    def _expire(self, job: Job, timeout_s: float) -> None:
        """End a request whose time is over."""
        if self._leave(job):
            job.fail(
                Unavailable(
                    f"The request waited {timeout_s:g} s behind other big ones.",
                    mend="send it again later, or fewer rows at a time",
                )
            )
            return
        job.fail(
            TooSlow(
                f"The model did not answer the big request within {timeout_s:g} s.",
                mend="send fewer rows at a time, or raise timeout_s of the model",
                timeout_s=timeout_s,
            )
        )
        for slot in self._slots:
            if slot.job is job and slot.connection is not None:
                slot.connection.kill()

    def _give_up(self, job: Job) -> None:
        """Do no more for a request that nobody waits for. Its timer goes on: the process may hang in it."""
        if self._leave(job):
            return
        for slot in self._slots:
            if slot.job is job and slot.connection is not None:
                slot.connection.cancel(job)

    # ---------------------------------------------------------------------------------- the processes

    def _go_on(self) -> None:
        """Put a process to work for each request that waits; those that run come first."""
        free = [slot for slot in self._slots if slot.task is None]
        free.sort(key=lambda slot: slot.connection is None)
        for slot in free[: len(self._waiting)]:
            if slot.end is not None:
                slot.end.cancel()
                slot.end = None
            slot.task = self._loop.create_task(self._work(slot))

    async def _work(self, slot: _Slot) -> None:
        """Answer what waits, one request after the other, until nothing does."""
        while self._waiting:
            job = slot.job = self._next()
            try:
                if not job.reply.done():
                    await self._answer(slot, job)
            except PlusoneError as error:
                job.fail(error)
            except Exception as error:
                self._log("aside_failed", error=repr(error))
                job.fail(error)
            finally:
                slot.job = None
                _stop(job)
        slot.task = None
        if slot.connection is None:
            return
        if self._closed:
            slot.connection.close()
            await slot.connection.ended()
        else:
            slot.end = self._loop.call_later(self._idle_s, self._retire, slot)

    async def _answer(self, slot: _Slot, job: Job) -> None:
        """Have the slot's process answer a request; return when the process is free again, or gone."""
        connection = slot.connection
        if connection is None or connection.is_lost:
            connection = await self._start()
            slot.connection = connection
        if job.reply.done():  # its time was over before the process ran
            return
        await connection.ask(job)
        if connection.is_lost:
            slot.connection = None
        if connection.answers or connection.was_killed:
            self._delay_s = 0.0
        else:
            self._delay_s = min(max(_FIRST_DELAY_S, 2 * self._delay_s), _MOST_DELAY_S)
            self._not_before = self._loop.time() + self._delay_s

    async def _start(self) -> Connection:
        """Return a new process; one whose forerunners died before they answered anything waits for its turn."""
        if self._delay_s and (left := self._not_before - self._loop.time()) > 0:
            raise Unavailable(
                f"The process for big requests died each time it was started; the next attempt is in {left:.1f} s.",
                mend="see the log of the worker; send it again later, or fewer rows at a time",
            )
        connection = await start(self._command, self._log)
        if self._closed:
            connection.close()
            await connection.ended()
            raise _ending()
        return connection

    def _retire(self, slot: _Slot) -> None:
        """End a process that had nothing to do for long."""
        slot.end = None
        if slot.connection is not None:
            slot.connection.close()
            slot.connection = None


def _stop(job: Job) -> None:
    if job.timer is not None:
        job.timer.cancel()
        job.timer = None


def _ending() -> Unavailable:
    return Unavailable("The worker is ending.", mend="send the request again")
