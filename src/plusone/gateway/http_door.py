"""How a request reaches the JSON API and its answer goes back: RSGI on one side, `Api` on the other."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any

import msgspec

from ..app.app import App
from ..base.errors import BodyTooLarge
from ..http.api import Api

__all__ = ["HttpDoor"]

_MOST_BODY_BYTES = 1 << 20
_MOST_READ_BYTES = 16 << 20
_HEADERS = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
]


class HttpDoor:
    """Answers the requests of one event loop with the operations of one App, which run in threads of `pool`."""

    def __init__(self, app: App, pool: Executor) -> None:
        self._api = Api(app)
        self._pool = pool

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer one request; `scope` and `protocol` are those of RSGI."""
        headers = scope.headers
        length = headers.get("content-length") or "0"
        if not length.isdigit() or int(length) > _MOST_BODY_BYTES or headers.get("transfer-encoding"):
            if length.isdigit() and int(length) <= _MOST_READ_BYTES:
                # Read and thrown away: a client that is still sending would see a broken pipe, not the answer.
                async for _ in protocol:
                    pass
            error = BodyTooLarge(f"Expected a body with a content-length of at most {_MOST_BODY_BYTES} bytes.")
            protocol.response_bytes(error.status, _HEADERS, msgspec.json.encode(error.as_dict()))
            return
        body = await protocol()
        host = headers.get("host") or scope.authority or ""
        if scope.path == "/health":
            # Answered at once, even while every thread waits for workers to follow.
            found = self._api.answer(scope.method, scope.path, "", host, "", b"")
            protocol.response_bytes(found.status, _HEADERS, found.body)
            return
        # Operations read the store and may wait for the workers: they run beside the loop, so /health stays quick.
        done = await asyncio.get_running_loop().run_in_executor(
            self._pool,
            self._api.answer,
            scope.method,
            scope.path,
            scope.query_string,
            host,
            headers.get("content-type") or "",
            body,
        )
        protocol.response_bytes(done.status, _HEADERS, done.body)
