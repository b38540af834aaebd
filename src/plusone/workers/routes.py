"""The serving folder: the route file that comes in, and the reports of the workers that go out.

Files are replaced by rename, so that a reader sees the old content or the new one. A worker is alive as long as it
holds the lock of its slot: unlike a process id, a lock is never another process's, and the kernel drops it on any
death.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from ..base.clock import now
from ..base.errors import ConfigError, StoreError, UsageError
from ..base.files import write_atomic
from ..base.ids import check_model_name
from ..base.records import ModelRoute, RouteFile, WorkerReport

__all__ = [
    "ROUTE_FILE",
    "SupervisorStats",
    "hold",
    "is_held",
    "publish",
    "read",
    "read_good",
    "read_reports",
    "read_supervisor",
    "replace",
    "report_path",
    "stamp",
    "write_good",
    "write_report",
    "write_supervisor",
]

ROUTE_FILE = "route.json"
_GOOD_FILE = "good.json"
_MAX_ROUTE_BYTES = 16 * 1024 * 1024
_route_decoder = msgspec.json.Decoder(RouteFile)
_report_decoder = msgspec.json.Decoder(WorkerReport)


def publish(folder: Path, route: RouteFile) -> None:
    """Make `route` the route file of the serving folder, durably and whole: the workers follow within about 20 ms.

    Raises:
        UsageError: when the route can't be served by any worker (see `read`); the file is left as it was.
    """
    for name, model in route.models.items():
        _check_model(name, model)
    try:
        write_atomic(folder / ROUTE_FILE, msgspec.json.encode(route))
    except OSError as error:
        raise StoreError(
            f"{folder / ROUTE_FILE} can't be written: {error}. The workers go on with the route they have.",
            mend="free space on the disk or mend the permissions of that folder",
        ) from error


def read(folder: Path) -> RouteFile | None:
    """Return the route file of the serving folder, or None while there is none.

    Raises:
        ConfigError: when the content is no route file, or a model in it has a name or shares that can't be.
    """
    path = folder / ROUTE_FILE
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_ROUTE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error
    if len(data) > _MAX_ROUTE_BYTES:
        raise ConfigError(f"{path} has over {_MAX_ROUTE_BYTES} bytes: expected a route file.")
    mend = "plusone up writes this file: start it again, and don't edit it"
    try:
        route = _route_decoder.decode(data)
        for name, model in route.models.items():
            _check_model(name, model)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no route file: {error}.", mend=mend) from error
    except UsageError as error:
        raise ConfigError(f"{path}: {error.message}", mend=mend) from error
    return route


def stamp(folder: Path) -> tuple[int, ...] | None:
    """Return what changes whenever the route file is replaced; None while there is none."""
    try:
        stat = os.stat(folder / ROUTE_FILE)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_ctime_ns


def read_good(folder: Path) -> RouteFile:
    """Return what was last served whole, by model; empty when that is not known."""
    try:
        route = _route_decoder.decode((folder / _GOOD_FILE).read_bytes())
        for name, model in route.models.items():
            _check_model(name, model)
    except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError, UsageError):
        return RouteFile(sequence=0)
    return route


def write_good(folder: Path, models: dict[str, ModelRoute]) -> None:
    """Keep what is served whole now, for a worker that starts when the route names what can't be loaded. Raises
    OSError."""
    before = read_good(folder)
    if before.models != models:
        route = RouteFile(sequence=before.sequence + 1, models=models, at=now())
        write_atomic(folder / _GOOD_FILE, msgspec.json.encode(route))


def _check_model(name: str, model: ModelRoute) -> None:
    check_model_name(name)
    for target in model.targets:
        if not 0.0 <= target.share <= 1.0:
            raise UsageError(f"{name}@{target.release} has share {target.share}: expected 0 to 1.")
    total = sum(target.share for target in model.targets)
    if abs(total - 1.0) > 1e-6:
        raise UsageError(f"the shares of {name}, version {model.version}, add up to {total}: expected 1.")


# ---------------------------------------------------------------------------------- reports


def report_path(folder: Path, slot: int) -> Path:
    """Return where the worker of `slot` writes its report."""
    return folder / "workers" / f"{slot}.json"


def replace(path: Path, value: Any) -> None:
    """Replace the JSON file `path`, whole or not at all, without waiting for the disk.

    For what a worker says of itself: it must outlive the process (it does) and need not outlive a power cut.
    Raises OSError, for example when the disk is full.
    """
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        temporary.write_bytes(msgspec.json.encode(value))
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_report(folder: Path, report: WorkerReport) -> None:
    """Write the report of one worker, stamped with the present time. Raises OSError."""
    replace(report_path(folder, report.slot), msgspec.structs.replace(report, at=now()))


def read_reports(folder: Path) -> list[WorkerReport]:
    """Return the newest report of every living worker, by slot. What can't be read is left out: no worker wrote it."""
    reports: list[WorkerReport] = []
    for path in (folder / "workers").glob("*.json"):
        try:
            report = _report_decoder.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if path.stem == str(report.slot) and is_held(folder, report.slot) and _exists(report.pid):
            reports.append(report)
    return sorted(reports, key=lambda report: report.slot)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    return pid > 0


class SupervisorStats(msgspec.Struct, kw_only=True):
    """What the supervisor says to `/metrics`: how often it restarted a worker, ever, and which slots should be up."""

    restarts: int = 0
    hung: int = 0
    """How many of them were killed because their event loop stood still."""
    slots: list[int] = []


def read_supervisor(folder: Path) -> SupervisorStats:
    """Return what the newest supervisor of this folder wrote; zero restarts when there is none."""
    try:
        return msgspec.json.decode((folder / "stats" / "supervisor.json").read_bytes(), type=SupervisorStats)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return SupervisorStats()


def write_supervisor(folder: Path, stats: SupervisorStats) -> None:
    """Leave `stats` for every worker's `/metrics`. Raises OSError."""
    (folder / "stats").mkdir(parents=True, exist_ok=True)
    replace(folder / "stats" / "supervisor.json", stats)


# ---------------------------------------------------------------------------------- locks


def hold(path: Path, *, wait_s: float = 0.0) -> int | None:
    """Return a descriptor that holds the lock `path` until it is closed, or None when another process holds it.

    Args:
        wait_s: how long to try again; a look by `is_held` takes the lock for some microseconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES) or time.monotonic() >= deadline:
                os.close(descriptor)
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                return None
        time.sleep(0.005)


def is_held(folder: Path, slot: int) -> bool:
    """Return whether a living worker holds `slot`."""
    try:
        descriptor = os.open(folder / "workers" / f"{slot}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)
