"""Columns that hold what they held, in another unit: the quantiles of now lie on a line over those of before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..data.views import ColumnView
from .findings import SAME, Finding, Pair, fail, number, warning
from .shifts import distance

__all__ = ["Line", "line", "units"]

_PLACES = np.linspace(0.02, 0.98, 49)
_KNOWN = {
    "Fahrenheit to Celsius": (5 / 9, -160 / 9),
    "Celsius to Fahrenheit": (1.8, 32.0),
    "Celsius to kelvin": (1.0, 273.15),
    "miles to kilometres": (1.609344, 0.0),
    "kilometres to miles": (1 / 1.609344, 0.0),
    "miles an hour to metres a second": (0.44704, 0.0),
    "feet to metres": (0.3048, 0.0),
    "inches to centimetres": (2.54, 0.0),
    "inches to millimetres": (25.4, 0.0),
    "pounds to kilograms": (0.45359237, 0.0),
    "hours to minutes": (60.0, 0.0),
    "minutes to hours": (1 / 60, 0.0),
    "minutes to seconds": (60.0, 0.0),
    "thousands to ones": (1000.0, 0.0),
    "ones to thousands": (0.001, 0.0),
    "shares to percent": (100.0, 0.0),
    "percent to shares": (0.01, 0.0),
}
_STEEP = 1.5
"""Over all rows a season may widen or narrow a column by half."""
_STEEP_SAME = 1.01
_CLOSE, _SURE, _EXACT = 0.98, 0.995, 0.9995
"""How well the line must fit: the share of variance that it explains, 0 to 1."""
_SCALED = 4.9
_MOVED, _MOVED_SAME = 0.25, 0.02
"""How far the values must have moved at all: total variation distance."""


class Line(NamedTuple):
    """What the quantiles of now are over those of before: `now = slope * before + offset`."""

    slope: float
    offset: float
    r2: float
    """How well the line fits, 0 to 1."""


def line(now: ColumnView, before: ColumnView) -> Line | None:
    """Return the line through 49 quantiles of both, by least squares; None for columns with too few numbers."""
    if min(len(now.values), len(before.values)) < 100 or min(now.distinct, before.distinct) < 10:
        return None
    x, y = before.quantiles(_PLACES), now.quantiles(_PLACES)
    with np.errstate(all="ignore"):
        spread_x, spread_y = float(x.std()), float(y.std())
        if not (0 < spread_x < math.inf and 0 < spread_y < math.inf):
            return None
        r = float(((x - x.mean()) * (y - y.mean())).mean()) / spread_x / spread_y
        slope = r * spread_y / spread_x
        offset = float(y.mean()) - slope * float(x.mean())
    return Line(slope, offset, r * r) if math.isfinite(slope + offset + r) else None


def units(pair: Pair) -> Iterator[Finding]:
    """Find numbers that are in another unit than they were, or counted in another way."""
    found: set[str] = set()
    for where, one in ((SAME, pair.same_times), ("", pair), (" among rows that are new", pair.newest)):
        for now, before in one.shared if one is not None else ():
            if now.kind == "number" and now.name not in found:
                for finding in (*_judge(now, before, where), *_clock(now, before)):
                    found.add(now.name)
                    yield finding


def _judge(now: ColumnView, before: ColumnView, where: str) -> Iterator[Finding]:
    fit = line(now, before)
    if fit is None:
        return
    same = where == SAME
    known = next((name for name, (a, b) in _KNOWN.items() if _is_near(fit, a, b, before)), "")
    turned = fit.slope if fit.slope > 1 else 1 / max(fit.slope, 1e-300)
    if same:
        is_one = fit.r2 > _EXACT or (bool(known) and fit.r2 > _CLOSE)
        is_one = is_one and turned > _STEEP_SAME
    else:
        is_one = fit.r2 > _CLOSE and turned > _STEEP
    moved = distance(now, before) if is_one else None
    if moved is None or moved.effect.low <= (_MOVED_SAME if same else _MOVED):
        return
    middle, was = (float(column.quantiles(np.array([0.5]))[0]) for column in (now, before))
    said = (
        f"the numbers{where} are those of before times {fit.slope:.4g}"
        + (f" {'+' if fit.offset > 0 else '-'} {abs(fit.offset):.4g}" if abs(fit.offset) > 1e-6 * abs(was) else "")
        + (f", as from {known}" if known else "")
        + f" (median {number(middle)}, it was {number(was)})"
    )
    measured = {"slope": fit.slope, "offset": fit.offset, "r2": fit.r2, "same_times": same}
    # A season narrows, widens and moves a column, or doubles all there is of sales. Five times is another unit.
    scaled = fit.r2 > _SURE and turned > _SCALED and abs(fit.offset) < 0.05 * abs(middle)
    if same or known or scaled:
        yield fail(now.name, said, **measured)
    elif where == "":
        # Rows of one season lie on some line over all others, which says nothing.
        yield warning(now.name, said, **measured)


def _is_near(fit: Line, slope: float, offset: float, before: ColumnView) -> bool:
    """Whether a line is a known conversion: within 5 % of its slope, and of its offset within 5 % of the spread."""
    low, at, high = before.quantiles(np.array([0.1, 0.5, 0.9]))
    wide = (high - low) / 2 * slope
    return abs(fit.slope / slope - 1) < 0.05 and abs(fit.slope * at + fit.offset - slope * at - offset) < 0.1 * wide


def _clock(now: ColumnView, before: ColumnView) -> Iterator[Finding]:
    """Find times of the day that are counted otherwise: 1745 for 17:45 has no value from 1760 to 1799."""
    if not (_is_hhmm(before) and now.distinct > 50 and not _is_hhmm(now)):
        return
    high = now.ends[1]
    kind = "minutes of the day" if 24 < high <= 1440 and now.whole else "hours" if high <= 24 else "another form"
    yield fail(
        now.name,
        f"held times as on a clock (1745 is 17:45) and holds {kind} now (up to {number(high)})",
        maximum=high,
    )


def _is_hhmm(column: ColumnView) -> bool:
    if not column.whole or column.distinct < 50:
        return False
    low, high = column.ends
    return bool(low >= 0 and 1440 < high <= 2400 and (column.heaps[0] % 100 < 60).all())
