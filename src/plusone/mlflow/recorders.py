"""One Recorder for each run that clients are logging to, kept open between requests.

Opening one costs a look into the store and a file; a point costs neither. Those that were not used the longest are
closed first, and all that rest are closed after a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..recording.recorder import Recorder
from ..store import Store

__all__ = ["Batch", "Recorders"]

_MOST_OPEN = 256
_IDLE_S = 300.0


class Batch(NamedTuple):
    """Values of some metrics at one step and time (unix seconds)."""

    metrics: dict[str, float]
    step: int
    at: float


class _Open:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.used_at = time.monotonic()
        self.fresh = False
        """Whether points were logged that no flush has seen."""
        self.closed = False
        self.lock = threading.Lock()
        """Held while points are logged, which takes microseconds, and never while anything waits for the store."""

    def log(self, batches: Iterable[Batch]) -> bool:
        with self.lock:
            if self.closed:
                return False
            self.fresh = True
            self.used_at = time.monotonic()
            for metrics, step, at in batches:
                self.recorder.log(metrics, step=step, at=at)
        return True


class Recorders:
    """The open recorders of this process, by run; threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, _Open] = {}
        # Held while a recorder is opened, flushed or closed: whoever reads a run waits until what was logged is stored.
        self._lock = threading.RLock()

    def log_if_open(self, run_id: str, batches: Sequence[Batch]) -> bool:
        """Log to a run whose recorder is open; say whether it was. Nothing is waited for.

        When it returns True the points survive the death of this process.
        """
        found = self._open.get(run_id)
        return found is not None and found.log(batches)

    def log(self, run_id: str, batches: Sequence[Batch]) -> None:
        """Log to a run that exists; its recorder is opened if need be."""
        while not self.log_if_open(run_id, batches):
            with self._lock:
                found = self._open.get(run_id)
                if found is None or found.closed:
                    self._open[run_id] = _Open(Recorder(self._store, run_id))
                self._close_some()

    def flush(self, run_id: str) -> None:
        """Have everything in the store that was logged to a run by this process before."""
        with self._lock:
            found = self._open.get(run_id)
            if found is not None and found.fresh:
                found.fresh = False  # before, so that what is logged meanwhile counts as new
                found.recorder.flush()

    def flush_all(self) -> None:
        """Have everything in the store that was logged by this process before."""
        for run_id in list(self._open):
            self.flush(run_id)

    def close(self, run_id: str) -> None:
        """Close the recorder of a run; what it holds is in the store then. A later request may open it again."""
        with self._lock:
            found = self._open.pop(run_id, None)
            if found is not None:
                with found.lock:
                    found.closed = True
                found.recorder.close()

    def close_all(self) -> None:
        """Close every recorder."""
        for run_id in list(self._open):
            self.close(run_id)

    def _close_some(self) -> None:
        oldest = time.monotonic() - _IDLE_S
        by_use = sorted(self._open, key=lambda run_id: self._open[run_id].used_at)
        over = len(by_use) - _MOST_OPEN
        # Never the one that was used last: it was opened for what comes now.
        for place, run_id in enumerate(by_use[:-1]):
            if place < over or self._open[run_id].used_at < oldest:
                self.close(run_id)
