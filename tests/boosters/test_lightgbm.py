"""LightGBM's models, of both APIs, against their compiled selves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets as sklearn_datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone.base.errors import Incompatible
from plusone.boosters.lightgbm import open_lightgbm, write_lightgbm
from plusone.formats.finishing import compile_with
from plusone.graphs.layout import Block, Columns
from plusone.graphs.runner import OnnxRunner
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
datasets: Any = sklearn_datasets
lgb: Any = lightgbm
QUIET = {"verbose": -1, "n_jobs": 1, "n_estimators": 12, "min_child_samples": 5}
NATIVE = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}

REGRESSORS: dict[str, dict[str, Any]] = {
    "squared": {},
    "absolute": {"objective": "regression_l1"},
    "huber": {"objective": "huber"},
    "quantile": {"objective": "quantile", "alpha": 0.8},
    "poisson": {"objective": "poisson"},
    "gamma": {"objective": "gamma"},
    "tweedie": {"objective": "tweedie"},
    "mape": {"objective": "mape"},
    "square root": {"reg_sqrt": True},
    "dart": {"boosting_type": "dart", "drop_rate": 0.5},
    "forest": {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "goss": {"data_sample_strategy": "goss"},
}


def answers(write: Any, model: Any, matrix: Any, classes: tuple[Any, ...] = ()) -> Any:
    """What the compiled model answers to a matrix of numbers."""
    names = tuple(f"x{place}" for place in range(matrix.shape[1]))
    block = Block("numbers", "float64", names)

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    fields: Any = [Named(name) for name in names]
    compiled = compile_with(write, model, fields, (block,))
    runner = OnnxRunner(compiled.graph, compiled.output, classes)
    return runner.run(Columns(len(matrix), {"numbers": np.asarray(matrix, dtype=np.float64)}))


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str, package: Package) -> None:
    data: Any = datasets.load_diabetes(as_frame=True)["frame"]
    model = lgb.LGBMRegressor(**QUIET, **REGRESSORS[name]).fit(data.drop(columns="target"), data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(predictor.predict(data), model.predict(data.drop(columns="target")), rtol=1e-12)
    assert predictor.package.options["precision"] == "float64"


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
@pytest.mark.parametrize("matrix", [False, True], ids=["dataframe", "matrix"])
def test_several_classes(objective: str, matrix: bool, package: Package) -> None:
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    data["target"] = data["target"].map({0: "setosa", 1: "versicolor", 2: "virginica"})
    features = data.drop(columns="target")
    model = lgb.LGBMClassifier(**QUIET, objective=objective)
    model.fit(features.to_numpy() if matrix else features, data["target"])
    predictor = package(model, data)
    asked = features.to_numpy() if matrix else features
    np.testing.assert_allclose(predictor.predict_proba(data), model.predict_proba(asked), atol=1e-12)
    assert predictor.predict(data).tolist() == model.predict(asked).tolist()
    assert predictor.signature.output.classes == ("setosa", "versicolor", "virginica")


@pytest.mark.slow
def test_categories_missing_values_and_boolean_labels(flights: pd.DataFrame, package: Package) -> None:
    """Text, ordered text and numbers as categories, nulls among them; a request carries the values themselves."""
    data = flights.copy()
    data["month"] = data["month"].astype("category")
    for name in ("carrier", "dest", "tailnum"):
        data[name] = data[name].astype("category")
    data["origin"] = pd.Categorical(data["origin"], ordered=True)
    model = lgb.LGBMClassifier(**QUIET, min_data_per_group=3, cat_smooth=1, max_cat_to_onehot=2)
    model.fit(data.drop(columns="target"), data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(
        predictor.predict_proba(data), model.predict_proba(data.drop(columns="target")), atol=1e-12
    )
    assert predictor.signature.output.classes == (False, True)
    fields = {field.name: field for field in predictor.signature.fields}
    assert (fields["tailnum"].nullable, fields["dest"].unseen) == (True, "accept")
    assert {name for block in predictor.package.options["blocks"] for name in block.get("codes", {})} >= {"dest"}


def test_text_that_the_train_function_made_categories(flights: pd.DataFrame, package: Package) -> None:
    names = ["carrier", "origin", "dest"]
    features = flights.drop(columns=["target", "tailnum"])
    model = lgb.LGBMClassifier(**QUIET, min_data_per_group=3).fit(
        features.astype(dict.fromkeys(names, "category")), flights["target"]
    )
    predictor = package(model, flights.drop(columns="tailnum"))
    expected = model.predict_proba(features.astype(dict.fromkeys(names, "category")))
    np.testing.assert_allclose(predictor.predict_proba(flights), expected, atol=1e-12)


@pytest.mark.parametrize("params", [{}, {"zero_as_missing": True}, {"use_missing": False}], ids=str)
def test_what_is_missing(params: dict[str, Any]) -> None:
    """NaN, zeros, numbers next to zero and to thresholds, by each of LightGBM's three types of missing values."""
    random = np.random.default_rng(1)
    matrix = random.choice([np.nan, 0.0, -0.0, 1.0, -1.0, 2.5, 1e-36, -1e-36, 1e-30], (400, 3))
    truth = np.where(np.isnan(matrix[:, 0]), 3.0, matrix[:, 0]) + (matrix[:, 1] == 0) * 2 + random.normal(size=400)
    model = lgb.train({**NATIVE, **params, "objective": "regression"}, lgb.Dataset(matrix, truth), 20)
    np.testing.assert_allclose(answers(write_lightgbm, model, matrix).numbers, model.predict(matrix), rtol=1e-12)


def test_codes_of_categories_as_numbers_are_cut_not_rounded() -> None:
    random = np.random.default_rng(2)
    codes = random.integers(0, 40, (500, 1)).astype(float)
    truth = np.isin(codes[:, 0] % 7, (1, 4)) * 5.0 + random.normal(size=500)
    data = lgb.Dataset(codes, truth, categorical_feature=[0], params={"min_data_per_group": 1})
    model = lgb.train({**NATIVE, "cat_smooth": 1, "max_cat_to_onehot": 1}, data, 10)
    odd = np.array([[3.0], [3.99], [-0.5], [-1.0], [np.nan], [41.0], [1e6], [0.0], [39.0]])
    for matrix in (codes, odd):
        np.testing.assert_allclose(answers(write_lightgbm, model, matrix).numbers, model.predict(matrix), rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 15, 31]), st.booleans())
def test_values_at_the_thresholds(seed: int, leaves: int, zero: bool) -> None:
    """Thresholds themselves, and the numbers next to them, go the way that they go in LightGBM."""
    random = np.random.default_rng(seed)
    matrix = np.round(random.normal(size=(120, 3)), 2)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    params = {**NATIVE, "num_leaves": leaves, "zero_as_missing": zero}
    model = lgb.train(params, lgb.Dataset(matrix, random.normal(size=120)), 5)
    splits = model.trees_to_dataframe().query("threshold == threshold")
    edges: list[Any] = []
    for feature, threshold in zip(splits["split_feature"], splits["threshold"].astype(float), strict=True):
        for value in (np.nextafter(threshold, -np.inf), threshold, np.nextafter(threshold, np.inf)):
            row = matrix[0].copy()
            row[int(feature.removeprefix("Column_"))] = value
            edges.append(row)
    rows = np.array(edges) if edges else matrix
    np.testing.assert_allclose(answers(write_lightgbm, model, rows).numbers, model.predict(rows), rtol=1e-12)


def test_the_best_iteration_counts(package: Package) -> None:
    data: Any = datasets.load_breast_cancer(as_frame=True)["frame"]
    features, target = data.drop(columns="target"), data["target"]
    model = lgb.LGBMClassifier(**{**QUIET, "n_estimators": 200, "learning_rate": 0.5})
    stop = lgb.early_stopping(3, verbose=False)
    model.fit(features[:400], target[:400], eval_X=features[400:], eval_y=target[400:], callbacks=[stop])
    assert 0 < model.best_iteration_ < 200
    np.testing.assert_allclose(package(model, data).predict_proba(data), model.predict_proba(features), atol=1e-12)


@pytest.mark.parametrize("objective", ["binary", "multiclass", "regression", "cross_entropy", "cross_entropy_lambda"])
def test_boosters(objective: str, package: Package) -> None:
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    data = data if objective == "multiclass" else data[data["target"] < 2].reset_index(drop=True)
    params = {**NATIVE, "objective": objective, "num_class": 3 if objective == "multiclass" else 1}
    features = data.drop(columns="target")
    model = lgb.train(params, lgb.Dataset(features, data["target"]), 6)
    predictor = package(model, data)
    expected = model.predict(features)
    if objective == "binary":
        np.testing.assert_allclose(predictor.predict_proba(data)[:, 1], expected, rtol=1e-12)
    elif objective == "multiclass":
        np.testing.assert_allclose(predictor.predict_proba(data), expected, rtol=1e-12)
        assert predictor.predict(data).tolist() == expected.argmax(axis=1).tolist()
    else:
        np.testing.assert_allclose(predictor.predict(data), expected, rtol=1e-12)


def test_an_objective_of_ones_own(package: Package) -> None:
    data: Any = datasets.load_diabetes(as_frame=True)["frame"]

    def squared(truth: Any, answer: Any) -> tuple[Any, Any]:
        return answer - truth, np.ones_like(truth)

    features = data.drop(columns="target")
    model = lgb.LGBMRegressor(**QUIET, objective=squared).fit(features, data["target"])
    np.testing.assert_allclose(package(model, data).predict(data), model.predict(features), rtol=1e-12)


@pytest.mark.slow
def test_in_a_pipeline_and_in_a_calibrated_classifier(flights: pd.DataFrame, package: Package) -> None:
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["carrier", "dest"]), remainder="passthrough"
    )
    data = flights.drop(columns=["origin", "tailnum"])
    pipeline = make_pipeline(encode, lgb.LGBMClassifier(**QUIET)).fit(data.drop(columns="target"), data["target"])
    calibrated = CalibratedClassifierCV(lgb.LGBMClassifier(**QUIET), cv=2)
    numbers = flights[["month", "hour", "distance", "gust", "target"]]
    calibrated.fit(numbers.drop(columns="target"), numbers["target"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LightGBM got no names from the encoder, and says so
        expected = pipeline.predict_proba(data.drop(columns="target"))
        alike = calibrated.predict_proba(numbers.drop(columns="target"))
    np.testing.assert_allclose(package(pipeline, data).predict_proba(data), expected, atol=1e-12)
    np.testing.assert_allclose(package(calibrated, numbers).predict_proba(numbers), alike, atol=1e-12)


def test_what_can_not_be_compiled_says_why(package: Package) -> None:
    data: Any = datasets.load_breast_cancer(as_frame=True)["frame"].iloc[:, -4:]
    features = data.drop(columns="target")
    linear = lgb.LGBMRegressor(**QUIET, linear_tree=True).fit(features, data["target"].astype(float))
    with pytest.raises(Incompatible, match="linear_tree"):
        package(linear, data)
    with pytest.raises(Incompatible, match="is not fitted"):
        package(lgb.LGBMClassifier(), data)
    booster = lgb.train({**NATIVE, "objective": "binary"}, lgb.Dataset(features, data["target"]), 3)
    with pytest.raises(Incompatible, match="does not say which is which"):
        package(booster, data.assign(target=data["target"].map({0: "bad", 1: "good"})))
    own = lgb.LGBMClassifier(**QUIET, objective=lambda truth, raw: (raw - truth, np.ones_like(truth)))
    with pytest.raises(Incompatible, match="objective of model is a function"):
        package(own.fit(features, data["target"]), data)


def test_a_booster_that_kept_its_booleans(package: Package) -> None:
    data: Any = datasets.load_breast_cancer(as_frame=True)["frame"].iloc[:, -4:]
    data["target"] = data["target"] == 1
    dataset = lgb.Dataset(data.drop(columns="target"), data["target"].astype(int))
    asked = open_lightgbm(lgb.train({**NATIVE, "objective": "binary"}, dataset, 3), (False, True))
    assert asked.classes_.tolist() == [False, True]
    assert asked.predict(data.drop(columns="target")).dtype == np.bool_
