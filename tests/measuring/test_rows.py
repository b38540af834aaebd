"""Comparisons of models that answer several numbers, or rankings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import plusone
from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, recording
from plusone.predictor import Predictor
from tests.packaged import package

__all__ = ["package"]

Package = Callable[..., Predictor]
ITEMS = [1, 2, 3, 4]


@pytest.fixture
def data() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.normal(size=(400, 2)), columns=["x", "z"])
    frame["a"] = frame["x"] + generator.normal(size=400) * 0.1
    frame["b"] = 10 * frame["z"] + generator.normal(size=400)
    return frame


def vectors(package: Package, data: pd.DataFrame, targets: tuple[str, ...] = ("a", "b"), off: float = 0.0) -> Predictor:
    model = LinearRegression().fit(data[["x", "z"]], data[list(targets)] + off)
    return package(model, data, target=targets, features=["x", "z"])


def test_several_targets_are_judged_by_their_mean_and_each_is_measured(package: Package, data: pd.DataFrame) -> None:
    good, bad = vectors(package, data), vectors(package, data, off=1.0)
    with recording() as measured:
        check.no_worse(good, bad, data, metric="rmse", margin=0.0)
    with pytest.raises(CheckFailed):
        check.no_worse(bad, good, data, metric="mae", margin=0.1)
    one = measured[0]
    by_target = one["candidate_by_target"]
    assert by_target["a"] == pytest.approx(0.1, abs=0.02)
    assert by_target["b"] == pytest.approx(1.0, abs=0.2)
    assert one["candidate"] == pytest.approx(np.mean(list(by_target.values())))
    assert set(one["live_by_target"]) == {"a", "b"}
    assert one["prediction_shift"] > 0


def test_one_target_can_be_asked_for(package: Package, data: pd.DataFrame) -> None:
    model = vectors(package, data)
    with recording() as measured:
        check.at_least(model, data, metric="rmse:a", value=0.15)
        check.at_least(model, data, metric="r2", value=0.9)
    assert measured[0]["candidate"] == pytest.approx(0.1, abs=0.02)
    assert "candidate_by_target" not in measured[0]
    assert set(measured[1]["candidate_by_target"]) == {"a", "b"}
    with pytest.raises(UsageError, match=r"rmse:c asks for the target 'c'.*rmse:a, rmse:b"):
        check.at_least(model, data, metric="rmse:c", value=1)
    with pytest.raises(UsageError, match="answers numbers, and accuracy is not made"):
        check.at_least(model, data, metric="accuracy", value=1)


def test_targets_in_another_order_are_the_same_and_others_are_refused(package: Package, data: pd.DataFrame) -> None:
    model, turned = vectors(package, data), vectors(package, data, ("b", "a"))
    with recording() as measured:
        check.no_worse(model, turned, data, metric="rmse", margin=0.0)
    assert measured[0]["candidate"] == pytest.approx(measured[0]["live"])
    other = vectors(package, data.rename(columns={"b": "c"}), ("a", "c"))
    with pytest.raises(UsageError, match="answers a, c and the candidate a, b"):
        check.no_worse(model, other, data, metric="rmse", margin=0.0)
    with pytest.raises(UsageError, match="no column 'b'"):
        check.at_least(model, data.drop(columns="b"), metric="rmse", value=1)
    with pytest.raises(UsageError, match=r"'b' is 1\.0 in all 400 rows"):
        check.at_least(model, data.assign(b=1.0), metric="rmse", value=1)


def test_vectors_without_names_have_their_truth_in_lists(package: Package, data: pd.DataFrame) -> None:
    model = LinearRegression().fit(data[["x", "z"]], data[["a", "b"]])
    predictor = package(model, data, target=None, features=["x", "z"])
    truth = data.assign(answer=data[["a", "b"]].to_numpy().tolist())
    with recording() as measured:
        check.at_least(predictor, truth, metric="mae", value=2)
    assert "candidate_by_target" not in measured[0]
    with pytest.raises(UsageError, match=r"does not hold lists of 2 numbers"):
        check.at_least(predictor, truth.assign(answer=truth["answer"].str[:1]), metric="mae", value=2)


def recommender(package: Package, order: list[int], k: int = 2) -> Predictor:
    """Return a model that ranks the items in this order to everybody."""
    scores = np.array([[float(len(order) - order.index(item))] for item in ITEMS])
    made: Any = plusone.Recommender(range(50), ITEMS, np.ones((50, 1)), scores, k=k)
    return package(made, pd.DataFrame({"user": range(50), "item": 1}), target="item")


def test_rankings_are_judged_by_the_items_that_were_right(package: Package) -> None:
    good, bad = recommender(package, [1, 2, 3, 4]), recommender(package, [4, 3, 2, 1])
    truth = pd.DataFrame({"user": range(50), "item": [[1], [2, 4], [99]] * 16 + [[1], [1, 2]]})
    with recording() as measured:
        check.at_least(good, truth, metric="hit_rate@2", value=0.5)
        check.at_least(good, truth, metric="hit_rate@1", value=0.2)
        check.no_worse(good, bad, truth, metric="ndcg", margin=0.0)
    assert measured[0]["candidate"] == pytest.approx(34 / 50)
    assert measured[1]["candidate"] == pytest.approx(18 / 50)
    assert measured[2]["prediction_shift"] == 1.0
    with pytest.raises(CheckFailed):
        check.no_worse(bad, good, truth, metric="map@2", margin=0.01)
    single = pd.DataFrame({"user": range(50), "item": [1.0, 2.0] * 25})
    with recording() as measured:
        check.at_least(good, single, metric="map@2", value=0.6)
    assert measured[0]["candidate"] == pytest.approx(0.75)


def test_what_rankings_can_not_be_judged_by_is_refused(package: Package) -> None:
    model = recommender(package, [1, 2, 3, 4])
    truth = pd.DataFrame({"user": range(50), "item": [[1]] * 50})
    with pytest.raises(UsageError, match="ranks 2 items, and ndcg@3 counts 3"):
        check.at_least(model, truth, metric="ndcg@3", value=0.5)
    with pytest.raises(UsageError, match=r"answers rankings, and rmse is not made.*hit_rate, ndcg, map"):
        check.at_least(model, truth, metric="rmse", value=0.5)
    with pytest.raises(UsageError, match="no item, or a null, in row 0"):
        check.at_least(model, truth.assign(item=[[]] * 50), metric="ndcg", value=0.5)
    with pytest.raises(UsageError, match="no column 'item'"):
        check.at_least(model, truth.drop(columns="item"), metric="ndcg", value=0.5)
    with pytest.raises(UsageError, match="The live release ranks 1 items, and ndcg counts 2"):
        check.no_worse(model, recommender(package, [1, 2, 3, 4], k=1), truth, metric="ndcg", margin=0)
