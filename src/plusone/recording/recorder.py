"""Logs the points of a run: into its journal at once, from there into the store in the background.

The journal is what keeps them: `log` copies a point into a mapped file and returns. A thread moves what was logged into
the store, as chunks of series; how far it has come is written in the same transaction, so that after a kill at any
moment each point is there once. What a process that died has left, `recover_points` moves.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..base.errors import NotFound, StoreError, UsageError
from ..base.ids import canonical_json
from ..base.records import Latest
from ..journal import Journal, claim, list_segments
from ..journal.log import MAGIC, sweep
from .layout import MOST_STEP, POINT, SERIES, SERIES_MARK, check_key, refusal

if TYPE_CHECKING:
    from ..store import Store
    from ..store.database import Transaction
    from .points import Columns

__all__ = ["Recorder", "Recovered", "journal_of", "recover_points"]

_MOST_JOURNAL_BYTES = 256 * 1024 * 1024
_BUSY_S, _QUIET_S, _BROKEN_S = 1.0, 5.0, 30.0
_BUSY_POINTS = 1000
_KEEP_THREAD_S = 60.0
# A chunk has at most this many points; below the lesser number it is merged with what comes behind it.
_CHUNK_POINTS, _SMALL_POINTS = 65536, 4096
_MOST_SMALL = 64
_PROBED_S, _PROBE_AGAIN_S = 0.2, 0.005

_metrics = msgspec.json.Decoder(dict[str, Latest])
_pack = POINT.pack
_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


class Recorder:
    """Logs points to one run. Threads may share it; several of several processes may log to one run at once.

    A fork goes on in a journal and with a store of its own.

    Raises:
        NotFound: when there is no such run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.run_id = run_id
        self._store = store
        self._process = os.getpid()
        # Where the run's series go on, when it was logged to before.
        self._next_steps = {key: min(latest.step + 1, MOST_STEP) for key, latest in _latest(store, run_id).items()}
        # Of each series its number and its next step; and every number that was ever given. They are never given twice,
        # not even when a signal handler logs in the middle of it.
        self._series: dict[str, list[int]] = {}
        self._keys: dict[int, str] = {}
        self._numbers = itertools.count()
        self._journal = Journal(journal_of(store, run_id), head=self._names, on_segment=self._on_segment)
        self._closed = False
        self._begin_idle()
        _recorders.add(self)

    def _begin_idle(self) -> None:
        self._lock = threading.RLock()
        self._moving = threading.Lock()
        self._awake = threading.Event()
        self._moved_some = threading.Event()
        self._thread: threading.Thread | None = None
        self._idle = True
        self._crowded = False
        self._interval_s = _BUSY_S
        self._trouble: Exception | None = None
        self._positions: dict[Path, int] = {}
        self._removed: list[str] = []

    def log(self, metrics: Mapping[str, float], *, step: int | None = None, at: float | None = None) -> None:
        """Log one value of each metric. When this returns they survive the death of this process.

        Args:
            step: without it each metric counts its own steps: from 0, or on from the last one.
            at: unix time in seconds; default now.

        Raises:
            UsageError: when a value is no number, a name no text or the step no integer of 64 bits; then nothing of the
                call is logged.
            StoreError: when the disk is full, or holds 256 MiB of points that the store does not take.
        """
        if at is None:
            at = time.time()
        try:
            if step is not None and type(step) is not int:
                step = index(step)
            with self._lock:
                points: list[tuple[list[int], int, bytes]] = []
                for key, value in metrics.items():
                    series = self._series.get(key)
                    if series is None:
                        series = self._declare(key)
                    place = series[1] if step is None else step
                    points.append((series, place, _pack(series[0], place, value, at)))
                for series, place, record in points:
                    self._journal.append(record)
                    series[1] = place + 1 if place < MOST_STEP else MOST_STEP
                if self._idle:
                    self._wake()
        except (StoreError, UsageError):
            raise
        except Exception as error:
            raise refusal(metrics, step, at, error) from None
        if self._crowded:
            self._wait_for_room()

    def flush(self) -> None:
        """Move everything that was logged into the store; it is there when this returns.

        Raises:
            StoreError: when the store can't be written now. Nothing is lost: it is moved later.
        """
        self._move()

    def close(self) -> None:
        """Move everything into the store and take no more; safe to call twice.

        Raises:
            StoreError: when the store can't be written now. Nothing is lost: the next command moves it.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
            self._journal.seal()
        self._awake.set()
        if thread is not None:
            thread.join()
        try:
            self._move()
            self._forget_removed()
        finally:
            self._journal.close()
            sweep(self._journal.folder)

    # -------------------------------------------------------------------------------------------- the hot path's rest

    def _names(self) -> Iterator[bytes]:
        for number, key in list(self._keys.items()):
            yield SERIES.pack(SERIES_MARK, number) + key.encode()

    def _declare(self, key: str) -> list[int]:
        series = [next(self._numbers), self._next_steps.get(check_key(key), 0)]
        # First in the journal: a point must not stand there without the name of its series.
        self._journal.append(SERIES.pack(SERIES_MARK, series[0]) + key.encode())
        self._keys[series[0]] = key
        self._series[key] = series
        return series

    def _wake(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="plusone-recorder", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends, or there are too many: what is logged is safe, and tried again
                return
            self._thread = thread
        else:
            self._awake.set()
        self._idle = False

    def _on_segment(self) -> None:
        self._crowded = True
        self._awake.set()

    def _wait_for_room(self) -> None:
        """Wait while the journal holds more than it may. Here alone a loop that logs waits for the store."""
        self._crowded = False
        while self._journal.size_bytes() > _MOST_JOURNAL_BYTES and not self._closed:
            if self._trouble is not None:
                self._crowded = True
                most = f"{_MOST_JOURNAL_BYTES >> 20} MiB"
                raise StoreError(
                    f"The journal of run {self.run_id} holds {most} that the store does not take: {self._trouble}",
                    mend="nothing is lost: when the store can be written again, it is moved",
                )
            self._awake.set()
            self._moved_some.wait(_BUSY_S)
            self._moved_some.clear()

    # -------------------------------------------------------------------------------------------- in the background

    def _work(self) -> None:
        while not self._closed:
            self._awake.wait(self._interval_s)
            self._awake.clear()
            if self._closed:
                return
            began = time.monotonic()
            try:
                count = self._move()
                self._trouble = None
                slower = _BUSY_S if count >= _BUSY_POINTS else min(2 * self._interval_s, _QUIET_S)
                self._interval_s = max(slower, 2 * (time.monotonic() - began))
            except Exception as error:
                # Whatever it is, the points are safe in the journal, and it is tried again.
                self._trouble = error
                self._interval_s = min(2 * self._interval_s, _BROKEN_S)
                self._moved_some.set()
                continue
            if self._fall_asleep():
                return

    def _fall_asleep(self) -> bool:
        """When nothing is left to move, wait for something; say whether the thread was given up."""
        with self._lock:
            if self._closed:
                return True
            segments = self._journal.segments()
            self._idle = all(one.end <= self._positions.get(one.path, len(MAGIC)) for one in segments)
            if not self._idle:
                return False
            self._awake.clear()
        if self._awake.wait(_KEEP_THREAD_S):
            self._awake.clear()
            return False
        with self._lock:
            if self._idle:
                self._thread = None
            return self._idle

    def _move(self) -> int:
        """Move what was logged before this call into the store; return how many points that were."""
        total = 0
        with self._moving:
            store = self._own_store()
            segments = self._journal.segments()
            # After that: whatever has a point in them has its name here.
            names = dict(self._keys)
            for path, end in segments:
                while (begin := self._positions.get(path, len(MAGIC))) < end:
                    move = _Move(store, self.run_id, path, begin, removed=self._removed)
                    self._positions[path], count = move.run(end, names)
                    total += count
                    if count:
                        self._removed = []
                if self._journal.remove(path, end):
                    self._removed.append(path.name)
                    self._positions.pop(path, None)
                self._moved_some.set()
        return total

    def _forget_removed(self) -> None:
        with self._moving:
            if self._removed:
                with self._own_store().db.write() as tx:
                    _forget(tx, self.run_id, self._removed)
                self._removed = []

    def _own_store(self) -> Store:
        if self._process != os.getpid():
            # A fork: connections to a database must not be shared with the parent.
            self._store = self._store.again()
            self._process = os.getpid()
        return self._store

    def after_fork(self) -> None:
        """Begin anew in a forked child: threads and locks are not copied with it. The journal sees to itself."""
        self._begin_idle()


class Recovered(NamedTuple):
    """What was moved of a run whose process is gone."""

    run_id: str
    points: int
    torn_bytes: int
    """Bytes in its journal that were no record: one that was being written when the process died."""


def journal_of(store: Store, run_id: str) -> Path:
    """Return the folder in which the journal of a run lies."""
    return store.folder / "runs" / run_id / "journal"


def recover_points(store: Store, run_id: str | None = None) -> list[Recovered]:
    """Move into the store what dead processes left in journals, of one run or of all; return what was moved.

    Segments that a living process holds are left to it. Raises StoreError when the store can't be written: nothing is
    lost then.
    """
    folder = store.folder / "runs"
    names = [run_id] if run_id is not None else sorted(os.listdir(folder)) if folder.is_dir() else []
    recovered: list[Recovered] = []
    for name in names:
        journal = journal_of(store, name)
        segments = list_segments(journal)
        if segments and store.db.one("run_get", id=name) is not None:
            moved = [_recover(store, name, path, patient=run_id is not None) for path in segments]
            points, torn = (sum(column) for column in zip(*moved, strict=True))
            if points or torn:
                recovered.append(Recovered(name, points, torn))
        sweep(journal)
    return recovered


def _recover(store: Store, run_id: str, path: Path, *, patient: bool) -> tuple[int, int]:
    """Move one segment, when its writer is gone, and remove it; return the points moved and the bytes torn."""
    deadline = time.monotonic() + (_PROBED_S if patient else 0.0)
    while True:
        with claim(path) as ours:
            if ours:
                row = store.db.one("journal_position_get", run_id=run_id, segment=path.name)
                move = _Move(store, run_id, path, int(row["position"]) if row else len(MAGIC), is_dead=True)
                _, count = move.run(path.stat().st_size, {})
                if not move.is_foreign:
                    path.unlink(missing_ok=True)
                    with store.db.write() as tx:
                        _forget(tx, run_id, [path.name])
                return count, move.torn_bytes
        # Whoever only looks whether it is held, holds it for a moment.
        if time.monotonic() >= deadline or not path.exists():
            return 0, 0
        time.sleep(_PROBE_AGAIN_S)


# ---------------------------------------------------------------------------------------------- one transaction


class _Move:
    """The move of one segment's points, from a place on, into the store: all of it in one transaction."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        path: Path,
        begin: int,
        *,
        removed: list[str] | None = None,
        is_dead: bool = False,
    ) -> None:
        self.store = store
        self.run_id = run_id
        self.path = path
        self.begin = begin
        self.removed = removed or []
        self.is_dead = is_dead
        self.is_foreign = False
        self.torn_bytes = 0

    def run(self, end: int, names: dict[int, str]) -> tuple[int, int]:
        """Move up to `end`; return the position that the store has now, and how many points were moved."""
        from ..journal.reading import read_bytes, scan
        from . import points

        # Of a dead process the names are known only from the segment itself, so it is read whole.
        start = 0 if self.is_dead else self.begin
        try:
            data = read_bytes(self.path, start, end)
        except StoreError:
            if not self.is_dead:
                raise
            self.is_foreign, self.torn_bytes = True, end
            return self.begin, 0
        found = scan(data, len(MAGIC) if self.is_dead else 0)
        gathered = points.gather(found.blocks, names, begin=self.begin if self.is_dead else 0)
        self.torn_bytes = found.torn_bytes + gathered.foreign_bytes
        packed = {key: _chunks(columns) for key, columns in gathered.series.items()}
        latest = {key: points.latest_of(columns) for key, columns in gathered.series.items()}
        with self.store.db.write() as tx:
            row = tx.one("journal_position_get", run_id=self.run_id, segment=self.path.name)
            known = int(row["position"]) if row else len(MAGIC)
            if known != self.begin:  # a commit whose end we did not see was one after all
                return known, 0
            for key, columns in gathered.series.items():
                self._add(tx, key, columns, packed[key])
            self._set_latest(tx, latest)
            tx.execute("journal_position_set", run_id=self.run_id, segment=self.path.name, position=end)
            _forget(tx, self.run_id, self.removed)
        return end, sum(len(columns.steps) for columns in gathered.series.values())

    def _add(self, tx: Transaction, key: str, columns: Columns, packed: list[dict[str, Any]]) -> None:
        if not packed:
            columns = self._merged(tx, key, columns)
            packed = [_chunk(columns)]
        for chunk in packed:
            tx.execute("series_chunk_add", run_id=self.run_id, key=key, **chunk)

    def _merged(self, tx: Transaction, key: str, columns: Columns) -> Columns:
        """Return these few points behind those of the small chunks at the end, which are taken out.

        A chunk is merged when what comes behind it is at least half as long, so that there are never more than a dozen
        small ones, and a point is written again a dozen times at most.
        """
        from .points import CODEC, decode_chunk, join

        parts, count = [columns], len(columns.steps)
        first: int | None = None
        for row in tx.all("series_chunk_tail", run_id=self.run_id, key=key, count=_MOST_SMALL):
            if row["count"] >= _SMALL_POINTS or row["count"] > 2 * count or row["codec"] != CODEC:
                break
            chunk = tx.one("series_chunk_get", run_id=self.run_id, key=key, sequence=row["sequence"])
            if chunk is None:
                break
            parts.append(decode_chunk(CODEC, row["count"], chunk["points"]))
            count += row["count"]
            first = row["sequence"]
        if first is not None:
            tx.execute("series_chunk_remove", run_id=self.run_id, key=key, sequence=first)
        return join(parts[::-1])

    def _set_latest(self, tx: Transaction, found: dict[str, Latest]) -> None:
        from .points import later

        row = tx.one("run_get_metrics", id=self.run_id)
        if row is None:
            raise _no_run(self.run_id)
        known = _metrics.decode(row["metrics"])
        changed: dict[str, Latest] = {}
        for key, point in found.items():
            newest = later(known[key], point) if key in known else point
            if known.get(key) != newest:
                changed[key] = newest
        if changed:
            tx.execute("run_set_metrics", id=self.run_id, metrics=canonical_json({**known, **changed}).decode())
        for key, point in changed.items():
            value = float(point.value)
            tx.execute("run_metric_set", run_id=self.run_id, key=key, value=None if math.isnan(value) else value)


def _chunks(columns: Columns) -> list[dict[str, Any]]:
    """Return these points as chunks of about one size, or none when they are so few that they are to be merged."""
    count = len(columns.steps)
    if count < _SMALL_POINTS:
        return []
    parts = -(-count // _CHUNK_POINTS)
    bounds = [count * part // parts for part in range(parts + 1)]
    return [_chunk(columns.pick(slice(begin, end))) for begin, end in itertools.pairwise(bounds)]


def _chunk(columns: Columns) -> dict[str, Any]:
    from .points import CODEC, encode_chunk, summarise

    return {
        "count": len(columns.steps),
        "codec": CODEC,
        "summary": summarise(columns).tobytes(),
        "points": encode_chunk(columns),
    }


def _forget(tx: Transaction, run_id: str, removed: list[str]) -> None:
    for name in removed:
        tx.execute("journal_position_remove", run_id=run_id, segment=name)


# ---------------------------------------------------------------------------------------------- what is checked


def _latest(store: Store, run_id: str) -> dict[str, Latest]:
    row = store.db.one("run_get_metrics", id=run_id)
    if row is None:
        raise _no_run(run_id)
    return _metrics.decode(row["metrics"])


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id!r}.", mend="plusone runs")


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


os.register_at_fork(after_in_child=_after_fork)
