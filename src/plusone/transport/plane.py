"""What all connections of one server share: the application, the limits, and what they hold together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from ..base.errors import PlusoneError
from .answers import Fine, Prefixes
from .heads import Heads
from .limits import Limits
from .request import Application, Head, Refusal

__all__ = ["Member", "Plane"]

_EXTRA = 256  # connections beyond the limit, at a time, that are told so; those beyond are cut


class Member(Protocol):
    """A connection, as the server sees it."""

    due: float
    """`time.perf_counter` before which no limit of time can be passed."""

    asked_at: float
    """`time.perf_counter` of its newest request; 0.0 before the first."""

    @property
    def busy(self) -> bool:
        """Whether a request of it is under way."""
        ...

    def overdue(self, now: float) -> None:
        """Close, or refuse, if a limit of time was passed; otherwise set `due` anew."""
        ...

    def end(self) -> None:
        """Close once what was written has been sent."""
        ...

    def cut(self) -> None:
        """Close now."""
        ...


class Plane:
    """The state of one server. Only its loop's thread may touch it."""

    def __init__(
        self,
        application: Application,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        max_connections: int,
        varying: Sequence[str] = (),
    ) -> None:
        self.limits = limits
        self.loop = loop
        self.heads = Heads(application.resolve, varying)
        self.prefixes = Prefixes()
        self.fine = Fine()
        self.connections: set[Member] = set()
        self.last_request_at = 0.0
        """Of the clients that left."""
        self.held = 0
        """Bytes that came and are not answered yet, or were answered and not taken."""
        self.draining = False
        self.drained_at = 0.0
        self.crowded = False
        self._application = application
        self._max_connections = max_connections

    def admit(self, connection: Member) -> bool | None:
        """Take `connection` in; return whether it may ask something; None: it may not even be told why."""
        self.connections.add(connection)
        count = len(self.connections)
        if count <= self._max_connections:
            return True
        return False if count <= self._max_connections + _EXTRA else None

    def look_at_crowd(self) -> None:
        """See whether idle connections must make room."""
        self.crowded = len(self.connections) * 8 > self._max_connections * 7

    def idle_until(self, last: float) -> float:
        """Return until when a connection may be idle that was last heard of at `last`."""
        limits = self.limits
        if self.draining:
            return max(last, self.drained_at) + limits.linger_s
        return last + (min(limits.idle_s, limits.crowded_idle_s) if self.crowded else limits.idle_s)

    def refusal(self, head: Head | None, error: PlusoneError) -> Refusal:
        """Return the application's answer to a request that is refused; a bare one if it fails at that."""
        try:
            return self._application.refuse(head, error)
        except Exception as failure:
            self.report("The application could not refuse a request.", failure)
            return error.status, b"text/plain", b"", ()

    def report(self, message: str, error: Exception) -> None:
        """Hand an error that nobody expected to the loop's exception handler."""
        context: dict[str, Any] = {"message": message, "exception": error}
        self.loop.call_exception_handler(context)
