from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from plusone.statistics.calibration import bins_of, calibration_error


def test_by_hand():
    said, seen = np.full(100, 0.5), np.repeat([1.0, 0.0], [80, 20])
    found = calibration_error(said, seen)
    assert found.value == pytest.approx(0.2973, abs=1e-3)
    assert found.low < 0.2973 < found.high
    bins = bins_of(np.full(20, 0.25), np.repeat([1.0, 0.0], [5, 15]))
    assert (bins.rows.tolist(), bins.seen.tolist()) == ([20], [0.25])
    assert bins.error[0] == pytest.approx(0.0950, abs=1e-4)


def test_bins_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    said = generator.random(1000)
    seen = (generator.random(1000) < said).astype(float)
    share, mean = calibration_curve(seen, said, n_bins=10, strategy="quantile")
    bins = bins_of(said, seen)
    assert bins.rows.sum() == 1000
    assert bins.said == pytest.approx(mean, abs=0.002)
    assert bins.seen == pytest.approx(share, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("off", [0.0, 0.08])
@pytest.mark.parametrize("rows", [100, 1000])
def test_the_interval_is_wrong_as_rarely_as_it_says(off: float, rows: int):
    generator = np.random.default_rng(rows)
    wrong = {"above": 0, "below": 0}
    for _ in range(120):
        true = generator.beta(2, 3, rows) * (1 - off)
        found = calibration_error(true + off, (generator.random(rows) < true).astype(float))
        wrong["above"] += found.low > off
        wrong["below"] += found.high < off
    # 2.5 % on each side: 120 runs have a standard deviation of 1.4 %
    assert max(wrong.values()) <= 0.06 * 120


def test_probabilities_that_are_all_alike_and_rows_that_are_few():
    assert calibration_error(np.array([0.5, 0.5]), np.array([0.0, 1.0])).value == 0
    ends = calibration_error(np.zeros(30), np.zeros(30))
    assert ends.value == ends.low == 0
    assert 0 < ends.high < 0.2


def test_a_confidence_that_asks_for_rare_draws_has_enough_of_them():
    generator = np.random.default_rng(4)
    said = generator.random(400)
    seen = (generator.random(400) < said * 0.8).astype(float)
    widths = [calibration_error(said, seen, confidence=level) for level in (0.95, 0.999, 0.9999)]
    assert widths[0].low > widths[1].low > widths[2].low
    assert widths[0].high < widths[1].high < widths[2].high


def test_the_error_is_that_of_a_loop_over_the_bins():
    generator = np.random.default_rng(5)
    said = generator.integers(0, 40, 700) / 40
    seen = (generator.random(700) < said**2).astype(float)
    edges, total = np.quantile(said, np.arange(1, 10) / 10, method="lower"), 0.0
    for place in np.unique(np.digitize(said, edges, right=True)):
        inside = np.digitize(said, edges, right=True) == place
        n, hits = inside.sum(), seen[inside].sum()
        share = (hits + 1) / (n + 2)
        total += n / 700 * ((hits / n - said[inside].mean()) ** 2 - share * (1 - share) / (n + 2))
    assert calibration_error(said, seen).value == pytest.approx(np.sqrt(total))
