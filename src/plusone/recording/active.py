"""`plusone.log`: the metrics of the run that is under way in this process."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["log", "start", "stop"]

# All runs under way, the newest last; and those that were begun in this thread or task.
_active: list[Recorder] = []
_mine: ContextVar[tuple[Recorder, ...]] = ContextVar("plusone_runs", default=())


def log(*, step: int | None = None, **metrics: float) -> None:
    """Log one value of each named metric of the run under way: `plusone.log(step=3, loss=0.31)`.

    When it returns the values survive the death of this process. Without `step` each metric counts its own steps from
    0. NaN and infinities are kept as they are. Outside of a run (a step called as a plain function, in a notebook or a
    unit test) there is nothing to log to, and nothing happens.

    Of several runs under way it is the newest that was begun in this thread, or else the newest.

    Raises:
        UsageError: when a value is no number or the step no integer of 64 bits; then nothing of the call is logged.
        StoreError: when the disk is full.
    """
    if not _active:
        return
    (_active[-1] if len(_active) == 1 else _pick()).log(metrics, step=step)


def start(recorder: Recorder) -> None:
    """Make this the recorder that `log` writes to. Whoever opened it closes it, after `stop`."""
    _active.append(recorder)
    _mine.set((*_mine.get(), recorder))


def stop(recorder: Recorder | None = None) -> None:
    """Log no more to this recorder; without one, to the newest that `start` was given here."""
    if recorder is None:
        recorder = _pick() if _active else None
    if recorder in _active:
        _active.remove(recorder)
    _mine.set(tuple(one for one in _mine.get() if one is not recorder and one in _active))


def _pick() -> Recorder:
    # One that was stopped in another thread may still be in a context that was copied from there.
    return next((one for one in reversed(_mine.get()) if one in _active), _active[-1])
