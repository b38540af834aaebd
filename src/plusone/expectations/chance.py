"""What rows that are drawn anew differ in by chance alone: values beyond all that was there, words that were not."""

from __future__ import annotations

__all__ = ["is_beyond_chance"]


def is_beyond_chance(rows: int, now: int, before: int, *, alpha: float, sides: int = 1) -> bool:
    """Return whether so many of `now` rows can't lie beyond all `before` rows if both were drawn alike.

    The extreme `rows` of all are of one table with a chance of at most r^rows, where r = now / (now + before) (the law
    of exceedances: Gumbel & von Schelling 1950, equation 2, which is below that). With two sides, above and below
    together, it is r^rows * (1 + rows * (1 - r)).

    By hand: of two tables of 100 rows, 3 of one lie above all of the other with 0.5^3 = 0.125, and 10 with 0.001.

    Args:
        rows: how many rows of now are beyond: 0 is never more than chance.
        alpha: the share of false alarms, 0 to 1.
        sides: 1 or 2.
    """
    if not rows:
        return False
    share = now / (now + before)
    return share**rows * (1 + (rows * (1 - share) if sides == 2 else 0)) < alpha
