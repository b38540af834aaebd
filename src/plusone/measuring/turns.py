"""How long two models take for the same rows, in turns, so that what else goes on on the machine strikes both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..graphs.layout import Columns
from ..statistics.bootstrap import expanded

if TYPE_CHECKING:
    from ..predictor import Predictor

__all__ = ["Timed", "time_both"]

_ROUNDS = 3
_BUDGET_S = 0.8
_FEWEST = 20
_RESAMPLES = 500
_CONFIDENCE = 0.95


class Timed(NamedTuple):
    """What two models took: the median of one row in milliseconds, and what the first takes as a multiple."""

    rows: int
    first_ms: float
    second_ms: float
    ratio: float
    low: float
    high: float
    batch_rows: int
    batch_ratio: float


def time_both(
    first: tuple[Predictor, Sequence[Columns]],
    second: tuple[Predictor, Sequence[Columns]],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Timed:
    """Return how long two models take for the same rows: each of them alone, then all together.

    Each row is answered by both in turns, three times, and the smallest time of each counts: what interrupts a process
    only ever makes it slower. The ratio is that of the medians over the rows; its 95 % interval is a bootstrap's over
    the rows (Efron & Tibshirani 1993, chapter 13.3: 500 resamples; `bootstrap.expanded`). At most about a second is
    spent; slow models are asked fewer rows, but 20, and fewer than 20 are asked more than once.

    Args:
        first: a model, and the same requests for it, as columns, as for the other one: at least one.
        clock: what seconds are read from.
    """
    models, asked = (first[0], second[0]), (first[1], second[1])
    for model, columns in zip(models, asked, strict=True):
        model.run(columns[0])  # what is made at the first call is no matter of the rows
    ends = clock() + _BUDGET_S
    times: list[tuple[float, float]] = []
    pairs = list(zip(*asked, strict=True))
    # A few rows are asked again and again: of a single time there is no interval, only what happened meanwhile.
    for pair in pairs * -(-_FEWEST // len(pairs)):
        if len(times) >= _FEWEST and clock() > ends:
            break
        rounds = [[_once(model, row, clock) for model, row in zip(models, pair, strict=True)] for _ in range(_ROUNDS)]
        times.append((min(one[0] for one in rounds), min(one[1] for one in rounds)))
    taken, tail = np.array(times), expanded(_CONFIDENCE, len(times))
    drawn = np.random.default_rng(0).integers(0, len(taken), size=(_RESAMPLES, len(taken)))
    medians = np.median(taken[drawn], axis=1)
    low, high = np.quantile(medians[:, 0] / medians[:, 1], [tail, 1 - tail])
    ours, theirs = np.median(taken, axis=0)
    batch = [Columns.concat(columns[: len(times)]) for columns in asked]
    rounds = [[_once(model, rows, clock) for model, rows in zip(models, batch, strict=True)] for _ in range(_ROUNDS)]
    return Timed(
        rows=min(len(times), len(pairs)),
        first_ms=float(ours) * 1000.0,
        second_ms=float(theirs) * 1000.0,
        ratio=float(ours / theirs),
        low=float(low),
        high=float(high),
        batch_rows=batch[0].rows,
        batch_ratio=min(one[0] for one in rounds) / min(one[1] for one in rounds),
    )


def _once(model: Predictor, columns: Columns, clock: Callable[[], float]) -> float:
    began = clock()
    model.run(columns)
    return max(clock() - began, 1e-9)
