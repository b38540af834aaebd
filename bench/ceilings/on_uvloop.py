"""The bare program on uvloop: HTTP is a search for the end of the head.

One run per request; with `BATCH=1` one run for all that came in during one turn of the loop, decoded when it ends.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys

import model
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
BATCH = os.environ.get("BATCH") == "1"
answer, answers = model.answer, model.answers
lengths: dict[bytes, int] = {}


def length(head: bytes) -> int:
    """The length of the body that follows this head; 0 when it says none. Heads are few: each is looked at once."""
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    known = lengths[head] = int(found[1]) if found else 0
    return known


class Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, without pipelining."""

    __slots__ = ("rest", "transport")

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.rest = b""

    def data_received(self, data) -> None:
        if self.rest:
            data = self.rest + data
            self.rest = b""
        end = data.find(b"\r\n\r\n")
        head = data[:end]
        size = lengths.get(head)
        if size is None:
            size = length(head)
        body = data[end + 4 :]
        if end < 0 or len(body) < size:
            self.rest = data
        elif not size:
            self.transport.write(b"%b2\r\n\r\n{}" % HEAD)
        elif BATCH:
            if not waiting:
                call_soon(flush)
            waiting.append((self.transport, body))
        else:
            payload = answer(body)
            self.transport.write(b"%b%d\r\n\r\n%b" % (HEAD, len(payload), payload))


waiting: list = []


def flush() -> None:
    """Answer all that came in during this turn of the loop."""
    global waiting
    batch, waiting = waiting, []
    for (transport, _), payload in zip(batch, answers([body for _, body in batch]), strict=True):
        transport.write(b"%b%d\r\n\r\n%b" % (HEAD, len(payload), payload))


async def main() -> None:
    global call_soon
    loop = asyncio.get_running_loop()
    call_soon = loop.call_soon
    server = await loop.create_server(Connection, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


uvloop.run(main())
