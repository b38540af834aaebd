"""The process of the control port: `python -m plusone.gateway.server --project FOLDER --port PORT`, on 127.0.0.1."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from ..app.app import App
from ..mlflow_wire import PATHS
from .http_door import HttpDoor
from .mlflow_door import MlflowDoor

__all__ = ["main"]

# Operations may wait for workers to follow, uploads for the disk: each has threads of its own, so that neither waits
# for the other.
_THREADS = 8


class _Gateway:
    """Every request of the port, given to a room by its path."""

    def __init__(self, http_door: HttpDoor, mlflow_door: MlflowDoor) -> None:
        self._http = http_door
        self._mlflow = mlflow_door

    async def __call__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            return
        door = self._mlflow if scope.path.startswith(PATHS) else self._http
        await door.answer(scope, protocol)


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
    """Serve the control port of one project until SIGTERM, or until whoever started it has gone."""
    parser = argparse.ArgumentParser(prog="plusone.gateway.server", description=__doc__)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--until-input-ends", action="store_true", help="end when the standard input does")
    given = parser.parse_args(arguments)
    with (
        App(given.project) as app,
        ThreadPoolExecutor(_THREADS, thread_name_prefix="operation") as operations,
        ThreadPoolExecutor(_THREADS, thread_name_prefix="tracking") as tracking,
        contextlib.closing(MlflowDoor(app, tracking)) as mlflow_door,
    ):
        gateway = _Gateway(HttpDoor(app, operations), mlflow_door)
        asyncio.run(_serve(gateway, given.port, until_input_ends=given.until_input_ends))


if __name__ == "__main__":
    main()
    # All is closed. Threads of granian's runtime may run still, and one that comes back to an interpreter that is being
    # taken down panics, which ended this process with a signal once in a while.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
