"""Chance of rows beyond all others: the bound by hand, and held against tables that are drawn."""

from __future__ import annotations

import numpy as np

from plusone.expectations.chance import is_beyond_chance


def test_by_hand():
    assert not is_beyond_chance(0, 100, 100, alpha=0.5)
    assert not is_beyond_chance(3, 100, 100, alpha=0.125)
    assert is_beyond_chance(3, 100, 100, alpha=0.126)
    # Two sides: 0.5^3 * (1 + 3 * 0.5) = 0.3125.
    assert not is_beyond_chance(3, 100, 100, alpha=0.3125, sides=2)
    assert is_beyond_chance(3, 100, 100, alpha=0.3126, sides=2)


def test_false_alarms_of_tables_that_are_drawn_alike_are_no_more_than_alpha():
    rng = np.random.default_rng(0)
    rounds, alpha = 4000, 0.05
    for now, before in ((50, 50), (200, 50), (50, 400)):
        rows = rng.lognormal(size=(rounds, now + before))
        ours, theirs = rows[:, :now], rows[:, now:]
        above = (ours > theirs.max(axis=1, keepdims=True)).sum(axis=1)
        below = (ours < theirs.min(axis=1, keepdims=True)).sum(axis=1)
        for sides, beyond in ((1, above), (2, above + below)):
            alarms = np.mean([is_beyond_chance(int(k), now, before, alpha=alpha, sides=sides) for k in beyond])
            # 4,000 rounds: three deviations of a share of 0.05 are 0.0103.
            assert alarms <= alpha + 0.0103
