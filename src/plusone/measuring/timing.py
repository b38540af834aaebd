"""Times of two functions side by side, on a machine that does other things too: pairs, interleaved, in random order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Pair", "paired_times"]

_BLOCK_S = 0.0005
"""A time is taken over at least as much work: single calls of microseconds are mostly the clock's."""
_LONG_S = 0.005
_TRIES = 3
"""Of short work the best of so many times counts: what took the processor away meanwhile was not the model."""
FEWEST, MOST = 11, 201
"""The extremes of 11 ratios hold their median with 99.9 %, which `built_in.model.fast` asks for; 9 would not."""


class Pair(NamedTuple):
    """Seconds of one call of each, taken in turns."""

    first: float
    second: float

    @property
    def ratio(self) -> float:
        """How many times the second's time the first's is."""
        return self.first / self.second


def paired_times(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    budget_s: float = 1.0,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Pair]:
    """Return 11 to 201 pairs of times, as many as fit into `budget_s`.

    Both are called some times before, so that what is slow once is over. Each pair is taken in random order: what the
    machine does besides falls on either alike. Of calls below 5 ms each time is the best of three, taken in turns.
    """
    chance = random.Random(seed)  # noqa: S311  an order, not a secret
    for call in (first, second):
        for _ in range(3):
            call()
    single = min(_time(first, 1, clock), _time(second, 1, clock))
    repeats, tries = max(1, round(_BLOCK_S / max(single, 1e-7))), 1 if single > _LONG_S else _TRIES
    pairs: list[Pair] = []
    began = clock()
    while len(pairs) < FEWEST or (len(pairs) < MOST and clock() - began < budget_s):
        calls = (first, second) if chance.random() < 0.5 else (second, first)
        times = [[_time(call, repeats, clock) for call in calls] for _ in range(tries)]
        best = [min(one) for one in zip(*times, strict=True)]
        pairs.append(Pair(*best) if calls[0] is first else Pair(*reversed(best)))
    return pairs


def _time(call: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(repeats):
        call()
    return max(clock() - began, 1e-9) / repeats
