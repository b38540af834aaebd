"""Keeps the workers of one serving folder alive: one process each, started again when it dies, replaced without a gap.

The supervisor answers no request. It holds a descriptor of every listening socket, so that a connection waits for the
next worker when one dies, and it may itself be killed at any moment: the workers go on, and the next supervisor takes
over their sockets.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..base.clock import now
from ..base.config import Serve
from ..base.errors import Conflict, StoreError, UsageError
from ..base.ids import new_id
from ..base.records import WorkerReport
from . import marks, pulse, routes, sockets

__all__ = ["Supervisor", "stop_workers"]

_BACKOFF_S = (0.1, 5.0)
_SHORT_LIFE_S = 5.0
_HUNG_S = 10.0
_KILL_S = 1.0
_STOP_S = 14.0  # a worker drains for at most 10 s, then its server has 1 s or more to end
_MAX_LOG_BYTES = 10 * 1024 * 1024
_LOG_LOOK_S = 5.0


class _Seat:
    """One worker's place: its slot, its listening socket, and the process that sits there now."""

    def __init__(self, slot: int, listener: socket.socket) -> None:
        self.slot = slot
        self.listener: socket.socket | None = listener
        """None while the worker keeps dying: then it binds one itself once it can serve, and we take it from there."""
        self.process: subprocess.Popen[bytes] | None = None
        self.pulse: pulse.Pulse | None = None
        self.end = ""
        """How the last process ended: its exit code, or that it hung; the next one is told."""
        self.started_at = 0.0
        self.delay_s = 0.0
        self.start_at = 0.0
        """When to start the next process, in monotonic seconds; 0: at once."""


class Supervisor:
    """The workers of a serving folder. Any thread may call it; calls take turns."""

    def __init__(self, folder: Path, serve: Serve, *, python: str = sys.executable, hung_s: float = _HUNG_S) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            serve: where to listen, with how many workers, and within which limits. Port 0 takes any free port; `port`
                then says which.
            python: the interpreter that the workers run in.
            hung_s: after how long without a sign of life from its event loop a worker is replaced.
        """
        self.folder = folder.resolve()
        self.host = serve.host
        self.port = serve.port
        self.workers = serve.workers
        self.generation = new_id()
        self.restarts = 0
        """How many workers died and were started again, by this supervisor."""
        self.hung = 0
        """How many of them were killed because their event loop stood still."""
        self._serve = serve
        self._python = python
        self._hung_s = hung_s
        self._turn = threading.RLock()
        self._lock: int | None = None
        self._seats: list[_Seat] = []
        self._older: dict[int, WorkerReport] = {}
        self._old_deadline = 0.0
        self._before = routes.SupervisorStats()
        self._logs_looked_at = 0.0

    @property
    def address(self) -> str:
        """Where predictions are answered, e.g. `http://127.0.0.1:7401`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Start all workers; return as soon as their processes run (`poll` and `reports` say when they are ready).

        Workers of an earlier supervisor that is gone are taken over: the new ones start beside them on the same
        sockets.

        Raises:
            Conflict: when a living supervisor serves this folder.
            UsageError: when something else listens on the port, or the address is none of this machine's.
        """
        with self._turn:
            if self._lock is not None:
                return
            for name in ("workers", "stats", "logs", "packages"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = routes.hold(self.folder / "supervisor.lock", wait_s=0.5)
            if self._lock is None:
                raise Conflict(
                    f"{self.folder} is served by another process already.",
                    mend="stop the other plusone up, or give this project a store of its own",
                )
            try:
                self._start()
            except BaseException:
                for seat in self._seats:
                    if seat.process is not None:
                        seat.process.kill()
                        seat.process.wait()
                self._release()
                raise

    def _start(self) -> None:
        self._older = {report.slot: report for report in routes.read_reports(self.folder)}
        listeners = self._listeners()
        free = (
            slot for slot in range(2 * (self.workers + len(self._older)) + 2) if not routes.is_held(self.folder, slot)
        )
        self._seats = [_Seat(slot, listener) for slot, listener in zip(free, listeners, strict=False)]
        self._before = routes.read_supervisor(self.folder)
        marks.sweep(self.folder, {seat.slot for seat in self._seats})
        self._write_stats()
        for seat in self._seats:
            self._spawn(seat)

    def _listeners(self) -> list[socket.socket]:
        """Return one listening socket per worker: those of the older workers first, then new ones."""
        adopted = [
            sockets.adopt(self.folder / "workers" / f"{slot}.sock", self.host, self.port)
            for slot in sorted(self._older)
        ]
        listeners = [listener for listener in adopted if listener is not None]
        for spare in listeners[self.workers :]:
            spare.close()
        del listeners[self.workers :]
        if not listeners:
            sockets.refuse_taken(self.host, self.port)
        try:
            while len(listeners) < self.workers:
                listeners.append(sockets.bind(self.host, self.port))
                self.port = int(listeners[0].getsockname()[1])
        except UsageError:
            for listener in listeners:
                listener.close()
            raise
        return listeners

    # ---------------------------------------------------------------------------------- processes

    def _spawn(self, seat: _Seat) -> None:
        settings = msgspec.json.encode(msgspec.structs.replace(self._serve, port=self.port)).decode()
        command = [self._python, "-m", "plusone.serving.worker", "--folder", str(self.folder), "--settings", settings]
        command += ["--slot", str(seat.slot), "--generation", self.generation]
        if seat.listener is not None:
            command += ["--listen-fd", str(seat.listener.fileno())]
        if self._older:
            command.append("--beside")
        if seat.end:
            command.append(f"--ended={seat.end}")
        heart = pulse.Pulse(self._hung_s)
        command += ["--pulse-fd", str(heart.writing)]
        log = self._log_path(seat.slot)
        with contextlib.suppress(OSError):
            if log.stat().st_size > _MAX_LOG_BYTES:
                os.replace(log, log.with_suffix(".log.1"))
        seat.started_at = time.monotonic()
        seat.start_at = 0.0
        # A session of its own: what the terminal sends to its foreground processes (ctrl-C, hang-up) must not reach a
        # worker.
        try:
            with _appended(log) as stream:
                seat.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    pass_fds=(heart.writing, *(() if seat.listener is None else (seat.listener.fileno(),))),
                    start_new_session=True,
                )
        except BaseException:
            heart.close()
            raise
        finally:
            heart.started()
        seat.pulse = heart

    def _log_path(self, slot: int) -> Path:
        return self.folder / "logs" / f"worker-{slot}.log"

    def poll(self) -> None:
        """Do what is due, without waiting: start dead workers again, end the older generation. Call it often."""
        with self._turn:
            if self._lock is None:
                return
            for seat in self._seats:
                self._revive(seat)
            if self._older:
                self._end_older()
            self._bound_logs()

    def _revive(self, seat: _Seat) -> None:
        present = time.monotonic()
        if seat.process is not None:
            if seat.process.poll() is None:
                if seat.listener is None:
                    self._take_listener(seat)
                if seat.pulse is None or not seat.pulse.is_over():
                    return
                self._end_hung(seat, seat.process)
            self._died(seat, present)
        if present < seat.start_at:
            return
        try:
            self._spawn(seat)
        except OSError as error:  # no memory, no processes, a full disk: the next poll tries again
            seat.start_at = present + _BACKOFF_S[1]
            self._note(seat, f"could not be started: {error}")
            return
        seat.end = ""
        self.restarts += 1
        self._write_stats()

    def _end_hung(self, seat: _Seat, process: subprocess.Popen[bytes]) -> None:
        """Kill a worker whose event loop stands still: it would not even read a request to end."""
        self.hung += 1
        seat.end = marks.HUNG
        self._note(seat, f"pid {process.pid} gave no sign of life for {self._hung_s:g} s: it is killed")
        process.kill()
        # A process in a call that can't be interrupted is left to the kernel: its lock on the slot goes with it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_S)

    def _died(self, seat: _Seat, present: float) -> None:
        process = seat.process
        seat.process = None
        if seat.pulse is not None:
            seat.pulse.close()
            seat.pulse = None
        lived_s = present - seat.started_at
        if lived_s > _SHORT_LIFE_S:
            seat.delay_s = 0.0
            seat.start_at = present
        else:
            seat.start_at = present + seat.delay_s
            self._stop_listening(seat)
            seat.delay_s = min(max(2 * seat.delay_s, _BACKOFF_S[0]), _BACKOFF_S[1])
        if process is not None:
            if seat.end != marks.HUNG:
                seat.end = str(process.returncode)
            self._note(seat, f"pid {process.pid} ended with {process.returncode}")

    def _stop_listening(self, seat: _Seat) -> None:
        """Let the other workers take the connections of a seat whose worker died twice in a row, if any live."""
        others = [other.process for other in self._seats if other is not seat and other.process is not None]
        if seat.delay_s > 0.0 and seat.listener is not None and any(process.poll() is None for process in others):
            seat.listener.close()
            seat.listener = None

    def _take_listener(self, seat: _Seat) -> None:
        door = self.folder / "workers" / f"{seat.slot}.sock"
        if any(report.slot == seat.slot and report.ready for report in self.reports()):
            seat.listener = sockets.adopt(door, self.host, self.port)

    def _note(self, seat: _Seat, text: str) -> None:
        line = {"at": now(), "event": "supervisor", "slot": seat.slot, "text": text}
        with contextlib.suppress(OSError), self._log_path(seat.slot).open("ab") as stream:
            stream.write(msgspec.json.encode(line) + b"\n")

    def _write_stats(self) -> None:
        value = routes.SupervisorStats(
            restarts=self._before.restarts + self.restarts,
            hung=self._before.hung + self.hung,
            slots=[seat.slot for seat in self._seats],
        )
        with contextlib.suppress(OSError):  # a full disk stops no worker
            routes.write_supervisor(self.folder, value)

    def _bound_logs(self) -> None:
        """Move a log that has grown beyond its bound aside; its writer appends, so it goes on at the new beginning."""
        if time.monotonic() < self._logs_looked_at + _LOG_LOOK_S:
            return
        self._logs_looked_at = time.monotonic()
        for seat in self._seats:
            log = self._log_path(seat.slot)
            with contextlib.suppress(OSError):
                if log.stat().st_size > _MAX_LOG_BYTES:
                    shutil.copyfile(log, log.with_suffix(".log.1"))
                    os.truncate(log, 0)

    # ---------------------------------------------------------------------------------- the older generation

    def _end_older(self) -> None:
        """End the older workers once every new one serves as well; until then callers notice nothing."""
        alive = {slot: report for slot, report in self._older.items() if routes.is_held(self.folder, slot)}
        if not alive:
            self._older = {}
            self._let_go()
            return
        if self._old_deadline:
            if time.monotonic() > self._old_deadline:
                for report in alive.values():
                    _kill(report.pid, signal.SIGKILL)
            return
        if self._serves_as_well():
            self._let_go()
            self._old_deadline = time.monotonic() + _STOP_S
            for report in alive.values():
                _kill(report.pid, signal.SIGTERM)

    def _serves_as_well(self) -> bool:
        reports = {report.slot: report for report in routes.read_reports(self.folder)}
        old = [reports[slot] for slot in self._older if slot in reports]
        new = [reports[seat.slot] for seat in self._seats if seat.slot in reports]
        new = [report for report in new if report.generation == self.generation]
        if len(new) < len(self._seats):
            return False
        return all(report.ready for report in new) or not any(report.ready for report in old)

    def _let_go(self) -> None:
        """Tell the new workers to accept requests even if they are not ready: nobody else does any more."""
        for seat in self._seats:
            if seat.process is not None and seat.process.poll() is None:
                _kill(seat.process.pid, signal.SIGUSR1)

    # ---------------------------------------------------------------------------------- reports and the end

    def reports(self) -> list[WorkerReport]:
        """Return what each living worker of this generation says of itself, by slot."""
        return [report for report in routes.read_reports(self.folder) if report.generation == self.generation]

    def serves(self, model: str, version: int) -> bool:
        """Return whether every worker of this supervisor serves that route version of that model."""
        reports = self.reports()
        return len(reports) == len(self._seats) > 0 and all(one.versions.get(model) == version for one in reports)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the workers' logs, for an error message."""
        parts: list[str] = []
        for seat in self._seats:
            with contextlib.suppress(OSError):
                text = self._log_path(seat.slot).read_text("utf-8", "replace")
                parts.extend(text.splitlines()[-lines:])
        return "\n".join(parts)

    def stop(self, *, timeout_s: float = _STOP_S) -> None:
        """End all workers: each finishes what is in flight, and is killed after `timeout_s`."""
        with self._turn:
            if self._lock is None:
                return
            processes = [seat.process for seat in self._seats if seat.process is not None]
            for process in processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
            for slot, report in self._older.items():
                if routes.is_held(self.folder, slot):
                    _kill(report.pid, signal.SIGTERM)
            deadline = time.monotonic() + timeout_s
            for process in processes:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5.0)
            _end(self.folder, list(self._older.values()), deadline)
            self._release()

    def _release(self) -> None:
        for seat in self._seats:
            if seat.listener is not None:
                seat.listener.close()
            if seat.pulse is not None:
                seat.pulse.close()
        self._seats = []
        self._older = {}
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def stop_workers(folder: Path, *, timeout_s: float = _STOP_S) -> int:
    """End the workers of a serving folder whose supervisor is gone; return how many there were.

    Raises:
        Conflict: when a living supervisor looks after them: stop that one.
        StoreError: when a worker could not be ended.
    """
    lock = routes.hold(folder / "supervisor.lock", wait_s=0.5)
    if lock is None:
        raise Conflict(f"A living process serves {folder}.", mend="stop that plusone up instead")
    try:
        reports = routes.read_reports(folder)
        for report in reports:
            _kill(report.pid, signal.SIGTERM)
        _end(folder, reports, time.monotonic() + timeout_s)
        left = [report.pid for report in reports if routes.is_held(folder, report.slot)]
        if left:
            raise StoreError(f"The serving processes {left} could not be ended.", mend="kill them by hand")
        return len(reports)
    finally:
        os.close(lock)


def _end(folder: Path, reports: list[WorkerReport], deadline: float) -> None:
    """Wait until the workers behind `reports` are gone; kill them at the deadline."""
    while left := [report for report in reports if routes.is_held(folder, report.slot)]:
        if time.monotonic() > deadline + 2.0:
            return
        if time.monotonic() > deadline:
            for report in left:
                _kill(report.pid, signal.SIGKILL)
        time.sleep(0.01)


def _appended(log: Path) -> BinaryIO:
    try:
        return log.open("ab")
    except OSError:  # a full disk: a worker without a log is better than none
        return open(os.devnull, "ab")


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
