"""Comparisons of models that answer a label for each of several targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.svm import LinearSVC

from plusone import check
from plusone.base.errors import UsageError
from plusone.base.records import Output
from plusone.measuring.outcomes import CheckFailed, recording
from plusone.measuring.rows import Rows, choose
from plusone.measuring.several import of_all, of_target
from plusone.predictor import Predictor
from plusone.statistics import metrics
from tests.packaged import package

__all__ = ["package"]

Package = Callable[..., Predictor]
TARGETS = ("late", "gate")
OUTPUT = Output(
    name="late,gate",
    kind="labels",
    classes=("no", "yes", "A", "B", "C"),
    probabilities=True,
    names=TARGETS,
    width=2,
    sizes=(2, 3),
)


@pytest.fixture
def data() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.normal(size=(400, 2)), columns=["x", "z"])
    noise = generator.normal(size=(2, 400)) * 0.5
    frame["late"] = np.where(frame["x"] + noise[0] > 0, "yes", "no")
    frame["gate"] = np.select([frame["z"] + noise[1] > 0.6, frame["z"] + noise[1] > -0.4], ["C", "A"], "B")
    return frame


def forest(package: Package, data: pd.DataFrame, targets: tuple[str, ...] = TARGETS, depth: int = 4) -> Predictor:
    model = RandomForestClassifier(10, max_depth=depth, random_state=0).fit(data[["x", "z"]], data[list(targets)])
    return package(model, data, target=targets, features=["x", "z"])


def test_accuracy_counts_rows_that_are_right_altogether_and_others_are_means_by_hand() -> None:
    truth = np.array([[0, 0], [1, 2]])
    codes = np.array([[0, 1], [1, 2]])
    accuracy = metrics.find("accuracy")
    assert metrics.value(of_all(accuracy, OUTPUT), truth, codes) == 0.5
    assert metrics.row_losses(of_all(accuracy, OUTPUT), truth, codes).tolist() == [1.0, 0.0]
    assert metrics.value(of_target(accuracy, OUTPUT, 0), truth, codes) == 1.0
    shares = np.array([[0.8, 0.2, 0.5, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0, 1.0]])
    expected = -np.mean([np.mean(np.log([0.8, 0.5])), np.mean(np.log([0.5, 1.0]))])
    assert metrics.value(of_all(metrics.find("log_loss"), OUTPUT), truth, shares) == pytest.approx(expected)


def test_metrics_are_those_of_scikit_learn_target_by_target(package: Package, data: pd.DataFrame) -> None:
    model = forest(package, data)
    with recording() as measured:
        for metric in ("accuracy", "f1", "log_loss", "roc_auc:late", "accuracy:gate"):
            check.at_least(model, data, metric=metric, value=0.9 if metric == "log_loss" else 0.1)
    found = {one["metric"]: one for one in measured}
    labels, shares = model.predict(data), model.predict_proba(data)
    truth = data[list(TARGETS)].to_numpy()
    assert found["accuracy"]["candidate"] == pytest.approx((labels == truth).all(axis=1).mean())
    assert found["accuracy:gate"]["candidate"] == pytest.approx((labels == truth)[:, 1].mean())
    losses = [
        sklearn_metrics.log_loss(data["late"], shares[:, :2]),
        sklearn_metrics.log_loss(data["gate"], shares[:, 2:]),
    ]
    assert found["log_loss"]["candidate"] == pytest.approx(np.mean(losses))
    assert found["log_loss"]["candidate_by_target"] == pytest.approx(dict(zip(TARGETS, losses, strict=True)))
    area = sklearn_metrics.roc_auc_score(data["late"] == "yes", shares[:, 1])
    assert found["roc_auc:late"]["candidate"] == pytest.approx(area)
    assert found["roc_auc:late"]["figure"]["x"] == "false positive rate"
    assert found["accuracy"]["figure"]["names"] == ["late", "gate", "all"]
    right = [*(labels == truth).mean(axis=0), (labels == truth).all(axis=1).mean()]
    assert found["accuracy"]["figure"]["series"][0]["shares"] == pytest.approx(right)


def test_targets_and_classes_in_another_order_are_the_same_model(package: Package, data: pd.DataFrame) -> None:
    model, turned = forest(package, data), forest(package, data, ("gate", "late"))
    for metric in ("accuracy", "brier"):
        rows = Rows(data, model.signature.output, choose(model.signature.output, metric))
        ours, theirs = rows.answer(model, "the candidate"), rows.answer(turned, "live")
        assert ours.shape == theirs.shape
        assert np.mean(ours != theirs) < 0.6 if metric == "accuracy" else np.abs(ours - theirs).max() < 0.7
    weak = forest(package, data, ("gate", "late"), depth=1)
    with recording() as measured:
        check.no_worse(model, weak, data, metric="brier", margin=0.0)
    assert set(measured[0]["live_by_target"]) == set(TARGETS)
    assert measured[0]["live_by_target"]["gate"] > measured[0]["candidate_by_target"]["gate"]
    with pytest.raises(CheckFailed):
        check.no_worse(weak, model, data, metric="accuracy", margin=0.05)


def test_what_can_not_be_judged_is_refused(package: Package, data: pd.DataFrame) -> None:
    model = forest(package, data)
    for metric, says in {
        "roc_auc": "roc_auc is for two classes, and the model has 3",
        "roc_auc:gate": "roc_auc:gate is for two classes",
        "rmse": "answers classes, and rmse is not made",
        "accuracy:rain": r"asks for the target 'rain'.*accuracy:late, accuracy:gate",
    }.items():
        with pytest.raises(UsageError, match=says):
            check.at_least(model, data, metric=metric, value=0.1)
    with pytest.raises(
        UsageError, match=r"target 'gate' holds 'D', which the model can't answer. Its classes: 'A', 'B', 'C'"
    ):
        check.at_least(model, data.assign(gate="D"), metric="accuracy", value=0.1)
    with pytest.raises(UsageError, match="no column 'gate'"):
        check.at_least(model, data.drop(columns="gate"), metric="accuracy", value=0.1)
    with pytest.raises(UsageError, match="labels of several targets"):
        check.fair(model, data, group="late", at_most=0.1)
    with pytest.raises(UsageError, match="no probabilities of one target"):
        check.calibrated(model, data, at_most=0.1)
    labels = MultiOutputClassifier(LinearSVC()).fit(data[["x", "z"]], data[list(TARGETS)])
    with pytest.raises(UsageError, match="brier needs probabilities"):
        check.at_least(package(labels, data, target=TARGETS, features=["x", "z"]), data, metric="brier", value=0.3)


def test_the_simplest_models_are_one_for_each_target(package: Package, data: pd.DataFrame) -> None:
    model = forest(package, data)
    output = model.signature.output
    rows = Rows(data, output, choose(output, "brier"))
    found = rows.baselines(data, model.signature.fields)
    assert found["constant"].shape == found["linear"].shape == (400, 5)
    shares = [(data["late"] == "yes").mean(), (data["gate"] == "A").mean()]
    assert found["constant"][7, [1, 2]] == pytest.approx(shares)
    right = Rows(data, output, choose(output, "accuracy")).baselines(data, model.signature.fields)["linear"]
    assert (right == found["linear"][:, [1, 4]]).shape == (400, 2)
    assert (right[:, 0] == (data["late"] == "yes")).mean() > 0.8
    check.simpler_is_not_better(model, data, train=data, margin=0.05)


def test_slices_count_rows_that_are_right_altogether(package: Package, data: pd.DataFrame) -> None:
    model = forest(package, data)
    frame = data.assign(part=np.where(np.arange(400) % 2, "odd", "even"))
    with recording() as measured:
        check.slices(model, frame, by=["part"], at_least=0.2, metric="accuracy")
    assert measured[0]["metric"] == "accuracy"


def test_behaviour_is_that_of_each_target(package: Package, data: pd.DataFrame) -> None:
    model = forest(package, data)
    cases: Any = [{"x": 2.0, "z": 2.0, "late": "yes", "gate": "C"}, {"x": -2.0, "z": -2.0, "late": "no", "gate": "B"}]
    check.minimum(model, cases)
    wrong = [{**cases[0], "gate": "A"}, cases[1]]
    with pytest.raises(CheckFailed, match=r"'gate': 'A'"):
        check.minimum(model, wrong)
    check.directional(model, data, lambda rows: rows.assign(x=rows["x"] + 9), "not down", of=("late", "yes"), by=0.2)
    with pytest.raises(UsageError, match=r"expected a target and its label, of the targets late, gate"):
        check.directional(model, data, lambda rows: rows.assign(x=rows["x"] + 9), "up", of="yes")
    check.invariant(model, data, lambda rows: rows.assign(x=rows["x"] + 1e-9), at_most=0.05)
    with recording() as measured, pytest.raises(CheckFailed):
        check.invariant(model, data, lambda rows: rows.assign(x=-rows["x"]), at_most=0.05)
    shown = next(iter(one["examples"][0] for one in measured if one.get("examples")))["answer_before"]
    assert set(shown) == set(TARGETS)
    assert set(shown["late"]) == {"label", "probability"}
