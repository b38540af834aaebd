"""Releases are loaded on threads of their own: one that hangs is given up at its deadline, one that takes the process
with it is known to the next process by its mark.

Workers of one machine take turns at a package that none of them has loaded yet: if it kills the first, the others go
on.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.errors import BrokenArtifact, PlusoneError
from ..base.files import inside
from ..base.records import RouteTarget
from ..predictor import Predictor, load
from ..workers import marks, routes

__all__ = ["Load", "Loads", "give_back_memory", "keep_big_pieces_apart", "takes_requests", "time_a_row"]

Log = Callable[..., None]
_LOOK_S = 0.02
_ANEW_S = 30.0
_TRIES = 5
_LONG_S = 0.1
_NICE = 5
_BIG_BYTES = 4 * 1024 * 1024
_APART_BYTES = 1024 * 1024
_TOP_BYTES = 32 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of GNU's C library


class Load:
    """One package on its way into memory. What is written by its thread is read when `over` is set."""

    def __init__(self, model: str, version: int, target: RouteTarget) -> None:
        self.model = model
        self.version = version
        self.target = target
        self.predictor: Predictor | None = None
        self.row_s = 0.0
        """What a row takes at best, in seconds."""
        self.error = ""
        self.over = False
        self.given_up = False
        self.waits = True
        """Whether its turn did not come yet."""
        self.began = time.monotonic()
        """When its turn came; until then, when it was asked for."""
        self._turn: int | None = None
        self._lock = threading.Lock()

    def hold(self, descriptor: int) -> None:
        """Keep the descriptor by which the package is locked, until `let_go`."""
        with self._lock:
            self._turn = descriptor

    def lock(self) -> bool:
        """Take the lock if nobody has it; say whether it is this load's, or there is none to be had."""
        with self._lock:
            if self._turn is None:
                return True
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:  # a file system without locks: better no turns than no release
                return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
            return True

    def unlock(self) -> None:
        """Give the lock back, to ask for it again."""
        with self._lock:
            if self._turn is not None:
                fcntl.flock(self._turn, fcntl.LOCK_UN)

    def let_go(self) -> None:
        """Let others load the package; safe to call twice, and from any thread."""
        with self._lock:
            if self._turn is not None:
                os.close(self._turn)
                self._turn = None


class Loads:
    """The loads of one worker. All methods but those of the loads' own threads are called from one thread."""

    def __init__(self, folder: Path, slot: int, log: Log, ended: Callable[[], None], *, timeout_s: float) -> None:
        """Prepare.

        Args:
            slot: under which the marks are kept.
            log: called with an event's name and its fields; from any thread.
            ended: called from the thread of a load when it is over.
            timeout_s: how long a load may take.
        """
        self.folder = folder
        self.timeout_s = timeout_s
        self.under_way: dict[str, Load] = {}
        """By package."""
        self._slot = slot
        self._log = log
        self._ended = ended
        self._hung: dict[str, Load] = {}
        self._marks: dict[str, marks.Mark] = {}
        """Of packages that are being loaded, hang, or killed a worker."""
        self._marking = threading.Lock()

    def remember(self, end: str) -> None:
        """Read the marks of the worker before this one, and judge them; `end`: how it ended (see `marks.judge`)."""
        found = marks.read(self.folder, self._slot)
        if found:
            self._log("died_while_loading", end=end, packages=list(found))
            self._mark(lambda _: marks.judge(found, end))

    def refusal(self, package: str) -> str:
        """Return why a package must not be loaded now; empty when it may be."""
        mark = self._marks.get(package)
        if mark is not None and mark.refused:
            return mark.refused
        if package in self._hung:
            seconds = round(time.monotonic() - self._hung[package].began)
            return f"it hangs still, {seconds} s after its load was begun: it is not begun again."
        return ""

    def suspect(self, package: str) -> bool:
        """Return whether a worker died while it loaded this package, for whatever reason."""
        mark = self._marks.get(package)
        return mark is not None and mark.deaths > 0

    def begin(self, model: str, version: int, target: RouteTarget) -> None:
        """Load a package, unless it is being loaded, or is a suspect and another load is under way."""
        package = target.package
        if package in self.under_way or (self.suspect(package) and self.under_way):
            return
        one = self.under_way[package] = Load(model, version, target)
        try:
            threading.Thread(target=self._run, args=(one,), name="load", daemon=True).start()
        except RuntimeError as error:
            one.error, one.over = f"no thread could be started: {error}", True

    def collect(self) -> list[Load]:
        """Return the loads that are over since the last call, and those that were given up now."""
        found: list[Load] = []
        present = time.monotonic()
        for package, one in list(self.under_way.items()):
            # Whoever waits for another's load is given up after that one was, and its worker may have begun anew.
            late = present > one.began + self.timeout_s + (_ANEW_S if one.waits else 0.0)
            if not one.over and not late:
                continue
            del self.under_way[package]
            if not one.over:
                one.given_up = True
                one.error = "another worker loads it, or died of it: this one waited in vain."
                if not one.waits:
                    one.error = f"it did not load within {self.timeout_s:g} s, and was given up (load_timeout_s)."
                    self._hung[package] = one
            found.append(one)
            one.let_go()
        ended = [package for package, one in self._hung.items() if one.over]
        for package in ended:
            self._log("hung_load_ended", package=package, error=self._hung.pop(package).error)
        self._unmark({*ended, *(one.target.package for one in found)} - self._hung.keys())
        return found

    def forget(self, needed: set[str]) -> None:
        """Drop what is known of packages that no route needs any more: what is asked for again is tried again."""
        for package, one in list(self.under_way.items()):
            if package not in needed and one.waits:
                one.given_up = True
                del self.under_way[package]
        self._unmark(self._marks.keys() - needed - self.under_way.keys() - self._hung.keys())

    def close(self) -> None:
        """Take the marks away: this worker ends in order, whatever is being loaded."""
        self._unmark({package for package, mark in self._marks.items() if not mark.refused})

    def _unmark(self, packages: set[str]) -> None:
        if not packages.isdisjoint(self._marks):
            self._mark(lambda now: {package: mark for package, mark in now.items() if package not in packages})

    def _mark(self, change: Callable[[dict[str, marks.Mark]], dict[str, marks.Mark]]) -> None:
        with self._marking:
            self._marks = change(self._marks)
            try:
                marks.write(self.folder, self._slot, self._marks)
            except OSError as error:  # a full disk: a release is loaded all the same
                self._log("mark_not_written", error=str(error))

    # ---------------------------------------------------------------------------------- on the thread of a load

    def _run(self, one: Load) -> None:
        try:
            folder = inside(self.folder, one.target.folder)
            _give_way(folder)
            self._wait_for_turn(one, folder)
            began = time.perf_counter()
            predictor = load(folder, one.target.package, log=self._log)
            one.row_s = time_a_row(predictor)
            if one.given_up:
                return
            one.predictor = predictor
            fields: dict[str, Any] = {"release": one.target.release, "package": one.target.package}
            self._log("release_loaded", model=one.model, **fields, seconds=round(time.perf_counter() - began, 4))
        except Exception as error:  # whatever a broken package does, the release before goes on
            text = error.message if isinstance(error, PlusoneError) else f"{type(error).__name__}: {error}"
            one.error = one.error or text
        finally:
            one.over = True
            one.let_go()
            self._ended()

    def _wait_for_turn(self, one: Load, folder: Path) -> None:
        """Wait until no other worker loads this package for the first time on this machine, or died of it."""
        package = one.target.package
        with contextlib.suppress(OSError):  # without the folder loading says what is wrong
            one.hold(os.open(folder, os.O_RDONLY | os.O_CLOEXEC))
        while one.given_up or not self._is_turn(one):
            if one.given_up:
                raise BrokenArtifact("Another worker loads it, or died of it: this one did not begin.")
            time.sleep(_LOOK_S)
        one.began = time.monotonic()
        one.waits = False
        new = {package: marks.Mark(model=one.model, version=one.version)}
        self._mark(lambda now: {**new, **now})

    def _is_turn(self, one: Load) -> bool:
        package = one.target.package
        if not one.lock():
            return self._known(package)
        # Whoever loads it holds the lock, and removes its mark before or just after: the owner of this one is dead, or
        # has just begun anew and will try again.
        other = marks.read_others(self.folder, self._slot).get(package)
        if other is None or self._known(package):
            return True
        if other.refused:
            raise BrokenArtifact(f"Another worker says: {other.refused}")
        one.unlock()
        return False

    def _known(self, package: str) -> bool:
        """Return whether a worker of this machine has served the package already."""
        good = routes.read_good(self.folder).models.values()
        return any(target.package == package for route in good for target in route.targets)


def _give_way(folder: Path) -> None:
    """Let requests go before the load of a big release, which is seconds of work without the interpreter's lock.

    Not of a small one: a few milliseconds, most of them with the lock. A thread that has it and is kept from running
    keeps the event loop waiting.
    """
    with contextlib.suppress(OSError):
        if sum(file.stat().st_size for file in folder.iterdir()) > _BIG_BYTES:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def time_a_row(predictor: Predictor) -> float:
    """Return what one row takes at best, in seconds: what the first requests are planned with."""
    best = float("inf")
    for _ in range(_TRIES):
        began = time.perf_counter()
        predictor.warm_up()
        best = min(best, time.perf_counter() - began)
        if best > _LONG_S:
            break
    return best


def takes_requests(target: RouteTarget) -> bool:
    """Return whether a release answers requests, or copies of them: others are only kept warm."""
    return target.share > 0.0 or target.shadow > 0.0 or target.stage in ("live", "canary", "shadow")


def keep_big_pieces_apart() -> None:
    """Have each piece of memory over 1 MB mapped by itself, so that it goes back to the system when it is freed.

    By itself GNU's C library stops doing so at the first big piece that is freed. Then what the load of a big forest
    needs for a while stays with the process (340 MB more than it keeps, of a package of 70 MB), and giving it back
    kept the event loop waiting for up to 80 ms.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _APART_BYTES)
        # Said once, it is never adjusted again either: at its default of 128 kB small requests would give and take.
        library.mallopt(_M_TRIM_THRESHOLD, _TOP_BYTES)


def give_back_memory() -> None:
    """Give the system what loading needed for a while: of a forest of 40 MB that is as much again as it keeps."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)
