"""Times of two models, on a clock that a test holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plusone.graphs.layout import Columns
from plusone.measuring.turns import time_both


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Taking:
    """A model that takes so many seconds for a row; every so many calls something else goes on."""

    def __init__(self, clock: Clock, seconds: float, disturbed_every: int = 0) -> None:
        self.rows = 0
        self._clock = clock
        self._seconds = seconds
        self._every = disturbed_every
        self._calls = 0

    def run(self, columns: Columns) -> None:
        self._calls += 1
        self.rows += columns.rows
        disturbed = 3.0 if self._every and self._calls % self._every == 0 else 1.0
        self._clock.now += self._seconds * columns.rows * disturbed


def rows(count: int) -> list[Columns]:
    return [Columns(1, {"numbers": np.zeros((1, 1))}) for _ in range(count)]


def test_the_ratio_is_that_of_the_medians_and_what_interrupts_does_not_count():
    clock = Clock()
    first: Any = Taking(clock, 0.0004, disturbed_every=7)
    second: Any = Taking(clock, 0.0001)
    found = time_both((first, rows(256)), (second, rows(256)), clock=clock)
    assert (found.first_ms, found.second_ms) == (pytest.approx(0.4), pytest.approx(0.1))
    assert (found.ratio, found.low, found.high) == (pytest.approx(4.0),) * 3
    assert found.batch_ratio == pytest.approx(4.0)
    assert (found.rows, found.batch_rows) == (256, 256)


def test_a_slow_model_is_asked_fewer_rows():
    clock = Clock()
    slow: Any = Taking(clock, 0.5)
    found = time_both((slow, rows(256)), (slow, rows(256)), clock=clock)
    assert found.rows == 20
    assert slow.rows < 300


def test_one_row_is_enough():
    clock = Clock()
    model: Any = Taking(clock, 0.001)
    assert time_both((model, rows(1)), (model, rows(1)), clock=clock).ratio == pytest.approx(1.0)


class Slow(Taking):
    """A model that takes ten times as long until it has been asked `calls` times."""

    def run(self, columns: Columns) -> None:
        super().run(columns)
        self._clock.now += 9 * self._seconds if self._calls <= 5 else 0.0


def test_a_single_row_that_was_slow_at_first_shows_nothing():
    clock = Clock()
    first: Any = Slow(clock, 0.001)
    second: Any = Taking(clock, 0.001)
    found = time_both((first, rows(1)), (second, rows(1)), clock=clock)
    assert found.low <= 1.0 + 1e-9 <= found.high + 2e-9
    assert (found.ratio, found.rows, found.batch_rows) == (pytest.approx(1.0), 1, 1)
