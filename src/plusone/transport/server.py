"""A server: accepts from a listening socket that was given to it, watches the time, drains, closes."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Sequence

from .connection import Connection
from .limits import Limits
from .plane import Plane
from .request import Application

__all__ = ["Server"]

_SPARE_FILES = 128  # what the process opens beside connections: models, logs, the loop
_FLUSH_S = 1.0


class Server:
    """Serves one application to the clients of one listening socket, on the event loop that runs.

    Nothing of it may be used on another thread.

    Args:
        varying: the names of headers, in lower case, whose values differ from request to request; see `Heads`.
    """

    def __init__(self, application: Application, *, limits: Limits | None = None, varying: Sequence[str] = ()) -> None:
        self._varying = varying
        self.limits = limits or Limits()
        self._application = application
        self._plane: Plane | None = None
        self._accepting: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        """Requests whose heads came and that are not answered, of clients that are still there."""
        return 0 if self._plane is None else sum(member.busy for member in self._plane.connections)

    @property
    def connections(self) -> int:
        """Open connections, idle ones among them."""
        return 0 if self._plane is None else len(self._plane.connections)

    @property
    def held_bytes(self) -> int:
        """What clients sent that is not answered yet, and what they did not take of answers: what is in big pieces."""
        return 0 if self._plane is None else self._plane.held

    @property
    def last_request_at(self) -> float:
        """`time.perf_counter` of the newest request; 0.0 before the first."""
        plane = self._plane
        if plane is None:
            return 0.0
        return max(plane.last_request_at, *(member.asked_at for member in plane.connections), 0.0)

    async def start(self, listener: socket.socket) -> None:
        """Accept connections from `listener`, which stays the caller's: a duplicate of it is used."""
        loop = asyncio.get_running_loop()
        self._plane = plane = Plane(
            self._application, self.limits, loop, _bearable(self.limits.max_connections), self._varying
        )
        duplicate = listener.dup()
        duplicate.setblocking(False)
        self._accepting = await loop.create_server(
            lambda: Connection(plane), sock=duplicate, backlog=self.limits.backlog
        )
        self._sweep = loop.call_later(self.limits.sweep_s, self._look)

    def stop_accepting(self) -> None:
        """Take no new connection. Those that wait in the socket's queue stay there, for others that hold the socket."""
        if self._accepting is not None:
            self._accepting.close()
            self._accepting = None

    def drain(self) -> None:
        """From now on ask each client, with its answer, to come back on a new connection; let idle ones go soon."""
        plane = self._plane
        if plane is None or plane.draining:
            return
        plane.draining = True
        plane.drained_at = time.perf_counter()

    async def close(self) -> None:
        """Close all connections once what was answered has been sent, or after a second; what is in flight is lost."""
        self.stop_accepting()
        plane = self._plane
        if plane is None:
            return
        for connection in list(plane.connections):
            connection.end()
        deadline = time.perf_counter() + _FLUSH_S
        while plane.connections and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)
        for connection in list(plane.connections):
            connection.cut()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        await asyncio.sleep(0)  # the loop tells the connections that were cut

    def _look(self) -> None:
        """Go through all connections: one timer for all costs less than one for each."""
        plane = self._plane
        if plane is None:
            return
        now = time.perf_counter()
        crowded = plane.crowded
        plane.look_at_crowd()
        all_of_them = plane.draining or plane.crowded or crowded
        self._sweep = plane.loop.call_later(self.limits.sweep_s, self._look)
        for connection in [member for member in plane.connections if all_of_them or member.due <= now or member.busy]:
            connection.overdue(now)


def _bearable(wanted: int) -> int:
    """Return how many connections this process may have: every one is an open file."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(16, min(wanted, soft - 2 * _SPARE_FILES))
