"""The requests to each release that wait, and how they become batches.

A model that is quick runs on the event loop: all requests that came in during one turn of the loop are one batch, made
when the turn ends. Nothing waits for a timer, a lone request is a batch of one, and under load the work that does not
depend on the number of rows is shared. A model that is slow or has a process of its own, or a batch that would hold up
the loop, runs in a thread;
what comes in meanwhile is the next batch, so that the batch grows with the load. What a batch may take is bounded by
the time it is expected to need, learnt from the runs before.

Each release has a lane of its own with bounds of its own: nobody waits for another model's requests, and a candidate
that hangs takes nothing from the live release.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from ..base.config import Limits
from ..base.errors import Overloaded, PlusoneError, TooSlow, Unavailable
from ..predictions.layout import Entry
from ..predictor import Answer, Columns, Predictor
from .table import Target

__all__ = ["INLINE_S", "Endpoint", "Job", "Lane", "Run", "answers_of"]

INLINE_S = 0.002
"""What a batch may take of the event loop; longer ones go to a thread."""
_BATCH_S = 0.05
"""What a batch in a thread is meant to take at most, if it has more than one request."""
_MOST_ROWS = 1024


class Endpoint(Protocol):
    """Where a job came in, and where its answer goes. All but `write` are called on the event loop."""

    def write(self, job: Job, answer: Any) -> Any:
        """Return what `done` needs, of the `Answer` to a job that asked for something.

        May be called in a thread.
        """
        ...

    def done(self, job: Job, result: Any) -> None:
        """Answer. `result`: the JSON of the job's predictions, joined by commas, or what `write` returned."""
        ...

    def failed(self, job: Job, error: Exception) -> None:
        """Answer with an error: a PlusoneError, or whatever the model raised."""
        ...

    def entry(self, job: Job) -> Entry | None:
        """Return what is logged of an answered job; None for nothing."""
        ...


class Job(msgspec.Struct, gc=False):
    """One request that waits: rows as tuples, which are cheap to join, or columns."""

    endpoint: Endpoint
    request: Any
    id: str
    target: Target
    rows: list[tuple[Any, ...]] | None
    columns: Columns | None
    count: int
    """How many rows."""
    began: float
    """`time.perf_counter` when the request began."""
    key: str | None = ""
    """What chose the release, where it was not the prediction's id. None: the caller did, and not the route."""
    asked: Any = None
    """What the endpoint wants to know of the request when it writes the answer; None for plain JSON of rows."""
    payload: bytes | None = None
    """What was answered, for the log; set by `done`."""
    deadline: float = 0.0


Answered = Callable[[Target, list[Job], Answer | None], None]
"""Is told which jobs of one release were answered, and with what: their rows, one after the other."""
_Batch = list[Job]


class Run(msgspec.Struct, gc=False):
    """Jobs that were run together: of each its result or an exception, and their answers where none is.

    Attributes:
        answer: the rows of all jobs, in their order; None when the model raised.
    """

    jobs: list[Job]
    results: list[Any]
    answer: Answer | None


class Lane:
    """The requests to one release of a model, in one worker. All but the runs in threads happens on the event loop.

    Args:
        call_soon: of the event loop; what it is given runs when the present turn ends.
        call_from_thread: likewise, from any thread.
        answered: called after each batch with what was answered, for the counts and the log.
    """

    def __init__(
        self,
        model: str,
        limits: Limits,
        call_soon: Callable[..., Any],
        call_from_thread: Callable[..., Any],
        answered: Answered,
    ) -> None:
        self.model = model
        self.limits = limits
        self._queue: int = limits.queue or 1
        self._concurrency: int = limits.concurrency or 1
        self._timeout_s: float = limits.timeout_s or 0.0
        self._quick: deque[Job] = deque()
        self._quick_rows = 0
        self._quick_target: Target | None = None
        """The release that all quick jobs are for; None when they are for more than one."""
        self._slow: deque[Job] = deque()
        self._slow_rows = 0
        self._running: dict[int, tuple[float, _Batch]] = {}
        self._runs = 0
        self._due = False
        self._pool: ThreadPoolExecutor | None = None
        self._call_soon = call_soon
        self._call_from_thread = call_from_thread
        self._answered = answered

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._quick) + len(self._slow)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not (self._quick or self._slow or self._running)

    @property
    def running(self) -> int:
        """How many batches run in threads."""
        return len(self._running)

    def put(self, job: Job) -> None:
        """Let a job wait for the end of this turn of the loop or, if it takes long, for a thread.

        Raises:
            Overloaded: when as many wait as may, or it could not be begun in time.
        """
        target = job.target
        if target.is_native or job.count * target.row_s > INLINE_S:
            self._put_slow(job)
            return
        waiting = self._quick
        if len(waiting) >= self._queue:
            raise self._full(len(waiting))
        waiting.append(job)
        self._quick_rows += job.count
        if target is not self._quick_target:
            # Two releases of one model in one turn: seldom, and then they are told apart job by job.
            self._quick_target = target if len(waiting) == 1 else None
        if not self._due:
            self._due = True
            self._call_soon(self._turn)

    def _put_slow(self, job: Job) -> None:
        if len(self._slow) >= self._queue:
            raise self._full(len(self._slow))
        if self._slow_rows * job.target.row_s > self._timeout_s * self._concurrency:
            raise Overloaded(
                f"The requests that wait for the model {self.model!r} need more than {self._timeout_s:g} s already.",
                mend="send it again later, or start more workers: plusone up --workers N",
                model=self.model,
            )
        job.deadline = job.began + self._timeout_s
        self._slow.append(job)
        self._slow_rows += job.count
        self._fill()

    def _turn(self) -> None:
        """Run what waits on the loop, and let the loop see to others in between."""
        self._due = False
        began = time.perf_counter()
        until = began + INLINE_S
        while self._quick:
            batch = self._next()
            runs = compute(batch)
            ended = time.perf_counter()
            self._settle(batch, runs, ended - began)
            began = ended
            if ended > until and self._quick:
                self._due = True
                self._call_soon(self._turn)
                return

    def _next(self) -> _Batch:
        """Take the next batch for the loop: nearly always all that waits."""
        target, waiting = self._quick_target, self._quick
        if target is not None and self._quick_rows <= _MOST_ROWS and self._quick_rows * target.row_s <= INLINE_S:
            batch = list(waiting)
            waiting.clear()
            self._quick_rows = 0
            return batch
        batch = _take(waiting, INLINE_S)
        self._quick_rows -= sum(job.count for job in batch)
        return batch

    def _fill(self) -> None:
        """Begin as many runs in threads as may go on at once."""
        while self._slow and len(self._running) < self._concurrency:
            batch = _take(self._slow, _BATCH_S)
            self._slow_rows -= sum(job.count for job in batch)
            self._start(batch)

    # ---------------------------------------------------------------------------------- runs

    def _start(self, batch: _Batch) -> None:
        present = time.perf_counter()
        alive: _Batch = []
        for job in batch:
            if job.deadline < present:
                job.endpoint.failed(job, self._waited())
            else:
                alive.append(job)
        if not alive:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix=f"model-{self.model}")
        native = alive[0].target.predictor.native
        if native is not None:
            native.limit(self._timeout_s)
        self._runs = number = self._runs + 1
        self._running[number] = (present, alive)
        self._pool.submit(_timed, alive).add_done_callback(
            lambda future: self._call_from_thread(self._ended, number, alive, future)
        )

    def _ended(self, number: int, batch: _Batch, future: Future[tuple[list[Run], float]]) -> None:
        _, waited_for = self._running.pop(number)
        runs, seconds = future.result()
        # Those that were given up on meanwhile have had their answer.
        self._settle(batch, runs, seconds, alive=set(map(id, waited_for)))
        self._fill()

    def _settle(self, batch: _Batch, runs: list[Run], seconds: float, alive: set[int] | None = None) -> None:
        target = batch[0].target
        target.observe(sum([job.count for job in batch]), seconds)
        for run in runs:
            answered = self._answer(run, alive)
            if answered:
                answer = run.answer
                if answer is not None and len(answered) < len(run.jobs):
                    answer = answers_of(run.jobs, answer, answered)
                self._answered(target, answered, answer)

    def _answer(self, run: Run, alive: set[int] | None) -> list[Job]:
        """Give each job its result; return those that were answered."""
        answered: list[Job] = []
        for job, result in zip(run.jobs, run.results, strict=True):
            if alive is not None and id(job) not in alive:
                continue
            if isinstance(result, Exception):
                job.endpoint.failed(job, result)
                continue
            try:
                job.endpoint.done(job, result)
            except Exception as error:  # one answer that can't be sent must not cost the others theirs
                job.endpoint.failed(job, error)
            else:
                answered.append(job)
        return answered

    # ---------------------------------------------------------------------------------- time

    def sweep(self) -> None:
        """Answer those that have waited, or whose batch has run, for longer than they may. Call it now and then."""
        present = time.perf_counter()
        while self._slow and self._slow[0].deadline < present:
            job = self._slow.popleft()
            self._slow_rows -= job.count
            job.endpoint.failed(job, self._waited())
        for number, (began, batch) in list(self._running.items()):
            late = [job for job in batch if job.deadline < present]
            if late:
                self._running[number] = (began, [job for job in batch if job.deadline >= present])
                for job in late:
                    job.endpoint.failed(job, self._late())

    def close(self) -> None:
        """Let go of the threads and of the release; runs under way end by themselves."""
        self._quick_target = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _full(self, count: int) -> PlusoneError:
        return Overloaded(
            f"{count} requests wait for the model {self.model!r}: expected at most {self._queue}.",
            mend="send it again later, or raise queue under [tool.plusone.serve] in pyproject.toml",
            model=self.model,
        )

    def _waited(self) -> PlusoneError:
        return Unavailable(
            f"The request waited {self._timeout_s:g} s for the model {self.model!r} and was not begun.",
            mend="send it again later, or start more workers: plusone up --workers N",
            model=self.model,
        )

    def _late(self) -> PlusoneError:
        return TooSlow(
            f"The model {self.model!r} did not answer within {self._timeout_s:g} s.",
            mend="raise timeout_s under [tool.plusone.serve] in pyproject.toml, or send fewer rows per request",
            model=self.model,
        )


def _take(waiting: deque[Job], budget_s: float) -> _Batch:
    """Take jobs of one release off a queue: one, and as many more as are expected to fit into `budget_s`."""
    batch = [waiting.popleft()]
    target, rows = batch[0].target, batch[0].count
    most = min(_MOST_ROWS, int(budget_s / target.row_s))
    while waiting and waiting[0].target is target and rows + waiting[0].count <= most:
        rows += waiting[0].count
        batch.append(waiting.popleft())
    return batch


def _timed(batch: _Batch) -> tuple[list[Run], float]:
    began = time.perf_counter()
    runs = compute(batch)
    return runs, time.perf_counter() - began


def compute(batch: _Batch) -> list[Run]:
    """Return the results of all jobs of a batch, all of one release. Never raises.

    When the model raises, each job runs alone: only the one that made it raise gets an error. When its own process
    died or hung, all of them do: to try each would end as many processes.
    """
    try:
        return [_together(batch[0].target.predictor, batch)]
    except Exception as error:  # whatever a model raises, its callers get an answer
        if len(batch) == 1 or isinstance(error, (Unavailable, TooSlow)):
            return [Run(batch, [error] * len(batch), None)]
        return [run for job in batch for run in compute([job])]


def _together(predictor: Predictor, batch: _Batch) -> Run:
    if not [job for job in batch if job.rows is None or job.asked is not None]:
        answer = predictor.run(predictor.gather([row for job in batch for row in job.rows or ()]))
        return Run(batch, predictor.encode_joined(answer, [job.count for job in batch]), answer)
    return _mixed(predictor, batch)


def _mixed(predictor: Predictor, batch: _Batch) -> Run:
    """Answer a batch of which some came as columns, or write their answers in their own way."""
    ordered = sorted(batch, key=lambda job: job.rows is None)
    rows = [row for job in ordered for row in job.rows or ()]
    parts = [job.columns for job in ordered if job.columns is not None]
    if rows:
        parts.insert(0, predictor.gather(rows))
    answer = predictor.run(Columns.concat(parts))
    # In the order in which their rows were put together.
    if all(job.asked is None for job in ordered):
        return Run(ordered, predictor.encode_joined(answer, [job.count for job in ordered]), answer)
    results: list[Any] = []
    at = 0
    for job in ordered:
        part = answer.take(at, at + job.count)
        at += job.count
        if job.asked is None:
            results += predictor.encode_joined(part, [job.count])
        else:
            results.append(job.endpoint.write(job, part))
    return Run(ordered, results, answer)


def answers_of(whole: list[Job], answer: Answer, jobs: list[Job]) -> Answer:
    """Return the answers of some of the jobs, from those of all; the order stays."""
    wanted = set(map(id, jobs))
    return answer.pick([id(job) in wanted for job in whole for _ in range(job.count)])
