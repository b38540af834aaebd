"""A server of our own on a thread of its own, and a client that speaks in bytes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

from plusone.base.errors import PlusoneError
from plusone.transport import Endpoint, Head, Limits, Request, Server

T = TypeVar("T")
PATIENCE_S = 60.0

QUICK = Limits(
    head_s=0.4,
    idle_s=1.2,
    body_stall_s=0.4,
    write_stall_s=0.6,
    discard_s=0.4,
    linger_s=0.3,
)


class Answers:
    """An endpoint: a function of the request."""

    def __init__(self, function: Callable[[Request], None], max_body_bytes: int = 1 << 20) -> None:
        self.max_body_bytes = max_body_bytes
        self.function = function

    def __call__(self, request: Request) -> None:
        self.function(request)


class Site:
    """The application under test: some addresses, and what was refused."""

    def __init__(self) -> None:
        self.resolved = 0
        self.refused: list[tuple[Head | None, PlusoneError]] = []
        self.waiting: list[Request] = []
        self.endpoints: dict[str, Endpoint] = {
            "/echo": Answers(lambda request: request.respond(200, request.body, b"application/octet-stream")),
            "/json": Answers(lambda request: request.respond(200, request.body)),
            "/small": Answers(lambda request: request.respond(200, request.body), 100),
            "/huge": Answers(lambda request: request.respond(200, b"%d" % request.size), 64 << 20),
            "/describe": Answers(self.describe),
            "/later": Answers(self.waiting.append),
            "/big": Answers(lambda request: request.respond(200, b"x" * int(request.head.query))),
            "/empty": Answers(lambda request: request.respond(int(request.head.query), b"", headers=[("x-a", "b")])),
            "/raise": Answers(self.fail),
            "/answer-and-raise": Answers(self.answer_and_fail),
            "/twice": Answers(self.twice),
            "/split": Answers(lambda request: request.respond(200, b"", headers=[("x", "a\r\nb: c")])),
            "/type": Answers(lambda request: request.respond(200, b"", b"text/plain\r\nb: c")),
        }

    def resolve(self, head: Head) -> Endpoint:
        self.resolved += 1
        if head.path == "/unresolved":
            raise LookupError("nobody")
        return self.endpoints.get(head.path) or Answers(lambda request: request.respond(404, b"{}"))

    def refuse(self, head: Head | None, error: PlusoneError) -> Any:
        self.refused.append((head, error.with_traceback(None)))  # its frames would keep the bodies
        if head is not None and head.query == "refuse-fails":
            raise LookupError("no words")
        broken = [("x", "a\r\nb")] if head is not None and head.query == "refuse-breaks" else []
        return error.status, b"application/json", json.dumps(error.as_dict()).encode(), broken

    def describe(self, request: Request) -> None:
        head = request.head
        value = {
            "method": head.method,
            "path": head.path,
            "query": head.query,
            "version": head.version,
            "headers": dict(head.headers),
            "content_type": head.content_type,
            "length": head.content_length,
            "chunked": head.chunked,
            "size": request.size,
            "body": request.body.decode("latin-1"),
        }
        request.respond(200, json.dumps(value).encode())

    def fail(self, request: Request) -> None:
        raise LookupError("no answer")

    def answer_and_fail(self, request: Request) -> None:
        request.respond(200, b"answered")
        raise LookupError("after all")

    def twice(self, request: Request) -> None:
        request.respond(200, b"one")
        request.respond(200, b"two")


class Served:
    """A server in a thread; `errors` is what its loop's exception handler was told."""

    def __init__(self, kind: str, limits: Limits | None = None, *, application: Any = None) -> None:
        self.site: Any = application or Site()
        self.errors: list[dict[str, Any]] = []
        self.loop = uvloop.new_event_loop() if kind == "uvloop" else asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self.listener.getsockname()[1]
        self.server = Server(self.site, limits=limits)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(self.listener), self.loop).result(PATIENCE_S)

    def do(self, function: Callable[[], T]) -> T:
        """Call `function` on the loop's thread and return what it returns."""
        result: Future[T] = Future()

        def call() -> None:
            try:
                result.set_result(function())
            except BaseException as error:
                result.set_exception(error)

        self.loop.call_soon_threadsafe(call)
        return result.result(PATIENCE_S)

    def close(self) -> None:
        """End the server; every connection must be gone, and nothing may be left over."""
        asyncio.run_coroutine_threadsafe(self.server.close(), self.loop).result(PATIENCE_S)
        self.until(lambda: self.server.connections == 0)
        held = self.server.held_bytes
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()
        self.listener.close()
        assert held == 0

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds on the loop's thread."""
        deadline = time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while not self.do(condition):
            pause.wait(0.002)  # not as often as it goes: there are other tests beside this one
            held, connections = self.server.held_bytes, self.server.connections
            assert time.monotonic() < deadline, f"it did not come to that: {held} held, {connections} connections"

    def client(self) -> Client:
        """A new connection."""
        return Client(self.port)

    def ask(self, *parts: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """One request over a connection of its own."""
        with self.client() as client:
            for part in parts:
                client.send(part)
            return client.answer()


class Client:
    """A connection that sends and reads bytes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came = bytearray()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def finish(self) -> None:
        """Send no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def more(self) -> bool:
        """Read on; return whether something came before the end."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            return False
        self.came += data
        return len(data) > 0

    def answer(self, *, bodiless: bool = False) -> tuple[int, Mapping[str, str], bytes]:
        """The next answer, 100 left out."""
        while b"\r\n\r\n" not in self.came:
            assert self.more(), f"the connection ended after {self.came!r}"
        head, _, self.came = self.came.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 ")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = first.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if status in ("204", "304", "100"):
            return int(status), headers, b""
        length = 0 if bodiless else int(headers["content-length"])
        while len(self.came) < length:
            assert self.more(), "the connection ended inside of an answer"
        body = bytes(self.came[:length])
        del self.came[:length]
        return int(status), headers, body

    def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        while self.more():
            pass
        data = bytes(self.came)
        self.came.clear()
        return data


def post(path: str, body: bytes, *lines: str) -> bytes:
    """The bytes of a request with a body."""
    return head("POST", path, *lines, f"content-length: {len(body)}") + body


def head(method: str, path: str, *lines: str, version: str = "1.1") -> bytes:
    """The bytes of a request without a body."""
    return "\r\n".join((f"{method} {path} HTTP/{version}", "host: here", *lines, "", "")).encode()


def chunked(body: bytes, *sizes: int) -> bytes:
    """`body` in chunks of these sizes, the last of them for all that is left."""
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        part = body[at : at + sizes[min(len(parts), len(sizes) - 1)]]
        parts.append(b"%x\r\n%b\r\n" % (len(part), part))
        at += len(part)
    return b"".join(parts) + b"0\r\n\r\n"
