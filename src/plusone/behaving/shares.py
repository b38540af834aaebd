"""Shares of rows that are for or against something, with what their exact intervals mean for a bound."""

from __future__ import annotations

import math
from typing import Any

from ..base.errors import UsageError
from ..measuring.concluding import Judgement
from ..statistics.proportions import clopper_pearson

__all__ = ["Share", "check_shares", "fewest_to_show"]


def check_shares(**shares: Any) -> None:
    """Raise UsageError unless each is a number above 0 and below 1; `at_least` may be 1."""
    for name, value in shares.items():
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1
        if not fits or (value == 1 and name != "at_least"):
            most = "at most 1" if name == "at_least" else "below 1"
            raise UsageError(f"{name} = {value!r}: expected a share above 0 and {most}.", mend=f"{name}=0.9")


class Share:
    """How many of so many rows are against a check, the exact interval of their share, and what that means."""

    def __init__(self, count: int, rows: int, bound: float, confidence: float) -> None:
        self.count, self.rows, self.share = count, rows, count / rows
        self.low, self.high = clopper_pearson(count, rows, confidence)
        self.outcome: Judgement
        self.fewest = 1
        if bound <= 0:
            self.outcome = "failed" if count else "passed"
            return
        self.outcome = "passed" if self.high <= bound else "failed" if self.low > bound else "inconclusive"
        self.fewest = fewest_to_show(1 - bound, confidence)


def fewest_to_show(rate: float, confidence: float) -> int:
    """Return how many tries show a rate when all of them are good: the exact interval of fewer reaches below it.

    It is the smallest n with rate^n at most (1 - confidence) / 2, as Clopper & Pearson's lower end of n of n has it.

    By hand: for 0.8 at 95 %: ln 0.025 / ln 0.8 = 16.53: 17.
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(rate) - 1e-12)
