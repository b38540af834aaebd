from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from plusone.base.errors import UsageError
from plusone.statistics import metrics

# truth, answer and value as the docstring of each metric computes them by hand
BY_HAND: dict[str, tuple[list[Any], list[Any], float]] = {
    "roc_auc": ([1, 1, 0, 0], [[0.2, 0.8], [0.6, 0.4], [0.6, 0.4], [0.8, 0.2]], 0.875),
    "log_loss": ([0, 1], [[0.5, 0.5], [0.75, 0.25]], 1.0397),
    "brier": ([1, 0], [[0.2, 0.8], [0.6, 0.4]], 0.1),
    "accuracy": ([0, 0, 0, 1], [0, 0, 1, 1], 0.75),
    "balanced_accuracy": ([0, 0, 0, 1], [0, 0, 1, 1], 0.8333),
    "f1": ([0, 0, 0, 1], [0, 0, 1, 1], 0.6667),
    "rmse": ([0, 0, 0], [1, 2, 2], 1.7321),
    "mae": ([0, 0, 0], [1, -2, 2], 1.6667),
    "r2": ([1, 2, 3], [1, 2, 4], 0.5),
    "hit_rate": ([2, 1, 1], [[1, 0, 1], [0, 0, 0], [0, 1, 0]], 0.6667),
    "ndcg": ([2], [[0, 1, 0]], 0.3869),
    "map": ([2], [[1, 0, 1]], 0.8333),
}
NEEDS_ONE_ITEM = {"hit_rate", "ndcg", "map"}
"""Of rankings scikit-learn has no such metrics, or other ones."""


@pytest.mark.parametrize("name", sorted(metrics.METRICS))
def test_value_is_the_one_computed_by_hand(name: str):
    truth, answer, expected = BY_HAND[name]
    assert metrics.value(metrics.find(name), np.array(truth), np.array(answer)) == pytest.approx(expected, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 30), width=st.integers(2, 6), at=st.integers(1, 6))
def test_ndcg_of_rankings_is_that_of_scikit_learn(seed: int, rows: int, width: int, at: int):
    generator = np.random.default_rng(seed)
    right = generator.random((rows, width)) < 0.4
    right[:, -1] |= ~right.any(axis=1)  # each row has a right item, perhaps beyond what is looked at
    scores = np.tile(np.arange(width, 0.0, -1.0), (rows, 1))
    got = metrics.value(metrics.find(f"ndcg@{at}"), right.sum(axis=1), right)
    assert got == pytest.approx(reference.ndcg_score(right.astype(float), scores, k=at), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hit_rate@1", 0.5), ("hit_rate@2", 1.0), ("map@1", 0.5), ("map@2", 0.5), ("map@3", (1 + 2 / 3) / 4 + 0.25)],
)
def test_only_the_first_k_items_count(name: str, expected: float):
    truth, answer = np.array([2, 1]), np.array([[1, 0, 1], [0, 1, 0]], dtype=bool)
    assert metrics.value(metrics.find(name), truth, answer) == pytest.approx(expected)
    weights = np.array([[1.0, 0.0], [0.0, 1.0]])  # each row alone
    assert metrics.find(name).prepare(truth, answer)(weights).mean() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["ndcg@", "ndcg@0", "ndcg@-1", "ndcg@x", "ndcg@٣", "rmse@5", "@5", "ndcg@5@5"])
def test_a_count_of_items_that_is_none_is_refused(name: str):
    with pytest.raises(UsageError, match="ndcg"):
        metrics.find(name)


def test_several_targets_are_averaged_by_hand():
    truth, answer = np.zeros((2, 2)), np.array([[1.0, 3.0], [-1.0, -3.0]])
    assert metrics.value(metrics.averaged(metrics.find("mae"), metrics.columns(2)), truth, answer) == 2.0


def probabilities(generator: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    raw = generator.integers(1, 6, size=(rows, classes)).astype(float)  # few values: many ties
    return raw / raw.sum(axis=1, keepdims=True)


def scikit(name: str, truth: Any, answer: Any, weights: Any, classes: int) -> float:
    w = {"sample_weight": weights}
    labels = list(range(classes))
    if name == "roc_auc":
        return float(reference.roc_auc_score(truth, answer[:, 1], **w))
    if name == "brier":
        return float(reference.brier_score_loss(truth, answer[:, 1], **w)) if classes == 2 else np.nan
    if name == "log_loss":
        return float(reference.log_loss(truth, answer, labels=labels, **w))
    if name == "f1":
        return float(reference.f1_score(truth, answer, average="binary" if classes == 2 else "macro", **w))
    function = {
        "accuracy": reference.accuracy_score,
        "balanced_accuracy": reference.balanced_accuracy_score,
        "rmse": reference.root_mean_squared_error,
        "mae": reference.mean_absolute_error,
        "r2": reference.r2_score,
    }[name]
    return float(function(truth, answer, **w))


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(metrics.METRICS.keys() - NEEDS_ONE_ITEM)),
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(12, 80),
    classes=st.integers(2, 4),
)
def test_weighted_values_equal_those_of_scikit_learn(name: str, seed: int, rows: int, classes: int):
    generator = np.random.default_rng(seed)
    metric = metrics.find(name)
    classes = 2 if metric.binary_only or name == "brier" else classes
    truth = np.concatenate([np.arange(classes), generator.integers(0, classes, size=rows)])
    if metric.needs == "probabilities":
        answer = probabilities(generator, len(truth), classes)
    else:
        answer = generator.integers(0, classes, size=len(truth))
    weights = generator.integers(1, 4, size=(3, len(truth))).astype(float)
    got = metric.prepare(truth, answer)(weights)
    expected = [scikit(name, truth, answer, one, classes) for one in weights]
    assert got == pytest.approx(expected, abs=1e-9)


def test_brier_of_three_classes_is_the_sum_over_classes():
    # by hand: (1-.6)^2 + .3^2 + .1^2 = .26; (1-.2)^2 + .5^2 + .3^2 = .98
    answer = np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.3]])
    assert metrics.value(metrics.find("brier"), np.array([0, 1]), answer) == pytest.approx(0.62)


@pytest.mark.parametrize("name", ["roc_auc", "r2"])
def test_a_resample_of_one_class_or_one_value_has_no_value(name: str):
    truth = np.array([0, 1, 1])
    answer = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]]) if name == "roc_auc" else np.array([0.1, 0.9, 1.0])
    values = metrics.find(name).prepare(truth, answer)(np.array([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]]))
    assert np.isnan(values[0])
    assert np.isfinite(values[1])


def test_balanced_accuracy_leaves_out_a_class_that_a_resample_lost():
    values = metrics.find("balanced_accuracy").prepare(np.array([0, 0, 1]), np.array([0, 1, 1]))(
        np.array([[1.0, 1.0, 0.0]])
    )
    assert values == pytest.approx([0.5])


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(
        UsageError,
        match=r"'auc'.*accuracy, balanced_accuracy, brier, f1, hit_rate@k, log_loss, mae, map@k, ndcg@k, r2, rmse, roc",
    ):
        metrics.find("auc")


def test_f1_leaves_out_a_class_that_a_resample_lost():
    # Of class 2 neither a row nor an answer is in the first resample: the mean is over 0 and 1.
    statistic = metrics.find("f1").prepare(np.array([0, 1, 2]), np.array([0, 1, 2]))
    values = statistic(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))
    assert values == pytest.approx([1.0, 1.0])


def ranked_by_loops(right: np.ndarray, many: int) -> tuple[float, float]:
    """Whether a row has a hit, and its average precision, item by item."""
    hits, total = 0, 0.0
    for place, one in enumerate(right.tolist(), 1):
        if one:
            hits += 1
            total += hits / place
    return float(hits > 0), total / min(many, len(right))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 20), width=st.integers(1, 8))
def test_hit_rate_and_map_are_those_of_loops_and_of_scikit_learn(seed: int, rows: int, width: int):
    generator = np.random.default_rng(seed)
    right = generator.random((rows, width)) < 0.3
    many = right.sum(axis=1) + generator.integers(0, 3, rows)
    many = np.maximum(many, 1)
    expected = np.array([ranked_by_loops(one, count) for one, count in zip(right, many, strict=True)])
    for name, column in (("hit_rate", 0), ("map", 1)):
        assert metrics.value(metrics.find(name), many, right) == pytest.approx(expected[:, column].mean())
    whole = right[right.any(axis=1)]
    if len(whole):  # all right items are in the ranking: scikit-learn's average precision of labels
        scores = np.tile(np.arange(width, 0.0, -1.0), (len(whole), 1))
        theirs = reference.label_ranking_average_precision_score(whole, scores) if width > 1 else 1.0
        assert metrics.value(metrics.find("map"), whole.sum(axis=1), whole) == pytest.approx(theirs)


def test_what_a_row_loses_by_hand():
    assert metrics.row_losses(metrics.find("accuracy"), np.array([0, 1]), np.array([0, 0])).tolist() == [0, 1]
    assert metrics.row_losses(metrics.find("mae"), np.array([1.0, 2.0]), np.array([4.0, 2.0])).tolist() == [3, 0]
    with pytest.raises(UsageError, match="roc_auc has no value for a single row"):
        metrics.row_losses(metrics.find("roc_auc"), np.array([0, 1]), np.array([0.1, 0.2]))


def test_one_of_several_targets_is_the_metric_of_it():
    truth, answer = np.zeros((2, 2)), np.array([[1.0, 3.0], [-1.0, -3.0]])
    second = metrics.viewed(metrics.find("mae"), lambda truth, answer: (truth[:, 1], answer[:, 1]))
    assert metrics.value(second, truth, answer) == 3.0
    assert metrics.row_losses(second, truth, answer).tolist() == [3, 3]
