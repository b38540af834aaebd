"""The simulations of `python -m bench checks`, with a few runs of each: far beyond a bar they fail here too."""

from __future__ import annotations

import pytest

from bench import checks


@pytest.mark.parametrize(("place", "rows"), [(4, 60), (4, 200), (5, 200), (2, 60)])
def test_no_worse_seldom_passes_at_the_margin(place: int, rows: int):
    runs = 400 if checks.PAIRS[place].metric == "accuracy" else 60
    assert checks.at_the_margin(place, rows, runs) <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_the_rows_that_are_named_are_enough():
    passed, named = checks.with_rows_named(4, 1000, 200)
    assert passed >= 0.75
    assert named > 1000


@pytest.mark.parametrize("kind", ["brier", "accuracy", "searched"])
def test_slices_raise_few_alarms_together(kind: str):
    assert checks.family(kind, 500, 60) <= 0.1


def test_calibration_and_fairness_are_wrong_as_rarely_as_they_say():
    assert checks.calibrated(300, 60) <= 0.1
    assert checks.fair(500, 400) <= 0.08
