"""The control API's process: `python -m plusone.http.server --project FOLDER --port PORT`, on 127.0.0.1."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from ..app.app import App
from ..base.errors import BodyTooLarge
from .api import Api

__all__ = ["main"]

_MOST_BODY_BYTES = 1 << 20
_MOST_READ_BYTES = 16 << 20
_HEADERS = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
]


def _application(api: Api, pool: ThreadPoolExecutor) -> Any:
    async def answer(scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            return
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
        if scope.path == "/health":
            # Answered at once, even while every thread waits for workers to follow.
            found = api.answer(scope.method, scope.path, "", headers.get("host") or scope.authority or "", "", b"")
            protocol.response_bytes(found.status, _HEADERS, found.body)
            return
        # Operations read the store and may wait for the workers: they run beside the loop, so /health stays quick.
        done = await asyncio.get_running_loop().run_in_executor(
            pool,
            api.answer,
            scope.method,
            scope.path,
            scope.query_string,
            headers.get("host") or scope.authority or "",
            headers.get("content-type") or "",
            body,
        )
        protocol.response_bytes(done.status, _HEADERS, done.body)

    return answer


async def _serve(app: Any, port: int, *, until_input_ends: bool) -> None:
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        log_enabled=False,
        websockets=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    if until_input_ends:
        threading.Thread(target=_stop_with_input, args=(loop, server), daemon=True).start()
    await server.serve()


def _stop_with_input(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    sys.stdin.buffer.read()
    with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
        loop.call_soon_threadsafe(server.stop)


def main(arguments: list[str] | None = None) -> None:
    """Serve the control API of one project until SIGTERM, or until whoever started it has gone."""
    parser = argparse.ArgumentParser(prog="plusone.http.server", description=__doc__)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--until-input-ends", action="store_true", help="end when the standard input does")
    given = parser.parse_args(arguments)
    with App(given.project) as app, ThreadPoolExecutor(8, thread_name_prefix="operation") as pool:
        asyncio.run(_serve(_application(Api(app), pool), given.port, until_input_ends=given.until_input_ends))


if __name__ == "__main__":
    main()
