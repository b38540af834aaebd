"""How many rows a comparison needs: with as many, and no true difference, it passes in at least 80 % of cases.

Chow, Shao & Wang (2008), "Sample size calculations in clinical research", chapters 3.2 and 4: for non-inferiority by a
margin d, at no difference, n = ((z_a + z_b) s / d)^2. The standard error is itself measured on the rows that there are,
so its upper limit at 90 % takes its place: Browne (1995), "On the use of a pilot sample for sample size determination",
Statistics in Medicine 14.
"""

from __future__ import annotations

import math

from .bootstrap import Interval
from .distributions import chi_square_quantile, normal_quantile, t_quantile
from .proportions import clopper_pearson, tango_spread

__all__ = ["POWER", "rounded_up", "rows_for"]

POWER = 0.8
_SURE = 0.9
_MOST = 1e12


def rows_for(found: Interval, rows: int, margin: float, *, power: float = POWER) -> int | None:
    """Return with how many rows a comparison like `found` would pass in a share `power` of cases.

    Args:
        found: what was measured on `rows` rows.
        margin: how far the limit lies from the true value, above 0: of two models that of `no_worse`, where the true
            difference is taken to be 0; of one model the distance of the value from its limit.

    Returns:
        None when no number of rows would: the margin is 0, or nothing differs that could be measured.

    By hand: a standard error of 0.01 on 1,000 rows (many effective ones) and a margin of 0.02: (1.960 + 0.842)^2 / 4
    times 1,000 is 1,962, before the error's own error is added.
    """
    if not margin > 0 or found.method == "the same answers":
        return None
    count = _paired if found.method == "Tango" else _resampled
    needed = count(found, rows, margin, power)
    return math.ceil(needed) if needed is not None and needed <= _MOST else None


def _resampled(found: Interval, rows: int, margin: float, power: float) -> float | None:
    if found.error <= 0 or found.effective < 1:
        return None
    freedom = max(found.effective - 1, 1)
    error = found.error * math.sqrt(freedom / max(chi_square_quantile(1 - _SURE, freedom), 0.02 * freedom))
    tail = (1 - found.confidence) / 2
    share = found.effective / rows
    needed = float(rows)
    for _ in range(30):
        # The interval of few rows is wider than the normal one, so that few rows need some more.
        few = max(share * needed, 2.0)
        wide = -t_quantile(tail, few - 1) * math.sqrt(few / (few - 1))
        needed = rows * ((wide + normal_quantile(power)) * error / margin) ** 2
        if needed > _MOST:
            return None
    return max(needed, 2 / share)


def _paired(found: Interval, rows: int, margin: float, power: float) -> float:
    """Return the rows for Tango's interval: its error at the margin and that at no difference are not the same."""
    differ = clopper_pearson(found.effective, rows, 2 * _SURE - 1)[1]
    wide, powerful = normal_quantile((1 + found.confidence) / 2), normal_quantile(power)
    at_margin = tango_spread(differ / 2, differ / 2, 1.0, -min(margin, 0.999))
    return ((wide * at_margin + powerful * math.sqrt(differ)) / margin) ** 2


def rounded_up(rows: int) -> int:
    """Return `rows` with two digits that count, rounded up. By hand: 12,034 becomes 13,000, and 97 stays 97."""
    unit = 10 ** max(len(str(rows)) - 2, 0)
    return -(-rows // unit) * unit
