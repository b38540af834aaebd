"""How the models in memory are exchanged under traffic.

A thread looks at the route file whenever its folder changed. When it is another one, the releases it names are loaded
beside those that serve, warmed up, and then one reference is replaced: a request sees the old table or the new one,
whole. Requests in flight keep the objects they began with. What is in memory already is not loaded again, so going back
to the previous release moves a pointer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.errors import PlusoneError
from ..base.files import inside
from ..base.records import ModelRoute, RouteTarget
from ..predictor import Predictor, load
from ..workers import routes
from ..workers.changes import Changes
from .table import Entry, Table, Target

__all__ = ["Models"]

Log = Callable[..., None]
_TRIES = 5
_LONG_S = 0.1


class Models:
    """Follows the route file of a serving folder. `table` may be read from any thread, and is replaced by one."""

    def __init__(self, folder: Path, log: Log, changed: Callable[[], None]) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            log: called with an event's name and its fields.
            changed: called from the thread that loads, after each look that changed something.
        """
        self.folder = folder
        self.table = Table({}, {}, routed=False)
        self._log = log
        self._changed = changed
        self._loaded: dict[str, tuple[Predictor, float]] = {}
        self._seen: tuple[int, ...] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="route-watcher", daemon=True)

    def start(self) -> None:
        """Begin to follow the route file."""
        self._thread.start()

    def stop(self) -> None:
        """End following. A load under way is not waited for."""
        self._stop.set()

    def _watch(self) -> None:
        changes = Changes(self.folder)
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # a watcher that died would freeze the route for good
                self._log("route_watch_failed", error=f"{type(error).__name__}: {error}")
                self._stop.wait(1.0)
            changes.wait()
        changes.close()

    def look(self) -> bool:
        """Follow the route file if it changed since the last look; return whether it did."""
        seen = self._stamp()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            route = routes.read(self.folder)
        except PlusoneError as error:
            before = self.table
            self.table = Table(before.entries, before.failed, routed=before.routed, problem=error.message)
            self._log("route_refused", error=error.message)
            self._changed()
            return True
        if route is None:  # removed while we serve: law 3, go on with what we have
            return False
        self._follow(route.models)
        self._changed()
        return True

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            stat = os.stat(self.folder / routes.ROUTE_FILE)
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_ctime_ns

    def _follow(self, models: dict[str, ModelRoute]) -> None:
        before = self.table.entries
        entries: dict[str, Entry] = {}
        failed: dict[str, dict[str, Any]] = {}
        for name, route in models.items():
            try:
                entries[name] = self._enter(name, route)
            except Exception as error:  # whatever a broken package does, the release before goes on
                text = error.message if isinstance(error, PlusoneError) else f"{type(error).__name__}: {error}"
                failed[name] = {"version": route.version, "error": text}
                self._log("load_failed", model=name, version=route.version, error=text)
                if name in before:
                    entries[name] = before[name]
        self.table = Table(entries, failed, routed=True)
        needed = {target.package for entry in entries.values() for target in entry.held}
        for package in self._loaded.keys() - needed:
            del self._loaded[package]
        _give_back_memory()

    def _enter(self, name: str, route: ModelRoute) -> Entry:
        held: list[Target] = []
        for target in route.targets:
            try:
                predictor, row_s = self._predictor(name, target)
                held.append(Target(name, target, predictor, inside(self.folder, target.folder), row_s))
            except Exception as error:
                if target.share > 0.0:
                    raise
                # The warm release takes no traffic: without it the live one still serves, and a rollback will say what
                # is wrong.
                self._log("warm_release_not_loaded", model=name, release=target.release, error=str(error))
        entry = Entry(name, route.version, tuple(held))
        old = self.table.entries.get(name)
        if old is None or old.version != route.version:
            self._log("route_loaded", model=name, version=route.version, release=entry.live.release)
        return entry

    def _predictor(self, name: str, target: RouteTarget) -> tuple[Predictor, float]:
        found = self._loaded.get(target.package)
        if found is not None:
            return found
        began = time.perf_counter()
        predictor = load(inside(self.folder, target.folder), target.package)
        row_s = _time_a_row(predictor)
        self._loaded[target.package] = predictor, row_s
        seconds = round(time.perf_counter() - began, 4)
        self._log("release_loaded", model=name, release=target.release, package=target.package, seconds=seconds)
        return predictor, row_s


def _give_back_memory() -> None:
    """Give the system what loading needed for a while: of a forest of 40 MB that is as much again as it keeps."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def _time_a_row(predictor: Predictor) -> float:
    """Return what one row takes at best, in seconds: what the first requests are planned with."""
    best = float("inf")
    for _ in range(_TRIES):
        began = time.perf_counter()
        predictor.warm_up()
        best = min(best, time.perf_counter() - began)
        if best > _LONG_S:
            break
    return best
