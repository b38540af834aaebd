"""How closely two columns go together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["cramers_v"]


def cramers_v(counts: NDArray[np.int64]) -> float:
    """Return Cramér's V of a table of counts: 0 where the columns are independent, 1 where one says what the other is.

    It is sqrt(chi^2 / (n (k - 1))), n the rows and k the smaller number of values: Cramér (1946), "Mathematical methods
    of statistics", section 21.9. It has no interval, and is never below 0: of independent columns about
    sqrt((r - 1) (c - 1) / (n (k - 1))) is left by chance. Values without rows count for nothing.

    Args:
        counts: shape (r, c).

    Returns:
        NaN where fewer than two values of either are left.

    By hand: counts 3, 1 and 1, 3 are expected to be 2 each: chi^2 = 4 / 2 = 2, sqrt(2 / 8) = 0.5.
    """
    table = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0].astype(np.float64)
    least = min(table.shape) - 1
    if least < 1:
        return math.nan
    rows = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / rows / least))
