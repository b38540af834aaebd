from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from scipy import stats

from plusone.base.errors import UsageError
from plusone.statistics import bootstrap, metrics


def classifier(generator: np.random.Generator, truth: np.ndarray, skill: float) -> np.ndarray:
    positive = 1 / (1 + np.exp(-(skill * truth + generator.normal(size=len(truth)))))
    return np.stack([1 - positive, positive], axis=1)


def test_the_interval_of_a_mean_covers_the_truth_at_about_its_nominal_rate():
    generator = np.random.default_rng(7)
    hits = 0
    for seed in range(200):
        errors = generator.exponential(size=120)
        statistic = metrics.find("mae").prepare(np.zeros(120), errors)
        found = bootstrap.interval(statistic, 120, confidence=0.9, resamples=300, seed=seed)
        hits += found.low <= 1.0 <= found.high
    # 200 trials at 0.9 have a standard deviation of 0.021; the percentile interval is a little short on skewed data
    assert 0.82 <= hits / 200 <= 0.96


def test_the_interval_of_a_paired_difference_covers_it_at_about_its_nominal_rate():
    generator = np.random.default_rng(11)
    auc = metrics.find("roc_auc")
    hits = 0
    for seed in range(150):
        truth = (generator.random(250) < 0.4).astype(int)
        shared = generator.normal(size=250)
        # Both score alike up to noise of the same size: the true difference is 0.
        ours, theirs = (truth + shared + 0.5 * generator.normal(size=250) for _ in range(2))
        found = bootstrap.paired_difference(
            auc.prepare(truth, ours), auc.prepare(truth, theirs), 250, confidence=0.9, resamples=200, seed=seed
        )
        hits += found.low <= 0.0 <= found.high
    assert 0.82 <= hits / 150 <= 0.97


def test_pairing_makes_the_interval_shorter_than_two_separate_ones():
    generator = np.random.default_rng(3)
    truth = (generator.random(500) < 0.3).astype(int)
    ours = classifier(generator, truth, 1.0)
    theirs = ours * 0.95 + 0.05 * classifier(generator, truth, 1.0)
    loss = metrics.find("log_loss")
    first, second = loss.prepare(truth, ours), loss.prepare(truth, theirs)
    paired = bootstrap.paired_difference(first, second, 500)
    alone = bootstrap.interval(first, 500)
    assert paired.high - paired.low < (alone.high - alone.low) / 2
    assert paired.low <= paired.value <= paired.high


def test_models_that_answer_alike_have_the_interval_zero_to_zero():
    truth = np.array([0, 1] * 20)
    statistic = metrics.find("accuracy").prepare(truth, np.roll(truth, 3))
    found = bootstrap.paired_difference(statistic, statistic, 40)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_same_seed_gives_the_same_interval_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch):
    truth = np.array([0, 1, 1] * 30)
    statistic = metrics.find("accuracy").prepare(truth, np.roll(truth, 1) * truth)
    first = bootstrap.interval(statistic, 90, seed=5)
    monkeypatch.setattr(bootstrap, "_CHUNK_VALUES", 700)
    assert bootstrap.interval(statistic, 90, seed=5) == first
    assert bootstrap.interval(statistic, 90, seed=6) != first


def test_the_weights_are_counts_of_draws_in_chunks_of_bounded_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, "_CHUNK_VALUES", 1000)
    chunks = list(bootstrap._weights(90, 100, 0))
    assert all(chunk.size <= 1000 for chunk in chunks)
    weights = np.concatenate(chunks)
    assert weights.shape == (100, 90)
    assert (weights.sum(axis=1) == 90).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(90), abs=0.6)


def test_a_class_with_one_row_is_too_few():
    truth = np.array([1] + [0] * 99)
    statistic = metrics.find("roc_auc").prepare(truth, np.linspace(0, 1, 100))
    with pytest.raises(UsageError, match="too few of a class"):
        bootstrap.interval(statistic, 100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": 1}, "1 row: expected at least 2"),
        ({"rows": 0}, "0 rows"),
        ({"confidence": 1.0}, "confidence = 1.0"),
        ({"confidence": float("nan")}, "confidence = nan"),
        ({"resamples": 99}, "resamples = 99"),
    ],
)
def test_arguments_out_of_range_are_refused(changed: dict, message: str):
    arguments: dict = {"rows": 2, "confidence": 0.95, "resamples": 1000, **changed}
    with pytest.raises(UsageError, match=message):
        bootstrap.check_arguments(**arguments)
    with pytest.raises(UsageError, match=message):
        bootstrap.interval(lambda weights: weights.sum(axis=1), arguments.pop("rows"), **arguments)


def test_30000_rows_and_1000_resamples_of_roc_auc_take_seconds():
    generator = np.random.default_rng(1)
    truth = (generator.random(30_000) < 0.25).astype(int)
    auc = metrics.find("roc_auc")
    started = time.process_time()
    found = bootstrap.paired_difference(
        auc.prepare(truth, classifier(generator, truth, 1.0)),
        auc.prepare(truth, classifier(generator, truth, 1.0)),
        30_000,
    )
    # About 1 s of processor time on the machine it was written on; the bound leaves room for slow ones.
    assert time.process_time() - started < 6.0
    assert found.low < found.value < found.high


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True])
def test_the_interval_is_about_that_of_scipys_bootstrap(paired: bool):
    generator = np.random.default_rng(12)
    first, second = generator.exponential(size=(2, 400))
    mae = metrics.find("mae")
    ours, theirs = (mae.prepare(np.zeros(400), one) for one in (first, second))
    if paired:
        found = bootstrap.paired_difference(ours, theirs, 400, resamples=20_000)
        data, statistic = (first, second), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis)
    else:
        found = bootstrap.interval(ours, 400, resamples=20_000)
        data, statistic = (first,), lambda a, axis: a.mean(axis=axis)
    # Its confidence is made the one that the tails of 400 rows are moved to.
    level = 1 - 2 * bootstrap.expanded(0.95, 400)
    options: dict[str, Any] = {
        "n_resamples": 20_000,
        "method": "percentile",
        "paired": paired,
        "rng": np.random.default_rng(1),
    }
    theirs = stats.bootstrap(data, statistic, confidence_level=level, **options)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)
    assert found.error == pytest.approx(theirs.standard_error, rel=0.03)


@pytest.mark.parametrize("rows", [3, 20, 400])
def test_the_share_that_is_left_out_is_that_of_students_interval(rows: int):
    wide = stats.t.ppf(0.975, rows - 1) * np.sqrt(rows / (rows - 1))
    assert bootstrap.expanded(0.95, rows) == pytest.approx(stats.norm.sf(wide), rel=1e-6)
