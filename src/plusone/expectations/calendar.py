"""Columns that were computed from a date: its weekday, month, day or hour, under whatever numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..data.views import DAY, HOUR, ColumnView
from .findings import Finding, Pair, fail, number, percent

__all__ = ["calendar"]

Ints = NDArray[np.int64]

_FEWEST = 5
"""So many different parts, and values for them, that no column fits them by accident."""
_MOST = 60
_WRONG = 0.001
"""The share of rows that is put up with: single odd values."""
_THURSDAY = 3  # 1970-01-01, where Monday is 0


def calendar(pair: Pair) -> Iterator[Finding]:
    """Find numbers that were a part of a date in all rows of before, and in some rows of now are that of another.

    A weekday that begins on another day, an hour of another time zone: as numbers they are as likely as they were, and
    in new rows no past gives them away.
    """
    moments = [(now, old) for now, old in pair.shared if now.kind == "moment"]
    for now, old in pair.shared:
        if now.kind == "number" and old.whole and _FEWEST <= old.distinct <= _MOST:
            for clock, before in moments:
                if (finding := _differs(now, old, clock, before)) is not None:
                    yield finding
                    break


def _differs(now: ColumnView, old: ColumnView, clock: ColumnView, before: ColumnView) -> Finding | None:
    parts = _parts(clock)
    for part, was in _parts(before).items():
        there = np.isfinite(old.numbers) & np.isfinite(before.numbers)
        meant = _meaning(was[there], old.numbers[there])
        if meant is None:
            continue
        rows = np.isfinite(now.numbers) & np.isfinite(clock.numbers)
        said = meant[parts[part][rows]]
        known = ~np.isnan(said)
        wrong = known & (said != now.numbers[rows])
        count, of = int(wrong.sum()), int(known.sum())
        if count <= _WRONG * of:
            return None
        place = int(np.flatnonzero(wrong)[0])
        return fail(
            now.name,
            f"was the {part} of {clock.name} in all rows of the live release's data, and is not in {count:,} rows "
            f"({percent(count / of)}): {number(float(now.numbers[rows][place]))} where it was "
            f"{number(float(said[place]))}",
            rows=count,
            share=count / of,
            part=part,
            clock=clock.name,
        )
    return None


def _parts(clock: ColumnView) -> dict[str, Ints]:
    """Return weekday (0 is Monday), month, day of the month and hour of each moment, in UTC; 0 where there is none."""
    moments = np.where(np.isfinite(clock.numbers), clock.numbers, 0.0)
    days = np.floor_divide(moments, DAY).astype(np.int64)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    return {
        "weekday": (days + _THURSDAY) % 7,
        "month": months.astype(np.int64) % 12,
        "day of the month": (dates - months.astype("datetime64[D]")).astype(np.int64),
        "hour": np.floor_divide(moments - days * float(DAY), HOUR).astype(np.int64),
    }


def _meaning(parts: Ints, numbers: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the number of each part, shape (32,), NaN for parts that were not there; None where the one does not tell
    the other, or too few were there.
    """
    meant = np.full(32, np.nan)
    meant[parts] = numbers
    if not (meant[parts] == numbers).all():
        return None
    there = meant[~np.isnan(meant)]
    return meant if min(len(there), len(np.unique(there))) >= _FEWEST else None
