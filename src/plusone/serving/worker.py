"""One serving process: an event loop, a thread that follows the route, and a listening socket shared with others.

Started by the supervisor; goes on when the supervisor dies. It writes its report and its counts to the serving folder;
when it can't (the disk is full), it says so in its log and goes on answering.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvloop

from ..base.clock import now
from ..base.config import Serve
from ..base.errors import PlusoneError
from ..base.records import WorkerReport
from ..hosting.stats import Stats
from ..hosting.swap import Models
from ..loading.loads import keep_big_pieces_apart
from ..transport import Server
from ..workers import pulse, routes, sockets
from .app import App
from .ways import VARYING

if TYPE_CHECKING:
    from .remote import Remote

__all__ = ["Worker", "main"]

_HEARTBEAT_S = 2.0
_FLUSH_S = 0.5
_LOOK_S = 0.0005
_FIRST_LOAD_S = 10.0
_REPAIR_S = 2.0
_DRAIN_S = 10.0
_QUIET_S = 0.1
_GRACE_S = 2.0
_SWITCH_S = 0.0005
_LINGER_S = 1.0
_LINES_PER_SECOND = 20


class Log:
    """Writes one JSON line per event to stderr; of events that repeat, at most 20 a second. Never raises."""

    def __init__(self, slot: int) -> None:
        self._slot = slot
        self._second = 0
        self._lines = 0

    def __call__(self, event: str, **fields: Any) -> None:
        """Write one line."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > _LINES_PER_SECOND:
            return
        line = {"at": now(), "event": event, "slot": self._slot, "pid": os.getpid(), **fields}
        if self._lines == _LINES_PER_SECOND:
            line["note"] = "further lines of this second are left out"
        with contextlib.suppress(OSError, ValueError):
            os.write(2, msgspec.json.encode(line, enc_hook=str) + b"\n")


class Worker:
    """What one serving process holds, from start to drain."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder: Path = options.folder
        self.slot: int = options.slot
        self._options = options
        self._log = Log(self.slot)
        self._report = WorkerReport(
            pid=os.getpid(), slot=self.slot, ready=False, generation=options.generation, started_at=now()
        )
        self._accepting = False
        self._stopping = asyncio.Event()
        self._go = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.serve: Serve = options.serve
        self.models = Models(
            self.folder,
            self._log,
            self._changed,
            slot=self.slot,
            load_timeout_s=self.serve.load_timeout_s,
            end=options.ended,
            signed_by=self.serve.signed_by,
        )
        self.counts = Stats(self.folder, self.slot)
        self.app = App(self.models, self.counts, self._log, loop=self._loop, serve=self.serve, folder=self.folder)
        self.server = Server(self.app, varying=VARYING)
        self._remote: Remote | None = None

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        self._write_report()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGUSR1, self._go.set)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: None)
        self._loop.set_exception_handler(self._report_trouble)
        self._log("started", generation=self._options.generation)
        beat = self._loop.create_task(self._beat())
        self.models.start()
        await self._first_load()
        if self._stopping.is_set():
            return 0
        gc.collect()
        gc.freeze()  # what is loaded now stays: later collections need not walk it
        listener = self._listener()
        door = self._open_door(listener)
        await self._start_remote()
        await self.server.start(listener)
        self.app.start()
        self._accepting = True
        self._log("accepting", address=listener.getsockname()[:2])
        self._write_report()
        await self._stopping.wait()
        await self._drain()
        beat.cancel()
        if door is not None:
            self._loop.remove_reader(door)
            door.close()
        await self._finish()
        return 0

    async def _start_remote(self) -> None:
        """Begin to speak gRPC, if that is asked for. Without it the worker serves HTTP all the same."""
        if self.serve.grpc_port is None:
            return
        from .remote import Remote  # here: most workers have no use for it, and it may not be installed

        try:
            remote = Remote(self.app)
            port = await remote.server.start(self.serve.host, self.serve.grpc_port)
        except PlusoneError as error:
            self._log("grpc_not_started", error=str(error))
            return
        self._remote = remote
        self._log("accepting_grpc", address=(self.serve.host, port))

    def _listener(self) -> socket.socket:
        """Return the socket to accept from: the one that was handed down, or else a new one."""
        if self._options.listen_fd is None:
            return sockets.bind(self.serve.host, self.serve.port)
        listener = socket.socket(fileno=self._options.listen_fd)
        listener.set_inheritable(False)
        return listener

    async def _first_load(self) -> None:
        """Wait until requests can be accepted: loading before accepting spares the first callers a 503.

        Beside an older generation that still serves, wait until ready, or until the supervisor says that the older one
        is gone.
        """
        routed = (self.folder / routes.ROUTE_FILE).exists() or routes.read_good(self.folder).models
        if not routed and not self._options.beside:
            return
        stopping = self._loop.create_task(self._stopping.wait())
        going = self._loop.create_task(self._go.wait())
        timeout = None if self._options.beside else _FIRST_LOAD_S
        await asyncio.wait((stopping, going), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, going):
            task.cancel()

    def _open_door(self, listener: socket.socket) -> socket.socket | None:
        try:
            door = sockets.hand_over_listener(self.folder / "workers" / f"{self.slot}.sock")
        except OSError as error:
            self._log("no_hand_over", error=str(error))
            return None
        self._loop.add_reader(door, lambda: self._log("handed_over", done=sockets.hand_over(door, listener.fileno())))
        return door

    async def _drain(self) -> None:
        """Finish what is in flight, within 10 s: take no new connection, and close each after its next answer."""
        began = time.perf_counter()
        server = self.server
        self._log("draining", in_flight=server.in_flight)
        self._accepting = False
        server.stop_accepting()
        server.drain()
        if self._remote is not None:
            await self._remote.server.close(_GRACE_S)
        self._write_report()
        while (waited := time.perf_counter() - began) < _DRAIN_S:
            quiet = time.perf_counter() - max(server.last_request_at, began)
            if server.in_flight == 0 and (quiet > _QUIET_S or waited > _LINGER_S):
                break
            await asyncio.sleep(0.01)
        left = server.in_flight
        await server.close()
        self._log("drained", left_in_flight=left, in_time=left == 0, seconds=round(waited, 3))

    async def _finish(self) -> None:
        self.models.stop()
        await self.app.close()
        self._flush()
        self._log("ended")

    # ---------------------------------------------------------------------------------- what it says of itself

    def _report_trouble(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what was raised where nobody waits for it."""
        error = context.get("exception")
        cause = "".join(traceback.format_exception(error))[-4000:] if error is not None else ""
        self._log("loop_trouble", message=str(context.get("message")), error=cause)

    def _changed(self) -> None:
        """Called from the thread that follows the route, after each change."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            self._loop.call_soon_threadsafe(self._on_change)

    def _on_change(self) -> None:
        table = self.models.table
        if not table.unready():
            self._go.set()
        elif not self._options.beside and not table.loading:
            # The control process may lay a damaged release out anew: callers wait for that rather than be refused.
            self._loop.call_later(_REPAIR_S, self._go.set)
        self._write_report()

    def _write_report(self) -> None:
        table = self.models.table
        self._report = msgspec.structs.replace(
            self._report,
            ready=self._accepting and not table.unready(),
            versions=table.versions,
            failed=table.failed,
        )
        try:
            routes.write_report(self.folder, self._report)
        except OSError as error:
            self._log("report_not_written", error=str(error))

    def _flush(self) -> None:
        self.app.tally()
        try:
            self.counts.flush()
        except OSError as error:
            self._log("stats_not_written", error=str(error))

    async def _beat(self) -> None:
        beats = round(_HEARTBEAT_S / _FLUSH_S)
        count = 0
        while True:
            pulse.beat(self._options.pulse_fd)
            await asyncio.sleep(_FLUSH_S)
            try:
                while self.counts.ledger.look(_LOOK_S):  # what was answered since, in steps
                    await asyncio.sleep(0)
                self._flush()
            except Exception as error:  # whatever can't be counted, the worker says that it lives
                self._log("not_counted", error=f"{type(error).__name__}: {error}")
            count += 1
            if count % beats == 0:
                self._write_report()


def main(arguments: list[str] | None = None) -> int:
    """Run one worker; return its exit code: 0 after a drain, 2 when it could not begin."""
    parser = argparse.ArgumentParser(prog="plusone.serving.worker", description="One serving process of `plusone up`.")
    parser.add_argument("--folder", type=Path, required=True, help="the serving folder")
    parser.add_argument("--settings", default="{}", help="[tool.plusone.serve] as JSON")
    parser.add_argument("--port", type=int, default=None, help="instead of the port in the settings")
    parser.add_argument("--slot", type=int, default=0)
    parser.add_argument("--generation", default="")
    parser.add_argument("--listen-fd", type=int, default=None, help="an inherited listening socket")
    parser.add_argument("--pulse-fd", type=int, default=None, help="a pipe into which the event loop says it lives")
    parser.add_argument("--ended", default="", help="how the worker before this one in the slot ended")
    parser.add_argument("--beside", action="store_true", help="an older generation serves until this one is ready")
    options = parser.parse_args(arguments)
    try:
        options.serve = msgspec.json.decode(options.settings, type=Serve)
    except msgspec.DecodeError as error:
        parser.error(f"--settings: {error}")
    if options.port is not None:
        options.serve = msgspec.structs.replace(options.serve, port=options.port)
    options.folder = options.folder.resolve()
    lock = routes.hold(options.folder / "workers" / f"{options.slot}.lock", wait_s=0.5)
    if lock is None:
        Log(options.slot)("slot_taken", folder=str(options.folder))
        return 2
    _allow_many_connections()
    keep_big_pieces_apart()
    # How long a thread that computes beside the event loop may keep the loop waiting.
    sys.setswitchinterval(_SWITCH_S)
    try:
        return uvloop.run(_run(options))
    except PlusoneError as error:
        Log(options.slot)("not_started", error=str(error))
        return 2


async def _run(options: argparse.Namespace) -> int:
    return await Worker(options).run()


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))


if __name__ == "__main__":
    # Threads of the runtime and big predictions past the drain's bound must not hold up the end.
    os._exit(main(sys.argv[1:]))
