"""The bare program on granian, by its own interface (RSGI): HTTP in Rust, one worker."""

from __future__ import annotations

import sys

import model
from granian import Granian
from granian.constants import Interfaces

HEADERS = [("content-type", "application/json")]
answer = model.answer


async def app(scope, protocol) -> None:
    body = await protocol()
    protocol.response_bytes(200, HEADERS, answer(body) if body else b"{}")


if __name__ == "__main__":
    Granian(
        "on_granian:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.RSGI,
        websockets=False,
        log_enabled=False,
    ).serve()
