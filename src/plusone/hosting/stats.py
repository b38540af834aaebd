"""Counts and latencies of one worker, kept across its restarts, and the sum over all workers as Prometheus text.

On the way of a request these are plain integers and lists that one thread changes: no lock, no system call. Every half
second they are written to `stats/<slot>.json`, and what the releases are judged by to `evidence/<slot>.json`
(`ledger.py`); whichever worker is asked for `/metrics` adds up the files of all slots and its own fresh values. A
worker that is killed loses at most the last half second of counts, but never one that it has shown: it writes before
it answers.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..evidence.evidence import SERVED, SHADOW, Counts, Kind
from ..evidence.histograms import Outputs
from ..predictor import Answer
from ..protocols.descriptions import Figures
from ..workers import routes
from .lanes import Job
from .ledger import Books, Ledger
from .table import Target

__all__ = ["BOUNDS_S", "CONTENT_TYPE", "TALLIES", "Series", "Stats"]

BOUNDS_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the latency histogram's buckets, in seconds; one more bucket takes the rest."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Series(msgspec.Struct, kw_only=True):
    """What one slot counted for one release of one model. `model` is empty for requests that named no known model."""

    model: str
    release: str
    codes: dict[str, int] = {}
    buckets: list[int] = []
    """Requests by latency, one number per bound and one more; not cumulative."""
    sum_s: float = 0.0
    rows: int = 0

    def add(self, other: Series) -> None:
        """Add the counts of `other`."""
        for code, count in other.codes.items():
            self.codes[code] = self.codes.get(code, 0) + count
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.sum_s += other.sum_s
        self.rows += other.rows

    def add_times(self, seconds: np.ndarray[Any, Any]) -> None:
        """Count how long requests took, shape (n,), that are counted in all else already."""
        found = np.bincount(np.searchsorted(_BOUNDS, seconds), minlength=len(BOUNDS_S) + 1)
        self.buckets[:] = [before + more for before, more in zip(self.buckets, found.tolist(), strict=True)]


class _File(msgspec.Struct, kw_only=True):
    slot: int
    series: list[Series] = []
    tallies: dict[str, int] = {}
    waiting: dict[str, int] = {}


TALLIES = {
    "predictions_logged": "Predictions that were written to the prediction log.",
    "predictions_dropped": "Predictions that were left out of the log because there was no room for them.",
    "labels_accepted": "Labels that were accepted, and are kept.",
}
"""What is counted beside requests, and what it means."""

_CODES = {code: str(code) for code in range(100, 600)}
_BOUNDS = np.array(BOUNDS_S)


class Stats:
    """The counts of the worker of one slot. All methods are called from one thread."""

    def __init__(self, folder: Path, slot: int) -> None:
        self.folder = folder
        self.slot = slot
        self._path = folder / "stats" / f"{slot}.json"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._changed = False
        self._series: dict[tuple[str, int], Series] = {}
        before = _read(self._path)
        for series in before.series:
            self._series[series.model, int(series.release or 0)] = series
        self._tallies_before = before.tallies
        self._tallies = dict(before.tallies)
        self._waiting: dict[str, int] = {}
        self.ledger = Ledger(folder, slot)

    def observe(
        self, model: str, release: int, code: int, seconds: float, rows: int, *, kind: Kind | None = None
    ) -> None:
        """Count one request.

        Args:
            release: 0 when the request reached none.
            rows: the number of answered rows.
            kind: how the request came to its release; an error, a status of 500 and more, is evidence then.
        """
        if kind is not None and release and code >= 500:
            self.ledger.books(kind, model, release).fail()
        series = self._series.get((model, release))
        if series is None:
            series = _empty(model, str(release) if release else "")
            self._series[model, release] = series
        codes = series.codes
        text = _CODES[code]
        codes[text] = codes.get(text, 0) + 1
        series.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        series.sum_s += seconds
        series.rows += rows
        self._changed = True

    def answered(self, target: Target, jobs: Sequence[Job], answer: Answer | None, kind: Kind = SERVED) -> None:
        """Count jobs of one release that were answered 200 just now.

        Args:
            answer: their rows; None where another process has them.
            kind: how the requests came to the release.
        """
        books: Books = (kind is SERVED and target.books) or self._open(kind, target)
        series = books.series
        present = time.perf_counter()
        seconds = [present - job.began for job in jobs]
        codes = series.codes
        codes["200"] = codes.get("200", 0) + len(jobs)
        series.sum_s += sum(seconds)
        series.rows += sum([job.count for job in jobs])
        books.add(seconds, answer)
        self._changed = True

    def count(self, target: Target, outputs: Outputs, kind: Kind = SERVED) -> None:
        """Count what was answered by another process, which says what it comes to; `answered` has its requests."""
        books: Books = (kind is SERVED and target.books) or self._open(kind, target)
        books.count(outputs)

    def _open(self, kind: Kind, target: Target) -> Books:
        """Find where the answers of a release are counted."""
        books = self.ledger.open(kind, target)
        key = (target.model, target.release)
        books.series = self._series.setdefault(key, _empty(target.model, str(target.release)))
        if kind is SERVED:
            target.books = books
        return books

    def figures(self, model: str, release: int) -> Figures:
        """Return what this worker, and those before it in its slot, counted of one release."""
        self.ledger.look(float("inf"))
        series = self._series.get((model, release)) or _empty(model, str(release))
        succeeded = series.codes.get("200", 0)
        count = sum(series.codes.values())
        share = succeeded / count if count else 0.0
        return Figures(
            model,
            release,
            succeeded=succeeded,
            succeeded_s=series.sum_s * share,
            failed=count - succeeded,
            failed_s=series.sum_s * (1.0 - share),
            rows=series.rows,
        )

    def tally(self, tallies: dict[str, int], waiting: dict[str, int]) -> None:
        """Take over what others count in this process, from 0 on, and how many requests wait for each model now."""
        before = self._tallies_before
        summed = {name: before.get(name, 0) + count for name, count in tallies.items()}
        if summed != self._tallies or waiting != self._waiting:
            self._tallies, self._waiting = {**self._tallies, **summed}, waiting
            self._changed = True

    def flush(self) -> None:
        """Write the counts to this slot's files if they changed since the last time. Raises OSError."""
        self.ledger.flush()
        if self._changed:
            routes.replace(self._path, self._own())
            self._changed = False

    def _own(self) -> _File:
        return _File(slot=self.slot, series=list(self._series.values()), tallies=self._tallies, waiting=self._waiting)

    def totals(self) -> list[Series]:
        """Return the sums over all slots: the files of the others, and this worker's own values."""
        self.ledger.look(float("inf"))
        sums: dict[tuple[str, str], Series] = {}
        for series in [one for file in self._files() for one in file.series]:
            total = sums.setdefault((series.model, series.release), _empty(series.model, series.release))
            total.add(series)
        return [sums[key] for key in sorted(sums)]

    def _files(self) -> list[_File]:
        others = [
            _read(path) for path in self._path.parent.glob("*.json") if path.stem.isdigit() and path != self._path
        ]
        return [*others, self._own()]

    def prometheus(self, versions: dict[str, int]) -> bytes:
        """Return every metric as Prometheus text. `versions`: the route version of each model."""
        lines: list[str] = []
        _requests(lines, self.totals())
        _evidence(lines, self.ledger.totals())
        _head(
            lines, "plusone_route_version", "gauge", "The lowest route version of the model that a live worker serves."
        )
        for model, version in sorted(versions.items()):
            lines.append(f'plusone_route_version{{model="{model}"}} {version}')
        supervisor = routes.read_supervisor(self.folder)
        _head(lines, "plusone_worker_up", "gauge", "Whether the worker of this slot is alive.")
        for slot in sorted({*supervisor.slots, self.slot}):
            up = slot == self.slot or routes.is_held(self.folder, slot)
            lines.append(f'plusone_worker_up{{slot="{slot}"}} {int(up)}')
        _head(lines, "plusone_worker_restarts_total", "counter", "Workers that died and were started again.")
        lines.append(f"plusone_worker_restarts_total {supervisor.restarts}")
        _head(lines, "plusone_workers_hung_total", "counter", "Workers whose event loop stood still, and were killed.")
        lines.append(f"plusone_workers_hung_total {supervisor.hung}")
        self._others_counts(lines)
        return ("\n".join(lines) + "\n").encode()

    def _others_counts(self, lines: list[str]) -> None:
        files = self._files()
        for name, meaning in TALLIES.items():
            _head(lines, f"plusone_{name}_total", "counter", meaning)
            lines.append(f"plusone_{name}_total {sum(file.tallies.get(name, 0) for file in files)}")
        alive = [file for file in files if file.slot == self.slot or routes.is_held(self.folder, file.slot)]
        _head(lines, "plusone_requests_waiting", "gauge", "Requests that wait for the model, in all live workers.")
        for model in sorted({model for file in alive for model in file.waiting}):
            count = sum(file.waiting.get(model, 0) for file in alive)
            lines.append(f'plusone_requests_waiting{{model="{model}"}} {count}')


def _requests(lines: list[str], totals: list[Series]) -> None:
    labelled = [(f'model="{one.model}",release="{one.release}"', one) for one in totals]
    _head(lines, "plusone_requests_total", "counter", "Prediction requests by model, release and HTTP status.")
    for labels, one in labelled:
        for code, count in sorted(one.codes.items()):
            lines.append(f'plusone_requests_total{{{labels},code="{code}"}} {count}')
    name = "plusone_request_duration_seconds"
    _head(lines, name, "histogram", "Time from the head of a request to its answer.")
    for labels, one in labelled:
        below = 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), one.buckets, strict=True):
            below += count
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {below}')
        lines.append(f"{name}_sum{{{labels}}} {one.sum_s:.9g}")
        lines.append(f"{name}_count{{{labels}}} {below}")
    _head(lines, "plusone_rows_total", "counter", "Rows that were answered.")
    for labels, one in labelled:
        lines.append(f"plusone_rows_total{{{labels}}} {one.rows}")


_SHADOW = {
    "requests": "Copies that the release in the shadow was to answer.",
    "errors": "Copies that it failed.",
    "dropped": "Requests that it got no copy of because too many copies waited.",
    "uncopied": "Requests that are never copied: big bodies, Arrow, and tensors that it takes in another layout.",
    "refused": "Copies that do not fit its signature.",
    "compared_rows": "Rows whose answer was compared with the one that was given.",
    "differing_rows": "Rows whose answer is of another class, or off by more than a hundredth.",
}


def _evidence(lines: list[str], totals: Mapping[tuple[Kind, str, int], Counts]) -> None:
    """Append what is known of the answers: those that can't be, and what releases in the shadow do."""
    invalid: dict[str, int] = {}
    shadows: dict[str, Counts] = {}
    for (kind, model, release), counts in totals.items():
        labels = f'model="{model}",release="{release}"'
        if kind == SHADOW:
            shadows[labels] = counts
        else:
            invalid[labels] = invalid.get(labels, 0) + counts.invalid
    meaning = "Rows that were answered with what can't be: no finite number, no probability, no known class."
    _head(lines, "plusone_invalid_rows_total", "counter", meaning)
    lines += [f"plusone_invalid_rows_total{{{labels}}} {count}" for labels, count in invalid.items()]
    for name, meaning in _SHADOW.items():
        _head(lines, f"plusone_shadow_{name}_total", "counter", meaning)
        member = name.removesuffix("_rows")
        lines += [f"plusone_shadow_{name}_total{{{labels}}} {getattr(one, member)}" for labels, one in shadows.items()]
    _head(lines, "plusone_shadow_invalid_rows_total", "counter", "Rows that it answered with what can't be.")
    lines += [f"plusone_shadow_invalid_rows_total{{{labels}}} {one.invalid}" for labels, one in shadows.items()]


def _head(lines: list[str], name: str, kind: str, meaning: str) -> None:
    lines.append(f"# HELP {name} {meaning}")
    lines.append(f"# TYPE {name} {kind}")


def _empty(model: str, release: str) -> Series:
    return Series(model=model, release=release, codes={}, buckets=[0] * (len(BOUNDS_S) + 1))


def _read(path: Path) -> _File:
    """Return the counts in `path`; none when it is missing, damaged, or from a version with other buckets."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return _File(slot=-1)
    whole = [
        one
        for one in file.series
        if len(one.buckets) == len(BOUNDS_S) + 1
        and (not one.release or (one.release.isascii() and one.release.isdigit()))
    ]
    return _File(slot=file.slot, series=whole, tallies=file.tallies, waiting=file.waiting)
