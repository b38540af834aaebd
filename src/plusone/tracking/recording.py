"""Points of a run into its journal, from which they go to the store when the run ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import msgspec

from ..journal import Journal
from ..store import Store

__all__ = ["Recorder"]

_encoder = msgspec.msgpack.Encoder()
_MOST_STEP = 2**63 - 1


class Recorder:
    """Logs points to one run; several may log to one run at once, in several processes."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._journal = Journal(store.folder / "runs" / run_id / "metrics.journal")
        self._next_step: dict[str, int] = {}
        self._lock = threading.Lock()

    def log(self, metrics: Mapping[str, float], *, step: int | None = None, at: float | None = None) -> None:
        """Log one value of each metric; when this returns they survive the death of this process."""
        from .active import _integer, _number, _text

        now = time.time() if at is None else at
        given = None if step is None else _integer(step)
        values = {_text(key): _number(key, value) for key, value in metrics.items()}
        with self._lock:
            points = [
                (key, self._next_step.get(key, 0) if given is None else given, value, now)
                for key, value in values.items()
            ]
            self._journal.append(_encoder.encode(points))
            self._next_step.update({key: min(place + 1, _MOST_STEP) for key, place, _, _ in points})

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()
