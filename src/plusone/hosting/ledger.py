"""How a worker counts the evidence of its releases: on the way of a request it keeps what was said, and looks later.

An answer costs two appends. Twice a second, or once some thousand have come together, they are counted at once, in
steps that take the event loop less than a millisecond or two.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..evidence.evidence import FOLDER, Counts, Kind, read_counts
from ..evidence.histograms import Outputs, count_latencies, counter_of, said
from ..predictor import Answer
from ..workers import routes
from .table import Target

__all__ = ["KEPT", "Books", "Ledger"]

KEPT = 32
"""Of so many releases of a model the counts are kept, those that were used last."""
_MOST_REQUESTS = 4096
_MOST_CELLS = 16 * 1024

Key = tuple[Kind, str, int]


class Books:
    """The counts of one release in one respect, and what was answered since they were last brought up to date.

    What was answered is copied into one array. Thousands of little ones that are kept for a while would cost more: the
    next answers would be made in memory that no cache holds.
    """

    __slots__ = ("_at", "_changed", "_count", "_held", "_room", "_seconds", "counts", "series")

    def __init__(self, counts: Counts, changed: Callable[[], None]) -> None:
        self.counts = counts
        self.series: Any = None
        """Where its requests are counted for `/metrics`; for `Stats`."""
        self._changed = changed
        self._seconds = array("d")
        self._held: Any = None
        self._room = 0
        self._at = 0
        self._count: Callable[[np.ndarray[Any, Any]], Outputs] | None = None

    def know(self, target: Target) -> None:
        """Learn what the release answers; needed before its first answer is added."""
        if self._count is None:
            self._count = counter_of(target.predictor.signature.output)

    def add(self, seconds: list[float], answer: Answer | None) -> None:
        """Take the times of some requests and what they were answered; None: nobody looks at that."""
        self._seconds.extend(seconds)
        if answer is not None:
            at = self._at
            end = at + answer.rows
            if end > self._room:
                self._add_many(answer)
                return
            self._held[at:end] = said(answer)
            self._at = end
        if len(self._seconds) > _MOST_REQUESTS:
            self.look()

    def _add_many(self, answer: Answer) -> None:
        """Take an answer that there is no room for; the first one says how much there should be."""
        rows = said(answer)
        if self._held is None:
            self._room = max(1, _MOST_CELLS // max(1, rows[0].size))
            self._held = np.empty((self._room, *rows.shape[1:]), rows.dtype)
            if len(rows) <= self._room:
                self.add([], answer)
                return
        self.look()
        for start in range(0, len(rows), self._room):
            self._add_rows(rows[start : start + self._room])

    def look(self) -> bool:
        """Count what was added; return whether anything was."""
        seconds, at = self._seconds, self._at
        if not (seconds or at):
            return False
        counts = self.counts
        if seconds:
            self._seconds = array("d")
            times = np.frombuffer(seconds)
            counts.requests += len(times)
            _add(counts.latency, count_latencies(times))
            if self.series is not None:
                self.series.add_times(times)
        if at:
            self._at = 0
            self._add_rows(self._held[:at])
        self.touch()
        return True

    def _add_rows(self, rows: np.ndarray[Any, Any]) -> None:
        if self._count is not None:
            self.count(self._count(rows))

    def count(self, found: Outputs) -> None:
        """Take what some answers come to."""
        counts = self.counts
        counts.rows += found.rows
        counts.invalid += found.invalid
        _add(counts.outputs, found.counts)
        self.touch()

    def fail(self, requests: int = 1) -> None:
        """Count requests that the release failed."""
        self.counts.requests += requests
        self.counts.errors += requests
        self.touch()

    def touch(self) -> None:
        """Say that the counts changed."""
        self.counts.used_at = time.time()
        self._changed()


class Ledger:
    """The evidence of the worker of one slot, kept across its restarts. All methods are called from one thread."""

    def __init__(self, folder: Path, slot: int) -> None:
        self._path = folder / FOLDER / f"{slot}.json"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._dirty = False
        self._books: dict[Key, Books] = {}
        for counts in read_counts(self._path):
            self._books[counts.kind, counts.model, counts.release] = Books(counts, self._mark)

    def books(self, kind: Kind, model: str, release: int) -> Books:
        """Return the books of one release."""
        key = (kind, model, release)
        found = self._books.get(key)
        if found is None:
            # It is used from now on: a worker that opens two at once must not forget the first for the second.
            counts = Counts(kind=kind, model=model, release=release, used_at=time.time())
            found = self._books[key] = Books(counts, self._mark)
            self._forget(kind, model)
        return found

    def open(self, kind: Kind, target: Target) -> Books:
        """Return the books of a release that answers."""
        books = self.books(kind, target.model, target.release)
        books.know(target)
        return books

    def _forget(self, kind: Kind, model: str) -> None:
        """Let go of releases that were not used for long."""
        same = [key for key in self._books if key[:2] == (kind, model)]
        newest = same.pop()
        same.sort(key=lambda key: (self._books[key].counts.used_at, key[2]))
        for key in same[: max(0, len(same) + 1 - KEPT)]:
            if key != newest:
                del self._books[key]

    def _mark(self) -> None:
        self._dirty = True

    def look(self, budget_s: float) -> bool:
        """Bring counts up to date for about so long; return whether there is more to do."""
        until = time.perf_counter() + budget_s
        return any(books.look() and time.perf_counter() > until for books in list(self._books.values()))

    def flush(self) -> None:
        """Bring all counts up to date, and write them if they changed since the last time. Raises OSError."""
        self.look(float("inf"))
        if self._dirty:
            routes.replace(self._path, {"counts": self._own()})
            self._dirty = False

    def _own(self) -> list[Counts]:
        return [books.counts for books in self._books.values()]

    def totals(self) -> Mapping[Key, Counts]:
        """Return the sums over all slots: the files of the others, and this worker's own counts, brought up to date."""
        self.look(float("inf"))
        sums: dict[Key, Counts] = {}
        others = [
            one
            for path in self._path.parent.glob("*.json")
            if path.stem.isdigit() and path != self._path
            for one in read_counts(path)
        ]
        for one in [*others, *self._own()]:
            empty = Counts(kind=one.kind, model=one.model, release=one.release)
            sums.setdefault((one.kind, one.model, one.release), empty).add(one)
        return {key: sums[key] for key in sorted(sums)}


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
