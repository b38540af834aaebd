"""How the models in memory are exchanged under traffic.

A thread looks at the route file whenever its folder changed. When it is another one, the releases it names are loaded
beside those that serve, each on a thread of its own (`loading/`), and warmed up; then one reference is replaced: a
request sees the old table or the new one, whole. Requests in flight keep the objects they began with. What is in memory
already is not loaded again, so going back to the previous release moves a pointer. A load that fails or hangs is
reported, and the release before goes on; a worker that starts while the route names what can't be loaded serves what
was served last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import PlusoneError
from ..base.files import inside
from ..base.records import ModelRoute, RouteTarget
from ..loading.loads import Load, Loads, give_back_memory, takes_requests
from ..predictor import Predictor
from ..trust.signing import SignedBy
from ..workers import routes
from ..workers.changes import Changes
from .table import Entry, Table, Target

__all__ = ["Models"]

Log = Callable[..., None]
_INTERVAL_S = 0.02
_PATIENCE_S = 2.0
"""How long a model without a release waits for the one of the route before what was last served is loaded for it."""


class _Entered(NamedTuple):
    """What an entry of the table was made from."""

    route: ModelRoute
    packages: tuple[str, ...]


class Models:
    """Follows the route file of a serving folder. `table` may be read from any thread, and is replaced by one."""

    def __init__(
        self,
        folder: Path,
        log: Log,
        changed: Callable[[], None],
        *,
        slot: int = 0,
        load_timeout_s: float = 120.0,
        end: str = "",
        signed_by: tuple[str, ...] = (),
    ) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            log: called with an event's name and its fields; from any thread.
            changed: called from the thread that follows, after each change of `table`.
            slot: that of this worker.
            load_timeout_s: how long a load may take before it counts as failed.
            signed_by: the public keys of which one must have signed what is served; empty: all is.
            end: how the worker before this one in the slot ended (see `marks.judge`).
        """
        self.folder = folder
        self.table = Table({}, {}, routed=False)
        self._log = log
        self._changed = changed
        self._wake = threading.Event()
        self._loads = Loads(folder, slot, log, self._wake.set, timeout_s=load_timeout_s)
        self._signed = SignedBy(folder, signed_by)
        self._end = end
        self._wanted: dict[str, ModelRoute] = {}
        self._sequence = 0
        """That of the route file that is followed: what failed says which one it was."""
        self._good: dict[str, ModelRoute] | None = None
        self._loaded: dict[str, tuple[Predictor, float]] = {}
        self._broken: dict[str, str] = {}
        """Why a package could not be loaded, until the route file changes."""
        self._entered: dict[str, _Entered] = {}
        self._wanted_at = 0.0
        self._untidy = False
        self._falling_back: set[str] = set()
        self._routed = False
        self._problem = ""
        self._seen: tuple[int, ...] | None = None
        self._stop = threading.Event()
        self._changes: Changes | None = None
        self._thread = threading.Thread(target=self._watch, name="route-watcher", daemon=True)

    def start(self) -> None:
        """Begin to follow the route file."""
        self._thread.start()

    def stop(self) -> None:
        """End following. A load under way is not waited for."""
        self._stop.set()
        self._wake.set()
        if self._changes is not None:
            self._changes.wake()
        if self._thread.is_alive():
            self._thread.join(1.0)
        self._loads.close()

    def _watch(self) -> None:
        self._changes = changes = Changes(self.folder)
        while not self._stop.is_set():
            try:
                self._step()
            except Exception as error:  # a watcher that died would freeze the route for good
                self._log("route_watch_failed", error=f"{type(error).__name__}: {error}")
                self._stop.wait(1.0)
            if self._loads.under_way or self._is_behind():
                self._wake.wait(_INTERVAL_S)
                self._wake.clear()
            else:
                changes.wait()
        changes.close()

    def look(self) -> bool:
        """Follow the route file and wait for what it needs; return whether it had changed since the last look."""
        changed = self._step()
        while self._loads.under_way:
            self._wake.wait(_INTERVAL_S)
            self._wake.clear()
            self._step()
        return changed

    # ---------------------------------------------------------------------------------- the thread that follows

    def _step(self) -> bool:
        """Do what can be done now; return whether the route file had changed."""
        first = self._good is None
        if first:
            self._loads.remember(self._end)
            self._good = dict(routes.read_good(self.folder).models)
        seen = routes.stamp(self.folder)
        read = False
        if first or seen != self._seen:
            self._seen = seen
            read = self._read()
        ended = self._loads.collect()
        for one in ended:
            self._take(one)
        if read or ended or self._is_behind():
            self._follow()
        return read

    def _read(self) -> bool:
        """Read the route file; return whether there is anything to do about it."""
        try:
            route = routes.read(self.folder)
        except PlusoneError as error:
            self._problem = error.message
            self._log("route_refused", error=error.message)
            return self._take_good() or True
        if route is None:  # removed while we serve: law 3, go on with what we have
            return self._take_good()
        self._problem = ""
        self._routed = True
        self._wanted = route.models
        self._sequence = route.sequence
        self._wanted_at = time.monotonic()
        self._broken = {}
        self._signed.forget_refusals()
        return True

    def _take_good(self) -> bool:
        """Begin with what was last served whole, if the route file of a worker that starts is damaged or gone."""
        if self._routed or not self._good:
            return False
        self._routed = True
        self._wanted = dict(self._good)
        self._wanted_at = time.monotonic()
        return True

    def _take(self, one: Load) -> None:
        if one.predictor is not None:
            self._loaded[one.target.package] = one.predictor, one.row_s
            self._untidy = True
            return
        self._broken[one.target.package] = one.error
        what = {"model": one.model, "version": one.version, "release": one.target.release}
        # Without a release that is only kept warm the live one is served, and a rollback will say what is wrong.
        event = "load_failed" if takes_requests(one.target) else "warm_release_not_loaded"
        self._log(event, **what, error=one.error)

    def _is_behind(self) -> bool:
        """Return whether a model waits for something that does not tell when it comes: its turn, or patience."""
        table = self.table
        return any(
            name not in table.failed and (name not in table.entries or table.entries[name].version != route.version)
            for name, route in self._wanted.items()
        )

    def _follow(self) -> None:
        """Make the table that can be had now, and begin to load what is missing."""
        before = self.table
        entries: dict[str, Entry] = {}
        failed: dict[str, dict[str, Any]] = {}
        self._falling_back = set()
        for name, route in self._wanted.items():
            if error := self._error_of(name, route):
                failed[name] = {"version": route.version, "error": error, "sequence": self._sequence}
            entry = self._enter(name, route, error)
            if entry is not None:
                entries[name] = entry
        if not self._routed:  # nothing was ever read: a file that is damaged takes nothing away
            entries, failed = before.entries, before.failed
        loading = frozenset(self._wanted.keys() - entries.keys() - (failed.keys() - self._falling_back))
        after = Table(entries, failed, routed=self._routed, problem=self._problem, loading=loading)
        if _essence(after) != _essence(before):
            self.table = after
            self._changed()
        self._keep_good()
        self._drop()

    def _unsigned(self, name: str, target: RouteTarget) -> str:
        return self._signed.refusal(name, target.release, target.digest, target.package)

    def _error_of(self, name: str, route: ModelRoute) -> str:
        """Return why this version of a route can't be served; empty when it can, or may yet."""
        for target in route.targets:
            if not takes_requests(target):
                continue
            if error := self._unsigned(name, target):
                return error
            if target.package in self._loaded:
                continue
            if error := self._broken.get(target.package) or self._loads.refusal(target.package):
                return error
        return ""

    def _enter(self, name: str, route: ModelRoute, error: str) -> Entry | None:
        """Return the entry of a model: that of the route if it is loaded, else the one before, if there is any."""
        present = self.table.entries.get(name)
        missing = [target for target in route.targets if target.package not in self._loaded]
        needed = [target for target in missing if takes_requests(target)]
        if not error and not needed:
            # What is only kept warm comes behind: first of all the model is served.
            self._begin(name, route, missing)
            return self._entry(name, route)
        if error:
            return present or self._fall_back(name, route)
        suspects = any(self._loads.suspect(target.package) for target in needed)
        if present is None and (suspects or time.monotonic() > self._wanted_at + _PATIENCE_S):
            present = self._fall_back(name, route)
        if present is not None or not suspects or not self._loads.under_way:
            self._begin(name, route, needed)
        return present

    def _fall_back(self, name: str, route: ModelRoute) -> Entry | None:
        """Return the entry of what was last served whole, or begin to load that."""
        good = (self._good or {}).get(name)
        if good is None or good.version == route.version or self._error_of(name, good):
            return None
        needed = [one for one in good.targets if takes_requests(one) and one.package not in self._loaded]
        self._begin(name, good, needed)
        if needed:
            self._falling_back.add(name)
            return None
        return self._entry(name, good)

    def _begin(self, name: str, route: ModelRoute, targets: list[RouteTarget]) -> None:
        for target in targets:
            package = target.package
            if package not in self._broken and not self._loads.refusal(package) and not self._unsigned(name, target):
                self._loads.begin(name, route.version, target)

    def _entry(self, name: str, route: ModelRoute) -> Entry:
        held = [one for one in route.targets if one.package in self._loaded and not self._unsigned(name, one)]
        made_from = _Entered(route, tuple(target.package for target in held))
        old = self.table.entries.get(name)
        if old is not None and self._entered.get(name) == made_from:
            return old
        targets: list[Target] = []
        for target in held:
            predictor, row_s = self._loaded[target.package]
            targets.append(Target(name, target, predictor, inside(self.folder, target.folder), row_s))
        entry = Entry(name, route.version, tuple(targets))
        self._entered[name] = made_from
        if old is None or old.version != route.version:
            self._log("route_loaded", model=name, version=route.version, release=entry.live.release)
        return entry

    def _keep_good(self) -> None:
        """Remember which models are served as the route says, for whoever starts when it says what can't be loaded."""
        good = {name: route for name, route in (self._good or {}).items() if name in self._wanted}
        for name, entry in self.table.entries.items():
            if name in self._wanted and entry.version == self._wanted[name].version:
                good[name] = self._wanted[name]
        if good == self._good or not self._routed:
            return
        self._good = good
        try:
            routes.write_good(self.folder, good)
        except OSError as error:
            self._log("good_route_not_written", error=str(error))

    def _drop(self) -> None:
        """Let go of what no route needs."""
        held = {target.package for entry in self.table.entries.values() for target in entry.held}
        wanted = {target.package for route in self._wanted.values() for target in route.targets}
        good = {target.package for route in (self._good or {}).values() for target in route.targets}
        self._loads.forget(wanted | good)
        gone = self._loaded.keys() - held - wanted
        if self.table.loading or self._loads.under_way:
            gone -= good
        for package in gone:
            del self._loaded[package]
        if (self._untidy or gone) and not self._loads.under_way:
            self._untidy = False
            give_back_memory()


def _essence(table: Table) -> tuple[Any, ...]:
    return table.entries, table.failed, table.routed, table.problem, table.loading
