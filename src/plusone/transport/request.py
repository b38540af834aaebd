"""What passes between a connection and an application: the head of a request, the request, and who answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..base.errors import PlusoneError

__all__ = ["ANSWERED", "GONE", "JSON", "Answering", "Application", "Endpoint", "Head", "Headers", "Refusal", "Request"]

JSON = b"application/json"

Headers = Sequence[tuple[str, str]]
Refusal = tuple[int, bytes, bytes, Headers]
"""Status, content type, body, further headers."""


class Endpoint(Protocol):
    """Answers the requests to one address. It is asked for once per distinct head and kept."""

    @property
    def max_body_bytes(self) -> int:
        """The longest body that it takes; a longer one is answered 413 without it. It must not change."""
        ...

    def __call__(self, request: Request) -> None:
        """Answer `request`, whose body is whole, by `request.respond`, once, now or later, on the loop's thread.

        What it raises before that is answered 500.
        """
        ...


class Application(Protocol):
    """What a server serves."""

    def resolve(self, head: Head) -> Endpoint:
        """Return who answers requests with this head: for an unknown address, too. It must not raise."""
        ...

    def refuse(self, head: Head | None, error: PlusoneError) -> Refusal:
        """Return the answer to a request that never came to an endpoint, or whose endpoint raised `error.__cause__`.

        `head` is None when what came was none.
        """
        ...


class Head:
    """One request's line and headers. Requests with equal bytes share one: it must not be changed."""

    __slots__ = (
        "chunked",
        "content_length",
        "content_type",
        "endpoint",
        "expects_continue",
        "headers",
        "inline",
        "keep_alive",
        "method",
        "path",
        "plain",
        "query",
        "raw",
        "version",
    )

    method: str
    path: str
    """Percent-decoded; without the query."""
    query: str
    """As it was sent, without the question mark."""
    version: str
    """`1.0` or `1.1`."""
    headers: Mapping[str, str]
    """By name in lower case; the values of one that came more than once are joined by a comma."""
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    content_type: str
    """In lower case, without its parameters; empty when there is none."""
    endpoint: Endpoint
    inline: int
    """The length of head and body where both, in one piece, may be taken without a second look; -1: have that look."""
    raw: bytes
    """The bytes that it was read from."""
    plain: bool
    """Whether an answer has nothing special: HTTP/1.1, the connection stays, and the answer's body is sent."""


class Answering(Protocol):
    """Where answers go: the connection that a request came over."""

    def answer(self, request: Request, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
        """Send the answer to `request`."""
        ...


class Request:
    """One request with its whole body, and the way back to who sent it."""

    __slots__ = ("_body", "_parts", "began", "connection", "head")

    def __init__(self, head: Head, body: bytes | None, began: float, connection: Answering) -> None:
        self.head = head
        self.began = began
        """`time.perf_counter` at the first byte of the head."""
        self.connection = connection
        """The way back; one that leads nowhere once it was answered or the client left."""
        self._body = body
        if body is None:
            self._parts: list[bytes] = []

    @property
    def body(self) -> bytes:
        """The body in one piece; joined when first asked for."""
        body = self._body
        if body is None:
            self._body = body = b"".join(self._parts)
            self._parts = [body]
        return body

    @property
    def parts(self) -> list[bytes]:
        """The body in the pieces in which it came."""
        return self._parts if self._body is None else [self._body]

    @property
    def size(self) -> int:
        """The body's length in bytes."""
        return sum(map(len, self._parts)) if self._body is None else len(self._body)

    @property
    def gone(self) -> bool:
        """Whether the client left before it was answered."""
        return self.connection is GONE

    def respond(self, status: int, body: bytes, content_type: bytes = JSON, headers: Headers = ()) -> None:
        """Send the answer; nothing if there was one before, or the client left.

        Only on the thread of the loop.

        Raises:
            ValueError: when a header or the content type would break the lines of the answer. Nothing was sent then.
        """
        self.connection.answer(self, status, body, content_type, headers)


class _Nowhere:
    """Where answers go that nobody waits for."""

    def answer(self, request: Request, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
        """Do nothing."""


ANSWERED: Answering = _Nowhere()
GONE: Answering = _Nowhere()
