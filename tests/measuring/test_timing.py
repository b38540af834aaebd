"""Times by a clock that the work itself moves on: what is measured is exact, and no machine is too busy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plusone.measuring.timing import FEWEST, MOST, paired_times


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: float, hiccup: int = 0) -> Callable[[], None]:
        def call() -> None:
            self.calls.append(name)
            self.now += seconds + (1.0 if hiccup and len(self.calls) % hiccup == 0 else 0.0)

        return call


def test_each_pair_is_of_the_same_work_in_random_order():
    clock = Clock()
    pairs = paired_times(clock.work("a", 0.02), clock.work("b", 0.01), budget_s=1.0, clock=clock)
    assert FEWEST <= len(pairs) <= 40
    assert all(pair.ratio == pytest.approx(2) for pair in pairs)
    after = clock.calls[8:]
    firsts = {after[place] for place in range(0, len(after), 2)}
    assert firsts == {"a", "b"}


def test_short_work_is_repeated_and_the_best_of_three_counts():
    clock = Clock()
    pairs = paired_times(clock.work("a", 1e-5), clock.work("b", 1e-5, hiccup=997), budget_s=20.0, clock=clock)
    assert sum(pair.ratio == pytest.approx(1) for pair in pairs) >= 0.8 * len(pairs)
    assert len(clock.calls) > 100 * len(pairs)


def test_there_are_enough_and_not_too_many():
    clock = Clock()
    assert len(paired_times(clock.work("a", 5.0), clock.work("b", 5.0), budget_s=0.1, clock=clock)) == FEWEST
    assert len(paired_times(clock.work("a", 1e-3), clock.work("b", 1e-3), budget_s=1e9, clock=clock)) == MOST
