"""One client: from segments to requests and from answers to segments, one request at a time.

The way of nearly every request is `Connection.data_received` -> its endpoint -> `Connection.answer`: the head is known
by its bytes, the body is whole, nothing else was sent. Whatever is not so goes through `_receive` and `_advance`, in
small steps: no client gets more than a bounded share of a turn of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from time import perf_counter
from typing import cast

from ..base.errors import PlusoneError, UsageError
from . import refusals
from .answers import CONTINUE, encode_answer
from .bodies import Body, Chunks, Known
from .heads import END, Probe
from .plane import Plane
from .request import ANSWERED, GONE, JSON, Head, Headers, Request

__all__ = ["Connection"]

# The order matters: from DISCARD on nothing is read any more, up to BODY more is waited for.
IDLE, HEAD, BODY, BUSY, DISCARD, CLOSED = range(6)

_STEPS = 32  # of one connection in one turn of the loop
_SMALL = 1024
_JOINED = 256
_FAIR_BYTES = 16 * 1024  # a client that holds no more than this is not refused for what others hold
_EMPTY_LINES = 16


class Connection(asyncio.Protocol):
    """The protocol of one connection, on uvloop's transports and on asyncio's own."""

    __slots__ = (
        "_advancing",
        "_at",
        "_began",
        "_body",
        "_data",
        "_discarded",
        "_eof",
        "_find",
        "_got",
        "_head",
        "_heard",
        "_held",
        "_last",
        "_phase",
        "_plane",
        "_probe",
        "_reading",
        "_request",
        "_small",
        "_transport",
        "_unread",
        "_unsent",
        "_write",
        "_yielded",
        "asked_at",
        "due",
    )

    _transport: asyncio.Transport

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._find = plane.heads.find
        self._head: Head | None = None
        """Of its newest request: the next one is likely to be of the same bytes."""
        self._phase = IDLE
        self.asked_at = 0.0
        self._data = b""
        """What came in and was not read yet, from `_at` on."""
        self._at = 0
        self._request: Request | None = None
        """Whose body is coming, or that an endpoint has."""
        self._body: Body | None = None
        self._probe: Probe | None = None
        self._got = 0
        """Bytes of the body of `_request` that are counted as held."""
        self._small = 0
        self._held = 0
        self._discarded = 0
        self._advancing = False
        self._yielded = False
        """The rest of `_data` waits for the next turn of the loop."""
        self._reading = True
        self._unread = False
        """The client does not take its answers as fast as it asks."""
        self._unsent = (0.0, 0)
        self._eof = False
        self._last = self._began = self._heard = perf_counter()
        self.due = self._last

    # ---------------------------------------------------------------------------------- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the client in, or tell it that there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write
        accepted = transport.get_extra_info("socket")
        if accepted is not None and accepted.family != socket.AF_UNIX:
            # asyncio does so only where the listener was made with the number of TCP, which 0 stands for, too.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        admitted = self._plane.admit(self)
        if admitted is None:
            self.cut()
        elif not admitted:
            self._refuse(None, refusals.too_many())

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the client."""
        if self._phase:
            self._receive(data)
            return
        head = self._head
        if head is None or not data.startswith(head.raw):
            head = self._find(data[: data.find(END) + 4])
            if head is None:
                self._receive(data)
                return
            self._head = head
        if head.inline != len(data):
            self._receive(data)
            return
        self.asked_at = now = perf_counter()
        self._phase = BUSY
        self._request = request = Request(head, data[len(head.raw) :], now, self)
        try:
            head.endpoint(request)
        except Exception as error:
            self._failed(request, error)

    def eof_received(self) -> bool:
        """The client sends no more. It gets the answer to what it asked: return whether there may be one."""
        self._eof = True
        if self._phase <= BODY and not self._yielded and not self._unread:
            self._advance()
        return self._phase < DISCARD

    def pause_writing(self) -> None:
        """Ask the client nothing and read nothing of it until it has taken its answers."""
        self._unread = True
        if self._phase != CLOSED:
            self._settle()

    def resume_writing(self) -> None:
        """Go on with what the client sent meanwhile."""
        self._unread = False
        if self._phase <= BODY and (self._data or self._eof) and not self._advancing:
            self._advance()
        elif self._phase != CLOSED:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client. What is computed for it goes on, and its answer goes nowhere."""
        self._phase = CLOSED
        plane = self._plane
        plane.connections.discard(self)
        self._leave_request()
        plane.last_request_at = max(plane.last_request_at, self.asked_at)
        plane.held -= self._held
        self._held = 0
        self._data = b""
        self._body = self._probe = None

    # ---------------------------------------------------------------------------------- from segments to requests

    def _receive(self, data: bytes) -> None:
        """Take bytes that do not make one known request."""
        self._heard = perf_counter()
        if self._phase >= DISCARD:
            self._discarded += len(data)
            if self._discarded > self._plane.limits.discard_bytes:
                self.end()
            return
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0
        if self._phase != BUSY and not self._yielded:
            self._advance()
        else:
            self._settle()
        plane = self._plane
        if plane.held > plane.limits.held_bytes and self._held > _FAIR_BYTES and self._phase <= BODY:
            self._refuse(self._request_head(), refusals.full())

    def _advance(self) -> None:
        """Go on with what came, until more is needed, an answer is waited for, or it is the turn of others."""
        self._advancing = True
        steps = _STEPS
        while steps and not self._unread and self._step():
            steps -= 1
        self._advancing = False
        if not steps and not self._yielded:
            self._yielded = True
            self._plane.loop.call_soon(self._go_on)
        if self._phase != CLOSED:
            self._settle()

    def _go_on(self) -> None:
        self._yielded = False
        if self._phase <= BODY:
            self._advance()
        elif self._phase == BUSY:
            self._settle()

    def _step(self) -> bool:
        """Do the next thing that what came allows; return whether there was one."""
        try:
            if self._phase <= HEAD:
                return self._take_head()
            return self._phase == BODY and self._take_body()
        except UsageError as error:
            self._refuse(self._request_head(), error)
            return False

    def _settle(self) -> None:
        """Read on or not, and count what is held for this client."""
        reading = not (self._unread or self._yielded or (self._phase == BUSY and self._data))
        if reading != self._reading and not self._eof and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
        held = len(self._data) - self._at + self._got
        if self._unread:
            held += self._transport.get_write_buffer_size()
        self._plane.held += held - self._held
        self._held = held

    def _take_head(self) -> bool:
        data = self._data
        at = self._at = _skip_empty_lines(data, self._at)
        if at == len(data):
            return self._wait_for_nothing()
        if self._phase == IDLE:
            self._phase = HEAD
            self._began = self._heard = perf_counter()
            self.due = min(self.due, self._began + self._plane.limits.head_s)
        limit = self._plane.limits.head_bytes
        end = data.find(END, at, at + limit)
        if end < 0:
            if len(data) - at >= limit:
                raise refusals.head_too_large(limit)
            self._look_ahead(data, at)
            return False
        self._probe = None
        try:
            head = self._plane.heads.read(data[at : end + 4])
        except UsageError:
            raise
        except Exception as error:
            self._plane.report("The application could not resolve a head.", error)
            self._refuse(None, refusals.unexpected(error))
            return False
        self._take(end + 4)
        return self._begin(head)

    def _wait_for_nothing(self) -> bool:
        """Nothing is left of what came: the next request may take its time."""
        self._take(self._at)
        self._phase = IDLE
        if self._eof:
            self.end()
        return False

    def _look_ahead(self, data: bytes, at: int) -> None:
        """Refuse what can't become a head any more, or not before the client ends."""
        if self._eof:
            raise refusals.ended("head")
        if len(data) - at < 2:
            return
        if self._probe is None:
            self._probe = Probe()
        self._probe.feed(data[at + self._probe.fed :])

    def _take(self, end: int) -> None:
        """What came is read up to `end`."""
        if end == len(self._data):
            self._data = b""
            end = 0
        self._at = end

    def _begin(self, head: Head) -> bool:
        """Begin a request whose head is known."""
        self.asked_at = now = perf_counter()
        self._request = request = Request(head, None, self._began, self)
        limit = head.endpoint.max_body_bytes
        length = head.content_length or 0
        if length > limit:
            raise refusals.body_too_large(limit, length)
        if not head.chunked and not length:
            self._dispatch(request)
            return True
        self._phase = BODY
        self._body = Chunks(limit) if head.chunked else Known(length)
        self._small = 0
        self._heard = self._began = now
        self.due = min(self.due, now + self._plane.limits.body_stall_s)
        if head.expects_continue and not self._data:
            self._send(CONTINUE)
        return True

    def _take_body(self) -> bool:
        request, body = self._request, self._body
        if request is None or body is None:
            return False
        parts: list[bytes] = []
        before = self._at
        after = body.read(self._data, before, parts)
        self._take(after)
        self._collect(request.parts, parts)
        if body.done:
            self._body = None
            self._dispatch(request)
            return True
        if after > before and self._data:
            return True
        if self._eof:
            raise refusals.ended("body")
        return False

    def _collect(self, body: list[bytes], parts: list[bytes]) -> None:
        """Put `parts` to the body. Small ones are joined: each costs more memory than it has bytes."""
        for part in parts:
            body.append(part)
            self._got += len(part)
            self._small = self._small + 1 if len(part) < _SMALL else 0
            if self._small == _JOINED:
                body[-_JOINED:] = [b"".join(body[-_JOINED:])]
                self._small = 0

    # ---------------------------------------------------------------------------------- from requests to answers

    def _dispatch(self, request: Request) -> None:
        """Give a whole request to its endpoint."""
        self._phase = BUSY
        try:
            request.head.endpoint(request)
        except Exception as error:
            self._failed(request, error)

    def answer(self, request: Request, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
        """Send the answer to `request`, and go on to what the client sent meanwhile."""
        plane = self._plane
        head = request.head
        last = False
        if status == 200 and content_type is JSON and head.plain and not headers and not plane.draining:
            answer = plane.fine[len(body)] + body
        else:
            last = plane.draining or not head.keep_alive
            connection = b"close" if last else b"" if head.version == "1.1" else b"keep-alive"
            prefix = plane.prefixes[status, content_type]
            bodiless = head.method == "HEAD"
            answer = encode_answer(prefix, body, headers, status=status, connection=connection, bodiless=bodiless)
        request.connection = ANSWERED
        self._request = None
        self._phase = IDLE
        self._got = 0
        self._send(answer)
        if last:
            self._close(linger=plane.draining or bool(self._data))
        elif (self._held or self._eof) and not self._advancing:
            self._advance()

    def _send(self, answer: bytes) -> None:
        try:
            self._write(answer)
        except RuntimeError:
            # The transport failed in this turn of the loop, and tells us in the next.
            self._transport.abort()

    def _failed(self, request: Request, error: Exception) -> None:
        """Answer for an endpoint that raised."""
        self._plane.report("An endpoint raised.", error)
        if request.connection is not self:
            return
        status, content_type, body, headers = self._plane.refusal(request.head, refusals.unexpected(error))
        try:
            request.respond(status, body, content_type, headers)
        except ValueError as failure:
            self._plane.report("The application's refusal is no answer.", failure)
            request.respond(500, b"", b"text/plain")

    def _refuse(self, head: Head | None, error: PlusoneError) -> None:
        """Answer what can't be read any further, and close."""
        self._leave_request()
        status, content_type, body, headers = self._plane.refusal(head, error)
        bodiless = head is not None and head.method == "HEAD"
        prefixes = self._plane.prefixes
        try:
            prefix = prefixes[status, content_type]
            answer = encode_answer(prefix, body, headers, status=status, connection=b"close", bodiless=bodiless)
        except ValueError as failure:
            self._plane.report("The application's refusal is no answer.", failure)
            prefix = prefixes[500, b"text/plain"]
            answer = encode_answer(prefix, b"", (), status=500, connection=b"close")
        self._send(answer)
        self._close(linger=True)

    # ---------------------------------------------------------------------------------- the end

    def _close(self, *, linger: bool) -> None:
        """Send no more. With `linger` take in what the client still sends: cut off, it could lose the answer."""
        if self._eof or not linger:
            self.end()
            return
        self._forget(DISCARD)
        self._began = perf_counter()
        self.due = min(self.due, self._began + self._plane.limits.discard_s)
        with contextlib.suppress(OSError, RuntimeError):
            self._transport.write_eof()
        if not self._advancing:
            self._settle()

    def _request_head(self) -> Head | None:
        return self._request.head if self._request is not None else None

    def _leave_request(self) -> None:
        """Whoever has the request of this client may answer it: nothing is sent."""
        request = self._request
        if request is not None:
            self._request = None
            request.connection = GONE

    def _forget(self, phase: int) -> None:
        self._leave_request()
        self._phase = phase
        self._data = b""
        self._at = self._got = 0
        self._yielded = False
        self._body = self._probe = None

    @property
    def busy(self) -> bool:
        """Whether a request of this client is under way: its head came, and it is not answered."""
        return self._request is not None

    def end(self) -> None:
        """Close once what was written has been sent."""
        self._forget(CLOSED)
        self.due = min(self.due, perf_counter() + self._plane.limits.write_stall_s)
        self._transport.close()

    def cut(self) -> None:
        """Close now."""
        self._forget(CLOSED)
        self._transport.abort()

    def overdue(self, now: float) -> None:
        """Close, or refuse, if a limit of time was passed; otherwise set `due` anew."""
        limits = self._plane.limits
        if unsent := self._transport.get_write_buffer_size():
            mark = (self.asked_at, unsent)
            if mark == self._unsent:
                self.cut()
                return
            self._unsent = mark
            self.due = now + limits.write_stall_s
            return
        self._unsent = (0.0, 0)
        until, what = self._limit(now)
        if now < until:
            self.due = until
        elif what:
            self._refuse(self._request_head(), refusals.not_in_time(what))
        else:
            self.end()

    def _limit(self, now: float) -> tuple[float, str]:
        """Return when the patience with this client ends, and with what; nothing: it has asked for nothing."""
        limits = self._plane.limits
        phase = self._phase
        if phase == IDLE:
            return self._plane.idle_until(max(self._last, self.asked_at)), ""
        if phase == HEAD:
            return self._began + limits.head_s, "The head of the request"
        if phase == DISCARD:
            return self._began + limits.discard_s, ""
        if phase > BODY:
            self._last = now  # idle only once it is answered
            return now + limits.write_stall_s, ""
        stalled = self._heard + limits.body_stall_s
        slow = self._began + limits.body_stall_s + self._got / limits.body_min_bytes_per_s
        return min(stalled, slow), "The body of the request"


def _skip_empty_lines(data: bytes, at: int) -> int:
    """Return where the next request begins: some clients send an empty line behind a body. Raises BadRequest."""
    for _ in range(_EMPTY_LINES):
        if not data.startswith(b"\r\n", at):
            return at
        at += 2
    raise refusals.empty_lines(_EMPTY_LINES)
