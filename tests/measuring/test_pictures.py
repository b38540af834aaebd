from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_curve

from plusone.base.records import Output
from plusone.measuring.pictures import calibration_points, draw
from plusone.statistics import metrics

RANDOM = np.random.default_rng(1)
TWO = Output(name="late", kind="classes", classes=(False, True), probabilities=True)
TRUTH = RANDOM.integers(0, 2, 3000)
SAID = np.round(np.clip(0.3 * TRUTH + 0.7 * RANDOM.random(3000), 0, 1), 3)
BOTH = np.stack([1 - SAID, SAID], axis=1)


def test_roc_is_that_of_scikit_learn_in_fewer_points():
    figure = draw(metrics.find("roc_auc"), TWO, TRUTH, {"candidate": BOTH, "live": BOTH[:, ::-1]})
    assert [one["name"] for one in figure["series"]] == ["candidate", "live"]
    line = figure["series"][0]
    assert len(line["x"]) <= 100
    x, y, _ = roc_curve(TRUTH, SAID, drop_intermediate=False)
    points = set(zip(x.round(9).tolist(), y.round(9).tolist(), strict=True))
    assert {(round(a, 9), round(b, 9)) for a, b in zip(line["x"], line["y"], strict=True)} <= points
    assert (line["x"][-1], line["y"][-1]) == (1, 1)


def test_the_confusion_is_that_of_scikit_learn():
    answer = (SAID > 0.5).astype(int)
    figure = draw(metrics.find("accuracy"), TWO, TRUTH, {"candidate": answer})
    assert figure["values"] == confusion_matrix(TRUTH, answer).tolist()
    many = Output(name="c", kind="classes", classes=tuple(range(50)))
    codes = RANDOM.integers(0, 50, 4000)
    assert len(draw(metrics.find("f1"), many, codes, {"candidate": codes})["values"]) == 20


@pytest.mark.parametrize(
    ("name", "truth", "answer"),
    [
        ("brier", TRUTH, BOTH),
        ("rmse", SAID, SAID + 1),
        ("mae", np.stack([SAID, SAID], axis=1), np.stack([SAID, SAID], axis=1)),
        ("ndcg", np.ones(3000), RANDOM.random((3000, 5)) < 0.2),
    ],
)
def test_every_metric_has_a_small_figure(name: str, truth: np.ndarray, answer: np.ndarray):
    figure = draw(metrics.find(name), TWO, truth, {"candidate": answer})
    assert figure["kind"] == "lines"
    assert len(json.dumps(figure)) < 10_000


def test_points_of_calibration_by_hand():
    said, seen = calibration_points(np.array([1, 0]), np.array([[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]]))
    assert (said.tolist(), seen.tolist()) == ([0.7, 0.6], [1, 0])


def test_equal_probabilities_are_one_point_of_the_calibration():
    """A model that always says the same has one point; bins that cut through it would show ten, each off by luck."""
    truth = np.arange(100) % 4 == 0
    answer = np.stack([np.full(100, 0.75), np.full(100, 0.25)], axis=1)
    output = Output(name="y", kind="classes", classes=(False, True), probabilities=True)
    figure = draw(metrics.find("brier"), output, truth.astype(int), {"candidate": answer})
    assert (figure["series"][0]["x"], figure["series"][0]["y"]) == ([0.25], [0.25])
