"""The control process, `plusone up`: publishes routes, keeps the workers and the control API alive, takes back what
can't be loaded. When it dies the workers go on; when the store is gone it waits and the workers go on."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from ..base import clock
from ..base.config import Project
from ..base.errors import ConfigError, Conflict, PlusoneError, StoreError, UsageError
from ..base.ids import new_id
from ..base.records import ServerReport, WorkerReport
from ..monitoring.judge import Judging
from ..predictions.collecting import collect
from ..release import lifecycle
from ..store import Store
from ..store.rows import to_row
from ..tracking.runs import recover_runs
from ..trust.records import check_signed
from ..workers.supervisor import Supervisor
from .publishing import Publisher
from .rolling import Rolling
from .troubles import Troubles

__all__ = ["Control"]

_LOOK_S = 0.02
_HEARTBEAT_S = 1.0
_FORGET_S = 3600.0
_LET_GO_S = 2.0
_RECOVER_S = 30.0
_COLLECT_S = 1.0
_COLLECT_NICE = 10
_LAST_S = 5.0
_ROLL_S = 1.0


class Control:
    """One `plusone up` of a project.

    Args:
        on_event: called with `{"event": ..., ...}` for what a person wants to see; from this thread only.
    """

    def __init__(
        self,
        project: Project,
        store: Store,
        *,
        host: str,
        port: int,
        control_port: int,
        workers: int,
        on_event: Callable[[dict[str, Any]], None],
    ) -> None:
        self.project = project
        self.store = store
        self._on_event = on_event
        self.folder = store.folder / "serving"
        serve = msgspec.structs.replace(project.serve, host=host, port=port, workers=workers)
        self.supervisor = Supervisor(self.folder, serve)
        self.api = _Api(project.root, control_port, self.folder / "logs" / "control.log")
        self.publisher = Publisher(store, self.folder)
        self.rolling = Rolling(store, self.folder, Judging(**msgspec.structs.asdict(project.rollouts)))
        self.id = new_id()
        self.started_at = clock.now()
        self._stop = threading.Event()
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        """What other threads want to be seen."""
        self._stopped = ""
        """What keeps all rollouts from going on, as it was told."""
        self.troubles = Troubles(on_event)
        self._repaired: dict[tuple[str, int, int], int] = {}
        """The route file with which a worker tries again, by what it could not load: model, route version, process."""
        self._reported: tuple[WorkerReport, ...] = ()
        self._ready = False

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or `stop`; then drain the workers and leave.

        Raises:
            Conflict: when another control process serves this store.
            UsageError: when a port is taken.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.api.check_port()
        self._check_grpc()
        self._check_signatures()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._guarded(self._publish)
        self.supervisor.start()
        threading.Thread(target=self._recover, daemon=True).start()
        threads = [threading.Thread(target=work, daemon=True) for work in (self._collect, self._roll)]
        for thread in threads:
            thread.start()
        tending = threading.Thread(target=self._tend, daemon=True)
        try:
            self.api.start()
            tending.start()
            addresses = {"address": self.supervisor.address, "control": self.api.address}
            self.on_event({"event": "started", **addresses, "models": self._guarded(self._routed) or []})
            self._loop()
        finally:
            self.on_event({"event": "stopping"})
            self._stop.set()  # an error ends the loop, too
            if tending.is_alive():
                tending.join()
            self.api.stop()
            self.supervisor.stop()
            for thread in threads:
                thread.join()
            # What the workers wrote last; without the store it waits for the next `plusone up`.
            until = time.monotonic() + _LAST_S
            self._guarded(lambda: collect(self.store, self.folder, is_over=lambda: time.monotonic() > until))
            self._guarded(self._sign_off)

    def _check_grpc(self) -> None:
        port = self.project.serve.grpc_port
        if port is not None and importlib.util.find_spec("grpc") is None:
            raise ConfigError(
                f"grpc_port = {port} under [tool.plusone.serve]: gRPC is not installed.",
                mend="pip install 'plusone[grpc]', or leave grpc_port out",
            )

    def _check_signatures(self) -> None:
        keys = self.project.serve.signed_by
        if keys and importlib.util.find_spec("cryptography") is None:
            raise ConfigError(
                "signed_by under [tool.plusone.serve]: signatures can't be verified without the package cryptography.",
                mend="pip install 'plusone[sign]', or leave signed_by out",
            )
        try:
            live = [one for one in lifecycle.list_releases(self.store.db) if one.stage == "live"] if keys else []
            for release in live:
                check_signed(self.store.db, release, keys)
        except StoreError:
            pass  # law 3: without the store the workers go on with what lies beside them
        except Conflict as error:  # workers would refuse it, and it would be rolled back for that
            raise ConfigError(error.message, mend=f"{error.mend}, or leave signed_by out for now") from error

    def stop(self) -> None:
        """Make `run` return soon; safe from any thread."""
        self._stop.set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _loop(self) -> None:
        heartbeat_at = 0.0
        seen_version = -1
        while not self._stop.is_set():
            version = self._guarded(self.store.db.version)
            # A version that could not be published now is published later, whether or not there is another one.
            if version is not None and version != seen_version and self._guarded(self._publish):
                seen_version = version
            reports = tuple(self.supervisor.reports())
            self._take_back(reports)
            essence = _essence(reports)
            if essence != _essence(self._reported) or time.monotonic() >= heartbeat_at:
                self._reported = reports
                self._guarded(self._report)
                heartbeat_at = time.monotonic() + _HEARTBEAT_S
            self._announce(reports)
            while not self._events.empty():
                self.on_event(self._events.get())
            self.troubles.tell()
            self._stop.wait(_LOOK_S)

    def _tend(self) -> None:
        """Keep the workers and the API alive; on a thread, because a store may keep the loop waiting for a minute."""
        while not self._stop.is_set():
            self._guarded(self._poll)
            self._stop.wait(_LOOK_S)

    def _poll(self) -> None:
        self.supervisor.poll()
        self.api.poll()

    def _recover(self) -> None:
        """Now and then, close runs whose process died; on a thread, because a long journal takes seconds to move."""
        while not self._stop.is_set():
            self._guarded(self._recover_runs)
            self._stop.wait(_RECOVER_S)

    def _recover_runs(self) -> None:
        recover_runs(self.store)

    def _collect(self) -> None:
        """Every second, move what workers logged into the store, and at first what dead ones left; on a thread, because
        there may be a lot of it, and serving does not wait for it: not for its share of the processors either."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _COLLECT_NICE)
        while not self._stop.is_set():
            self._guarded(self._collect_once)
            self._stop.wait(_COLLECT_S)

    def _collect_once(self) -> None:
        collect(self.store, self.folder, is_over=self._stop.is_set)

    def _roll(self) -> None:
        """Every second, look at the rollouts that are under way; on a thread, because labels are read for it."""
        while not self._stop.is_set():
            self._guarded(self._roll_once)
            self._stop.wait(_ROLL_S)

    def _roll_once(self) -> None:
        try:
            self.rolling.turn(self._events.put)
            self._stopped = ""
        except (PlusoneError, OSError):
            raise  # without the store no step is taken
        except Exception as error:  # a rollout that nobody looks at any more would be worse than one fault
            text = f"{type(error).__name__}: {error}"
            if text != self._stopped:
                self._stopped = text
                self._events.put({"event": "rollouts stopped", "message": text})

    def _routed(self) -> list[str]:
        return [row["model"] for row in self.store.db.all("route_current")]

    def _publish(self) -> bool:
        for model, version, error in self.publisher.publish():
            lifecycle.take_back(self.store, model, version, error=error)
            self.on_event({"event": "taken back", "model": model, "version": version, "error": error})
        return True

    def _take_back(self, reports: tuple[WorkerReport, ...]) -> None:
        for report in reports:
            for model, failure in report.failed.items():
                self._guarded(lambda m=model, f=failure, p=report.pid: self._take_one_back(m, f, p))

    def _take_one_back(self, model: str, failure: dict[str, Any], pid: int) -> None:
        version, error = int(failure["version"]), str(failure["error"])
        key = (model, version, pid)
        if key not in self._repaired:
            # Files beside the workers that were damaged are laid out anew.
            self._repaired[key] = self.publisher.repair(model, version)
            if self._repaired[key]:
                self.on_event({"event": "repaired", "model": model, "version": version, "error": error})
        if int(failure.get("sequence", 0)) < self._repaired[key]:
            return  # it was not tried again yet
        if lifecycle.take_back(self.store, model, version, error=error) is not None:
            self.on_event({"event": "taken back", "model": model, "version": version, "error": error})
            self._publish()

    def _report(self) -> None:
        report = ServerReport(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            address=self.supervisor.address,
            control=self.api.address,
            workers=self._reported,
            started_at=self.started_at,
            heartbeat_at=clock.now(),
        )
        with self.store.db.write() as tx:
            tx.execute("server_report", **to_row(report), evidence=self.rolling.said)

    def _sign_off(self) -> None:
        older = clock.parse(clock.now()) - dt.timedelta(seconds=_FORGET_S)
        with self.store.db.write() as tx:
            tx.execute("server_remove", id=self.id, older_than=older.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))

    def _announce(self, reports: tuple[WorkerReport, ...]) -> None:
        ready = len(reports) == self.supervisor.workers and all(report.ready for report in reports)
        if ready != self._ready:
            self._ready = ready
            versions = reports[0].versions if reports else {}
            self.on_event({"event": "ready" if ready else "not ready", "workers": len(reports), "versions": versions})

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """Do what needs the store or the disk; when that can't be had now, say so once, go on serving, and try again.
        Whatever else is wrong is said, too: the workers need somebody who looks after them.
        """
        name = getattr(action, "__name__", "")
        try:
            result = action()
        except (PlusoneError, OSError) as error:
            self.troubles.begin(name, str(error))
            return None
        except Exception as error:
            self.troubles.begin(name, f"A fault of plusone's own in {name}: {type(error).__name__}: {error}")
            return None
        self.troubles.end(name)
        return result

    def on_event(self, event: dict[str, Any]) -> None:
        """Tell a person; that the terminal is gone, or the disk behind it full, ends nothing."""
        with contextlib.suppress(OSError, ValueError):
            self._on_event(event)


class _Api:
    """The process that answers the control API, started again when it dies."""

    def __init__(self, root: Path, port: int, log: Path) -> None:
        self.root = root
        self.port = port
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def check_port(self) -> None:
        # The API of a control process that was killed ends with it, but not in the same moment.
        deadline = time.monotonic() + _LET_GO_S
        while error := self._bind():
            if time.monotonic() > deadline:
                raise UsageError(
                    f"The control API can't listen on 127.0.0.1:{self.port}: {error.strerror}.",
                    mend="plusone up --control-port PORT, or [tool.plusone.serve] control_port",
                )
            time.sleep(_LOOK_S)

    def _bind(self) -> OSError | None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                return error
            self.port = probe.getsockname()[1]
        return None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "plusone.gateway.server", "--project", str(self.root)]
        command += ["--port", str(self.port), "--until-input-ends"]
        with self.log.open("ab") as log:
            # Its input is a pipe from here, which closes when this process dies, however it dies: it then ends too,
            # and its port is free for the next control process.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def poll(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None
            self._start_at = time.monotonic() + 1.0
        if self._process is None and time.monotonic() >= self._start_at:
            self.start()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _essence(reports: tuple[WorkerReport, ...]) -> list[tuple[Any, ...]]:
    return [(one.pid, one.ready, one.versions, sorted(one.failed)) for one in reports]
