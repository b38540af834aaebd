"""`plusone.log`: the metrics of the run that is under way in this process."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from ..base.errors import UsageError
from ..base.records import MetricPoint
from ..journal import Journal
from .recording import Recorder

__all__ = ["log", "points_in", "start", "stop"]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[tuple[str, int, float, float]])
_MOST_STEP = 2**63 - 1


class _Active:
    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)
        self.next_step: dict[str, int] = {}
        self.lock = threading.Lock()


_active: list[_Active | Recorder] = []


def log(*, step: int | None = None, **metrics: float) -> None:
    """Log one value of each named metric of the run under way: `plusone.log(step=3, loss=0.31)`.

    When it returns the values survive the death of this process. Without `step` each metric counts its own steps from
    0. NaN and infinities are kept as they are. Outside of a run (a step called as a plain function, in a notebook or a
    unit test) there is nothing to log to, and nothing happens.

    Raises:
        UsageError: when a value is no number or the step no integer of 64 bits; then nothing of the call is logged.
    """
    if not _active:
        return
    run = _active[-1]
    if isinstance(run, Recorder):
        run.log(metrics, step=step)
        return
    now = time.time()
    given = None if step is None else _integer(step)
    values = {_text(key): _number(key, value) for key, value in metrics.items()}
    with run.lock:
        points = [
            (key, run.next_step.get(key, 0) if given is None else given, value, now) for key, value in values.items()
        ]
        run.journal.append(_encoder.encode(points))
        run.next_step.update({key: min(place + 1, _MOST_STEP) for key, place, _, _ in points})


def start(path: Path | Recorder) -> None:
    """Make the journal at `path` the one that `log` writes to, in this process."""
    _active.append(_Active(path) if isinstance(path, Path) else path)


def stop(recorder: Recorder | None = None) -> None:
    """Close the newest journal that `start` opened."""
    if recorder is not None:
        if recorder in _active:
            _active.remove(recorder)
        return
    if _active:
        last = _active.pop()
        if isinstance(last, _Active):
            last.journal.close()


def points_in(records: list[bytes]) -> list[MetricPoint]:
    """Return the points that a journal's records hold, in the order in which they were logged."""
    return [
        MetricPoint(key=key, step=step, value=value, at=at)
        for record in records
        for key, step, value, at in _decoder.decode(record)
    ]


def _number(key: str, value: Any) -> float:
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except OverflowError:
        raise UsageError(f"plusone.log({key}=...): the integer is too large for a number of 64 bits.") from None
    except (TypeError, ValueError):
        raise UsageError(f"plusone.log({key}={value!r}): expected a number, got {type(value).__name__}.") from None


def _integer(step: Any) -> int:
    try:
        number = int(step.__index__())
    except (AttributeError, TypeError):
        raise UsageError(f"plusone.log(step={step!r}): expected an integer, got {type(step).__name__}.") from None
    if not -_MOST_STEP <= number <= _MOST_STEP:
        raise UsageError(f"plusone.log(step={number}): expected an integer of 64 bits.")
    return number


def _text(key: str) -> str:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise UsageError(f"plusone.log: {key!r} can't name a metric: it is no valid Unicode text.") from None
    return key
