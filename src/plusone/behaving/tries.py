"""Asks something for texts, case by case and again and again: in turn or on threads, with a time-out for each answer.

An answer that raises, that is no text or that does not come in time is a try that failed, with what was wrong.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..base.errors import UsageError

__all__ = ["Grade", "Try", "ask_all"]

_MOST_TRIES = 1_000_000
_LOST = 4
"""How many answers for each thread may stay out before nothing more is asked: a thread that hangs can't be ended."""


class Grade(NamedTuple):
    """What is thought of one answer."""

    passed: bool
    why: str = ""
    """What was wrong with it."""
    score: float | None = None


class Try(NamedTuple):
    """One answer with its grade."""

    answer: str
    passed: bool
    why: str
    score: float | None
    seconds: float


def ask_all(
    ask: Callable[[Any], Any],
    cases: Sequence[Any],
    grade: Callable[[int, str], Grade],
    *,
    repeats: int,
    threads: int = 1,
    timeout_s: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[list[Try]]:
    """Return the tries of each case.

    Every case is asked once before any is asked again. On one thread without a time-out it is asked on the caller's own
    thread, so that a debugger works; else on threads of its own, which see the caller's context (`plusone.log` works).

    Args:
        ask: answers a case with a text.
        grade: judges the answer to the case of that number; called where `ask` was.
        progress: called with how many tries are done and how many there are to be.

    Raises:
        UsageError: when an argument is out of range.
        BaseException: what `ask` or `grade` raises that is no Exception, e.g. KeyboardInterrupt or pytest.skip.
    """
    _check(len(cases) * repeats, threads, timeout_s)
    jobs = [place for _ in range(repeats) for place in range(len(cases))]
    found: list[list[Try]] = [[] for _ in cases]
    one = _One(ask, cases, grade)
    run = _in_turn(one, jobs) if threads == 1 and timeout_s is None else _Crew(one, jobs, threads, timeout_s).run()
    for done, (place, result) in enumerate(run, 1):
        found[place].append(result)
        if progress is not None:
            progress(done, len(jobs))
    return found


class _One:
    """Asks one case once."""

    def __init__(self, ask: Callable[[Any], Any], cases: Sequence[Any], grade: Callable[[int, str], Grade]) -> None:
        self._ask, self._cases, self._grade = ask, cases, grade

    def __call__(self, place: int) -> Try:
        case = self._cases[place]
        start = time.perf_counter()
        answer: Any = ""
        try:
            # A copy: what is asked may write into its case, and the next try gets the same one.
            answer = self._ask(dict(case) if isinstance(case, dict) else case)
        except Exception as error:
            return Try("", False, _said(error), None, time.perf_counter() - start)
        seconds = time.perf_counter() - start
        if not isinstance(answer, str):
            return Try(str(answer)[:200], False, f"the answer is a {type(answer).__name__}, no text", None, seconds)
        try:
            grade = self._grade(place, answer)
        except Exception as error:
            return Try(answer, False, f"the answer could not be judged: {_said(error)}", None, seconds)
        return Try(answer, grade.passed, grade.why, grade.score, seconds)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}".rstrip(": ")


def _in_turn(one: _One, jobs: Sequence[int]) -> Any:
    for place in jobs:
        yield place, one(place)


class _Crew:
    """Threads that take jobs in turn. One whose job is overdue is given up, and another takes its place."""

    def __init__(self, one: _One, jobs: Sequence[int], threads: int, timeout_s: float | None) -> None:
        self._one, self._timeout_s = one, timeout_s
        self._jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
        for place in jobs:
            self._jobs.put(place)
        self._total, self._threads = len(jobs), min(threads, len(jobs))
        self._done: queue.SimpleQueue[tuple[int, Try | BaseException]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy: dict[int, tuple[int, float]] = {}
        self._context = contextvars.copy_context()
        self._members = self._lost = 0
        self._over = False

    def run(self) -> Any:
        """Give (place, try) in the order in which they are done."""
        try:
            for _ in range(self._threads):
                self._join()
            given = 0
            while given < self._total:
                for place, result in self._next():
                    given += 1
                    yield place, result
                if self._lost >= _LOST * self._threads:
                    yield from self._leftover()
                    return
        finally:
            self._over = True

    def _join(self) -> None:
        self._members += 1
        # A daemon: a call that never returns must not keep the process alive.
        threading.Thread(target=self._work, args=(self._members,), daemon=True, name="plusone-ask").start()

    def _work(self, member: int) -> None:
        while not self._over:
            try:
                place = self._jobs.get_nowait()
            except queue.Empty:
                return
            with self._lock:
                self._busy[member] = (place, time.monotonic())
            result: Try | BaseException
            try:
                result = self._context.copy().run(self._one, place)
            except BaseException as error:
                result = error
            with self._lock:
                if self._busy.pop(member, None) is None:
                    return  # it was given up
                self._done.put((place, result))

    def _next(self) -> list[tuple[int, Try]]:
        """Return the next try that is done, or those that are overdue."""
        try:
            place, result = self._done.get(timeout=self._patience())
        except queue.Empty:
            return self._overdue()
        if isinstance(result, BaseException):
            raise result
        return [(place, result)]

    def _patience(self) -> float:
        """Return the seconds until the next job is overdue; some at most, so that Ctrl-C is heard."""
        with self._lock:
            if self._timeout_s is None or not self._busy:
                return 0.2
            first = min(start for _, start in self._busy.values())
        return min(max(first + self._timeout_s - time.monotonic(), 0.0), 0.2)

    def _overdue(self) -> list[tuple[int, Try]]:
        if self._timeout_s is None:
            return []
        with self._lock:
            now = time.monotonic()
            late = {who: job for who, job in self._busy.items() if now - job[1] >= self._timeout_s}
            for who in late:
                del self._busy[who]
        self._lost += len(late)
        why = f"no answer within {self._timeout_s:g} s"
        for _ in late:
            if self._lost < _LOST * self._threads:
                self._join()
        return [(place, Try("", False, why, None, now - start)) for place, start in late.values()]

    def _leftover(self) -> Any:
        """Give what was not asked any more, and what is still under way, as tries that failed."""
        self._over = True
        with self._lock:
            places = [place for place, _ in self._busy.values()]
            self._busy.clear()
        while not self._jobs.empty():
            places.append(self._jobs.get())
        while not self._done.empty():
            place, result = self._done.get()
            if isinstance(result, BaseException):
                raise result
            yield place, result
        for place in places:
            yield place, Try("", False, f"not asked: {self._lost} answers before did not come in time", None, 0.0)


def _check(tries: int, threads: Any, timeout_s: Any) -> None:
    if tries > _MOST_TRIES:
        raise UsageError(
            f"That would be {tries:,} tries: expected at most {_MOST_TRIES:,}.",
            mend="fewer cases, or a smaller repeats=",
        )
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 256:
        raise UsageError(f"threads = {threads!r}: expected a whole number, 1 to 256.", mend="threads=8")
    if timeout_s is None:
        return
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or not 0 < timeout_s <= 86_400:
        raise UsageError(
            f"timeout_s = {timeout_s!r}: expected seconds, above 0 and at most a day, or None.", mend="timeout_s=60"
        )
