"""Copies of requests to a release in the shadow: run when the answers are out, compared with them, and never returned.

What a shadow may cost is bounded, and whatever it does, nobody waits for it. So many copies wait, those beyond are
dropped and counted. It runs in a thread of its own, some dozen rows at a time so that the thread gives the event loop
its turns, and rests three times as long as it worked: that is at most a quarter of a core. One that hangs hangs alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ..base.errors import InvalidInput, TooSlow, Unavailable
from ..predictor import Answer, Columns, Predictor
from .lanes import Job
from .ledger import Books
from .table import Target

__all__ = ["Copy", "Fit", "ShadowLane", "Tried", "count_differing", "try_copies"]

_QUEUE = 256
_MOST_ROWS = 4096
_RUN_S = 0.05
_RUN_ROWS = 64
_REST = 3.0
_TOLERANCE = 0.01

Array = np.ndarray[Any, Any]


class Copy(NamedTuple):
    """One request and what it was answered."""

    live: Target
    """The release that answered."""
    rows: list[tuple[Any, ...]] | None
    columns: Columns | None
    size: int
    """How many rows."""
    answer: Answer
    """It has the rows of this request from `at` on."""
    at: int


class Tried(NamedTuple):
    """What became of some copies, in counts of copies and of rows."""

    answers: list[Answer]
    copies: int
    """Those that were answered."""
    errors: int
    refused: int
    compared: int
    """Rows."""
    differing: int


class Fit:
    """How requests that were read for one release become those of another.

    Releases that take the same fields in the same layout take each other's rows as they are. Otherwise rows are written
    as JSON and read by the other's own rules; columns are not copied then.
    """

    def __init__(self, live: Predictor, shadow: Predictor) -> None:
        self._shadow = shadow
        self._order = live.order
        self._names = {field.name for field in shadow.signature.fields}
        self._same_rows = live.order == shadow.order and live.known == shadow.known and _types(live) == _types(shadow)
        self.same_columns = self._same_rows and live.blocks == shadow.blocks

    def gather(self, copies: Sequence[Copy]) -> Columns:
        """Return the rows of some copies as the shadow takes them, in the order of the copies.

        Raises:
            InvalidInput: when the shadow refuses one.
        """
        parts: list[Columns] = []
        rows: list[tuple[Any, ...]] = []
        for copy in copies:
            if copy.rows is not None:
                rows += copy.rows
                continue
            if rows:
                parts.append(self._read(rows))
                rows = []
            if copy.columns is not None:
                parts.append(copy.columns)
        if rows:
            parts.append(self._read(rows))
        return Columns.concat(parts) if len(parts) > 1 else parts[0]

    def _read(self, rows: list[tuple[Any, ...]]) -> Columns:
        if self._same_rows:
            return self._shadow.gather(rows)
        order, names = self._order, self._names
        found = [{name: value for name, value in zip(order, row, strict=True) if name in names} for row in rows]
        return self._shadow.decode(msgspec.json.encode({"rows": found}))


def _types(predictor: Predictor) -> dict[str, tuple[Any, ...]]:
    return {field.name: (field.dtype, field.nullable, field.shape, field.media) for field in predictor.signature.fields}


def try_copies(predictor: Predictor, fit: Fit, copies: Sequence[Copy]) -> Tried:
    """Run copies of what one release answered, and compare. Never raises.

    When the shadow raises, each copy runs alone: only the one that made it raise counts as failed. When its own process
    died or hung, all of them do.
    """
    try:
        answer = predictor.run(fit.gather(copies))
        given = [copy.answer.take(copy.at, copy.at + copy.size) for copy in copies]
        return Tried([answer], len(copies), 0, 0, answer.rows, count_differing(given, answer))
    except Exception as error:  # whatever a model raises
        if len(copies) == 1 or isinstance(error, (Unavailable, TooSlow)):
            refused = int(isinstance(error, InvalidInput))
            return Tried([], 0, len(copies) - refused, refused, 0, 0)
    tried = [try_copies(predictor, fit, [copy]) for copy in copies]
    return Tried(
        [answer for one in tried for answer in one.answers],
        copies=sum(one.copies for one in tried),
        errors=sum(one.errors for one in tried),
        refused=sum(one.refused for one in tried),
        compared=sum(one.compared for one in tried),
        differing=sum(one.differing for one in tried),
    )


def count_differing(given: Sequence[Answer], answer: Answer) -> int:
    """Return in how many rows an answer differs from those that were given: another class (of several targets for one
    of them), another first item of a ranking, or a number (of a vector one of them) that is off by more than a
    hundredth of the one that was given. Two that are no numbers are equal.

    Raises:
        ValueError: when they have not equally many rows.
    """
    before = np.concatenate([one.labels for one in given])
    after = answer.labels
    if len(before) != len(after):
        raise ValueError(f"{len(before)} rows were answered with {len(after)}")
    if (answer.scores is None) != (given[0].scores is None):
        return len(after)
    if answer.scores is not None:
        before, after = before[:, 0], after[:, 0]
    if before.shape != after.shape:
        return len(after)
    if answer.codes is not None or given[0].codes is not None:
        other = before.astype(object) != after.astype(object)
        return int(np.count_nonzero(other if other.ndim == 1 else other.any(axis=1)))
    with np.errstate(invalid="ignore"):
        near = np.abs(after - before) <= _TOLERANCE * np.abs(before)
    same = near | (after == before) | (np.isnan(after) & np.isnan(before))
    return int(len(after) - np.count_nonzero(same if same.ndim == 1 else same.all(axis=1)))


class ShadowLane:
    """The copies that one release in the shadow gets, in one worker. All but its runs is on the event loop.

    Args:
        books: where its evidence is counted.
        timeout_s: after how long a run counts as failed.
        call_soon: of the event loop; what it is given runs when the present turn ends.
        call_later: of the event loop: seconds, what to call, its arguments.
        call_from_thread: as `call_soon`, from any thread.
    """

    def __init__(
        self,
        target: Target,
        books: Books,
        timeout_s: float,
        *,
        call_soon: Callable[..., Any],
        call_later: Callable[..., Any],
        call_from_thread: Callable[..., Any],
    ) -> None:
        self.target = target
        self._books = books
        self._timeout_s = timeout_s
        self._call_soon = call_soon
        self._call_later = call_later
        self._call_from_thread = call_from_thread
        self._waiting: deque[Copy] = deque()
        self._rows = 0
        self._fits: dict[str, Fit] = {}
        self._due = False
        self._closed = False
        self._pool: ThreadPoolExecutor | None = None
        self._running: tuple[float, list[Copy]] | None = None
        """Since when a thread runs, and what; without copies: those were given up."""

    @property
    def waiting(self) -> int:
        """How many copies wait."""
        return len(self._waiting)

    def copy(self, live: Target, jobs: Sequence[Job], answer: Answer | None) -> None:
        """Take copies of jobs that were answered just now.

        Args:
            live: the release that answered them.
            answer: their rows, one job after the other; None where another process has them.
        """
        at = 0
        counts, is_copied = self._books.counts, self.target.is_copied
        for job in jobs:
            start, at = at, at + job.count
            if not is_copied(job.key or job.id):
                continue
            if answer is None or not self._takes(live, job):
                counts.uncopied += 1
            elif len(self._waiting) >= _QUEUE or self._rows + job.count > _MOST_ROWS:
                counts.dropped += 1
            else:
                self._waiting.append(Copy(live, job.rows, job.columns, job.count, answer, start))
                self._rows += job.count
        self._books.touch()
        if self._waiting and not self._due and self._running is None:
            self._due = True
            self._call_soon(self._turn)

    def _takes(self, live: Target, job: Job) -> bool:
        return job.rows is not None or (job.columns is not None and self._fit(live).same_columns)

    def _fit(self, live: Target) -> Fit:
        fit = self._fits.get(live.package)
        if fit is None:
            fit = self._fits[live.package] = Fit(live.predictor, self.target.predictor)
        return fit

    def _turn(self) -> None:
        """Begin a run."""
        self._due = False
        if self._closed or not self._waiting or self._running is not None:
            return
        copies = self._take()
        self._running = (time.perf_counter(), copies)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"shadow-{self.target.model}")
        fit = self._fit(copies[0].live)
        self._pool.submit(_timed, self.target.predictor, fit, copies).add_done_callback(
            lambda future: self._call_from_thread(self._ended, copies, future)
        )

    def _take(self) -> list[Copy]:
        """Take copies of what one release answered off the queue: one, and as many more as should fit into a run."""
        waiting = self._waiting
        copies = [waiting.popleft()]
        live, rows = copies[0].live, copies[0].size
        most = min(_RUN_ROWS, int(_RUN_S / self.target.row_s))
        while waiting and waiting[0].live is live and rows + waiting[0].size <= most:
            rows += waiting[0].size
            copies.append(waiting.popleft())
        self._rows -= rows
        return copies

    def _ended(self, copies: list[Copy], future: Future[tuple[Tried, float]]) -> None:
        """Count what a run came to, and rest."""
        _, waited_for = self._running or (0.0, [])
        self._running = None
        if self._closed or future.cancelled():
            return
        tried, seconds = future.result()
        self.target.observe(sum(copy.size for copy in copies), seconds)
        if waited_for:  # else they were counted as failed meanwhile
            self._count(tried, seconds)
        self._due = True
        self._call_later(_REST * seconds, self._turn)

    def _count(self, tried: Tried, seconds: float) -> None:
        counts = self._books.counts
        counts.refused += tried.refused
        counts.compared += tried.compared
        counts.differing += tried.differing
        if tried.errors:
            self._books.fail(tried.errors)
        for answer in tried.answers:
            self._books.add([], answer)
        self._books.add([seconds] * tried.copies, None)
        self._books.touch()

    def sweep(self) -> None:
        """Count the copies of a run that takes too long as failed. Call it now and then."""
        if self._running is not None and self._running[1]:
            began, copies = self._running
            if time.perf_counter() - began > self._timeout_s:
                self._running = (began, [])
                self._books.fail(len(copies))

    def close(self) -> None:
        """Take no more copies; a run under way ends by itself."""
        self._closed = True
        self._waiting.clear()
        self._rows = 0
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _timed(predictor: Predictor, fit: Fit, copies: list[Copy]) -> tuple[Tried, float]:
    began = time.perf_counter()
    tried = try_copies(predictor, fit, copies)
    return tried, time.perf_counter() - began
