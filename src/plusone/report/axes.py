"""Axes of drawings: where a number lies, and which numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .numbers import number

__all__ = ["Axis", "axis_of"]

_MOST_TICKS = 12


class Axis:
    """A line of numbers from `low` to `high`, drawn from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self._start, self._end = low, high, start, end

    def place(self, value: float) -> float:
        """Return where a number is drawn; one that lies outside is drawn at the end."""
        # Halves: the difference of two large numbers may be none.
        span = self.high / 2 - self.low / 2
        part = (value / 2 - self.low / 2) / span if span > 0 else 0.5
        return round(self._start + min(1.0, max(0.0, part)) * (self._end - self._start), 1)

    def ticks(self, about: int = 5) -> list[tuple[float, str]]:
        """Return round numbers along the axis, with what is written for each."""
        span = self.high - self.low
        if not 0 < span / about < math.inf:
            return [(self.low, number(self.low))]
        step = _round(span / about)
        if not step or not math.isfinite(self.low / step):
            return [(self.low, number(self.low)), (self.high, number(self.high))]
        first = math.ceil(self.low / step - 1e-9)
        found = (
            round((first + place) * step, 12) if step > 1e-9 else (first + place) * step for place in range(_MOST_TICKS)
        )
        kept = [one for one in found if one <= self.high + span * 1e-9]
        return [(one, number(one)) for one in dict.fromkeys(kept)]


def axis_of(values: Iterable[float], start: float, end: float, *, zero: bool = False) -> Axis:
    """Return an axis that holds all of the values, with some air; 0 and 1 stay what they are.

    Args:
        zero: begin at 0, as lengths of bars must.
    """
    known = [one for one in values if math.isfinite(one)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = (low - 1.0, high + 1.0) if not zero else (min(low, 0.0), max(high, 0.0) or 1.0)
    air = 0.04 * (high / 2 - low / 2) * 2
    within_one = low >= 0 and high <= 1
    if not (low == 0 or zero):
        low = max(0.0, low - air) if within_one else low - air
    if not (high == 0 and zero):
        high = min(1.0, high + air) if within_one else high + air
    return Axis(max(low, -1.7e308), min(high, 1.7e308), start, end)


def _round(step: float) -> float:
    """Return the next of 1, 2 and 5 times a power of ten that is no smaller than `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next((times * power for times in (1, 2, 5) if times * power >= step * (1 - 1e-9)), 10 * power)
