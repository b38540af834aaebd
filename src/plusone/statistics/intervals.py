"""Intervals for what was counted."""

from __future__ import annotations

import math
from statistics import NormalDist

from ..base.errors import UsageError

__all__ = ["wilson"]


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion: Wilson (1927), JASA 22; Brown, Cai & DasGupta (2001), equation 4.

    By hand: 0 of 10 at 95 %: z^2 = 3.8415, so low = 0 and high = 3.8415 / (10 + 3.8415) = 0.2775.

    Raises:
        UsageError: when 0 <= successes <= trials, trials >= 1 and 0 < confidence < 1 do not hold.
    """
    if not (0 <= successes <= trials and trials >= 1 and 0 < confidence < 1):
        raise UsageError(
            f"No interval for {successes} of {trials} at confidence {confidence}: expected 0 <= successes <= trials, "
            "at least 1 trial, and a confidence between 0 and 1."
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # The ends are exact where the formula only rounds to them.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high
