"""XGBoost's models, of both APIs, against their compiled selves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets as sklearn_datasets
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone.base.errors import Incompatible
from plusone.boosters.xgboost import open_xgboost, write_xgboost
from plusone.predictor import Predictor
from tests.boosters.test_lightgbm import answers

Package = Callable[..., Predictor]
datasets: Any = sklearn_datasets
xgb: Any = xgboost
QUIET = {"n_estimators": 12, "max_depth": 4, "n_jobs": 1}

REGRESSORS: dict[str, Any] = {
    "squared": xgb.XGBRegressor(**QUIET),
    "absolute": xgb.XGBRegressor(**QUIET, objective="reg:absoluteerror"),
    "pseudo huber": xgb.XGBRegressor(**QUIET, objective="reg:pseudohubererror"),
    "quantile": xgb.XGBRegressor(**QUIET, objective="reg:quantileerror", quantile_alpha=0.8),
    "poisson": xgb.XGBRegressor(**QUIET, objective="count:poisson"),
    "gamma": xgb.XGBRegressor(**QUIET, objective="reg:gamma"),
    "tweedie": xgb.XGBRegressor(**QUIET, objective="reg:tweedie"),
    "base score": xgb.XGBRegressor(**QUIET, objective="count:poisson", base_score=7.5),
    "dart": xgb.XGBRegressor(**QUIET, booster="dart", rate_drop=0.5),
    "linear": xgb.XGBRegressor(n_estimators=12, n_jobs=1, booster="gblinear"),
    "forest": xgb.XGBRFRegressor(n_estimators=12, n_jobs=1),
    "exact": xgb.XGBRegressor(**QUIET, tree_method="exact"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str, package: Package) -> None:
    data: Any = datasets.load_diabetes(as_frame=True)["frame"]
    features = data.drop(columns="target")
    model = REGRESSORS[name].fit(features, data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(predictor.predict(data), model.predict(features), rtol=2e-6)
    assert predictor.package.options["precision"] == "float64"


@pytest.mark.parametrize("kind", [xgb.XGBClassifier, xgb.XGBRFClassifier])
@pytest.mark.parametrize("matrix", [False, True], ids=["dataframe", "matrix"])
def test_several_classes(kind: Any, matrix: bool, package: Package) -> None:
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    features = data.drop(columns="target")
    model = kind(**QUIET).fit(features.to_numpy() if matrix else features, data["target"])
    predictor = package(model, data)
    asked = features.to_numpy() if matrix else features
    np.testing.assert_allclose(predictor.predict_proba(data), model.predict_proba(asked), atol=1e-6)
    assert predictor.predict(data).tolist() == model.predict(asked).tolist()
    assert predictor.signature.output.classes == (0, 1, 2)


def test_a_linear_booster_of_several_numbers(package: Package) -> None:
    features, truth = _columns()
    data = features.join(10 * truth + [1, -20, 40])
    model = xgb.XGBRegressor(n_estimators=12, n_jobs=1, booster="gblinear").fit(features, data[list(truth)])
    predictor = package(model, data, target=tuple(truth), features=["x", "y"])
    np.testing.assert_allclose(predictor.predict(data), model.predict(features), rtol=2e-6, atol=2e-5)


COLUMNS: dict[str, dict[str, Any]] = {
    "a tree for each": {},
    "trees of all": {"multi_strategy": "multi_output_tree", "tree_method": "hist"},
    "forest": {"kind": xgb.XGBRFClassifier},
    "dart": {"booster": "dart", "rate_drop": 0.5},
    "linear": {"booster": "gblinear", "kind": xgb.XGBClassifier},
    "hinge": {"objective": "binary:hinge"},
    "base score": {"base_score": 0.3},
}


def _columns() -> tuple[pd.DataFrame, pd.DataFrame]:
    generator = np.random.default_rng(0)
    x = pd.DataFrame(generator.normal(size=(300, 2)), columns=["x", "y"])
    x.loc[::17, "x"] = np.nan
    noise = generator.normal(size=300)
    rain = (x["x"] > 0.2).astype(int)
    return x, pd.DataFrame(
        {"rain": rain, "wind": (x["y"] + noise > 0).astype(int), "snow": (x["y"] < -0.3).astype(int)}
    )


@pytest.mark.parametrize("name", COLUMNS)
def test_a_classifier_of_several_columns_has_a_label_for_each(name: str, package: Package) -> None:
    features, truth = _columns()
    given = dict(COLUMNS[name])
    kind = given.pop("kind", xgb.XGBClassifier)
    model = kind(n_estimators=6, n_jobs=1, **given, **({} if name == "linear" else {"max_depth": 3}))
    model.fit(features, truth)
    data = features.join(truth)
    predictor = package(model, data, target=tuple(truth), features=["x", "y"])
    output = predictor.signature.output
    assert (output.kind, output.names, output.classes) == ("labels", tuple(truth), (0, 1) * 3)
    assert predictor.predict(data).tolist() == model.predict(features).astype(int).tolist()
    assert output.probabilities == (name != "hinge")
    if output.probabilities:
        expected = model.predict_proba(features)
        np.testing.assert_allclose(predictor.predict_proba(data)[:, 1::2], expected, atol=1e-6)
        np.testing.assert_allclose(predictor.predict_proba(data)[:, ::2], 1 - expected, atol=1e-6)


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:hinge"])
def test_a_booster_of_several_columns(objective: str, package: Package) -> None:
    features, truth = _columns()
    model = xgb.train({"objective": objective, "max_depth": 3}, xgb.DMatrix(features, label=truth), 6)
    data = features.join(truth)
    predictor = package(model, data, target=tuple(truth), features=["x", "y"])
    expected = model.predict(xgb.DMatrix(features))
    assert predictor.predict(data).tolist() == (expected > 0.5).astype(int).tolist()
    assert predictor.signature.output.kind == "labels"


def test_targets_that_are_not_its_columns_are_refused(package: Package) -> None:
    features, truth = _columns()
    model = xgb.XGBClassifier(n_estimators=3, max_depth=2).fit(features, truth)
    data = features.join(truth)
    with pytest.raises(Incompatible, match="answers 3 labels to each row, and the declared targets are: rain"):
        package(model, data, target="rain", features=["x", "y"])


def test_categories_missing_values_and_boolean_labels(flights: pd.DataFrame, package: Package) -> None:
    """Text and numbers as categories, nulls among them; a request carries the values themselves."""
    data = flights.copy()
    for name in ("carrier", "origin", "dest", "tailnum", "month"):
        data[name] = data[name].astype("category")
    model = xgb.XGBClassifier(**QUIET, enable_categorical=True, max_cat_to_onehot=2)
    model.fit(data.drop(columns="target"), data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(
        predictor.predict_proba(data), model.predict_proba(data.drop(columns="target")), atol=1e-6
    )
    assert predictor.signature.output.classes == (False, True)
    assert predictor.predict(data).dtype == np.bool_
    fields = {field.name: field for field in predictor.signature.fields}
    assert (fields["tailnum"].nullable, fields["dest"].unseen) == (True, "refuse")
    assert set(predictor.package.options["known_values"]["month"]) == set(map(float, range(1, 13)))


def test_text_that_the_train_function_made_categories(flights: pd.DataFrame, package: Package) -> None:
    names = ["carrier", "origin", "dest", "tailnum"]
    features = flights.drop(columns="target").astype(dict.fromkeys(names, "category"))
    data = xgb.DMatrix(features, flights["target"].astype(int), enable_categorical=True)
    model = xgb.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1}, data, 8)
    np.testing.assert_allclose(package(model, flights).predict_proba(flights)[:, 1], model.predict(data), atol=1e-6)


def test_a_category_that_xgboost_takes_for_another_is_refused() -> None:
    frame = pd.DataFrame({"x": pd.Categorical(["a", "c", "a", "c"] * 10)})
    model = xgb.XGBClassifier(**QUIET, enable_categorical=True).fit(frame, [0, 1, 0, 1] * 10)
    asked = open_xgboost(model, (0, 1))
    assert asked.predict(frame).tolist() == [0, 1, 0, 1] * 10
    with pytest.raises(ValueError, match="'b' of 'x' was not in the training data"):
        asked.predict(pd.DataFrame({"x": ["a", "b"]}))


@pytest.mark.parametrize("missing", [np.nan, 0.0, -999.0])
def test_what_is_missing(missing: float) -> None:
    random = np.random.default_rng(1)
    matrix = random.choice([np.nan, 0.0, -999.0, 1.0, -1.0, 2.5], (400, 3))
    truth = np.where(np.isnan(matrix[:, 0]), 3.0, matrix[:, 0]) + random.normal(size=400)
    model = xgb.XGBRegressor(**QUIET, missing=missing).fit(matrix, truth)
    np.testing.assert_allclose(answers(write_xgboost, model, matrix).numbers, model.predict(matrix), rtol=1e-5)


def test_codes_of_categories_as_numbers_are_cut_not_rounded() -> None:
    random = np.random.default_rng(2)
    codes = random.integers(0, 40, (500, 1)).astype(float)
    truth = np.isin(codes[:, 0] % 7, (1, 4)) * 5.0 + random.normal(size=500)
    data = xgb.DMatrix(codes, truth, feature_types=["c"], enable_categorical=True)
    model = xgb.train({"max_cat_to_onehot": 1, "nthread": 1}, data, 5)
    odd = np.array([[3.0], [3.99], [np.nan], [41.0], [1e6], [0.0], [39.0]])
    for matrix in (codes, odd):
        expected = model.predict(xgb.DMatrix(matrix, feature_types=["c"], enable_categorical=True))
        np.testing.assert_allclose(answers(write_xgboost, model, matrix).numbers, expected, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 6]))
def test_values_at_the_thresholds(seed: int, depth: int) -> None:
    """Thresholds, and the numbers next to them in 32 and in 64 bits, go the way that they go in XGBoost."""
    random = np.random.default_rng(seed)
    matrix = np.round(random.normal(size=(120, 3)), 2)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    model = xgb.XGBRegressor(n_estimators=5, max_depth=depth, n_jobs=1).fit(matrix, random.normal(size=120))
    splits = model.get_booster().trees_to_dataframe().query("Feature != 'Leaf'")
    edges: list[Any] = [matrix[0]]
    for feature, split in zip(splits["Feature"], splits["Split"], strict=True):
        single = np.float32(split)
        below, above = np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf))
        half = (float(below) + float(single)) / 2
        near = (below, single, above, half, np.nextafter(half, -np.inf), np.nextafter(half, np.inf))
        for value in near:
            row = matrix[0].copy()
            row[int(feature.removeprefix("f"))] = value
            edges.append(row)
    rows = np.array(edges)
    np.testing.assert_allclose(answers(write_xgboost, model, rows).numbers, model.predict(rows), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_best_iteration_counts_for_an_estimator(package: Package) -> None:
    data: Any = datasets.load_breast_cancer(as_frame=True)["frame"]
    features, target = data.drop(columns="target"), data["target"]
    model = xgb.XGBClassifier(n_estimators=200, learning_rate=0.5, early_stopping_rounds=3, n_jobs=1)
    model.fit(features[:400], target[:400], eval_set=[(features[400:], target[400:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    np.testing.assert_allclose(package(model, data).predict_proba(data), model.predict_proba(features), atol=1e-6)
    booster = model.get_booster()
    expected = booster.predict(xgb.DMatrix(features))
    np.testing.assert_allclose(package(booster, data).predict_proba(data)[:, 1], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    ["binary:logistic", "binary:hinge", "binary:logitraw", "multi:softmax", "multi:softprob", "reg:logistic"],
)
def test_boosters(objective: str, package: Package) -> None:
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    multi = objective.startswith("multi")
    data = data if multi else data[data["target"] < 2].reset_index(drop=True)
    params = {"objective": objective, "nthread": 1} | ({"num_class": 3} if multi else {})
    rows = xgb.DMatrix(data.drop(columns="target"), data["target"])
    model = xgb.train(params, rows, 6)
    predictor, expected = package(model, data), model.predict(rows)
    if objective in ("binary:logistic", "multi:softprob"):
        found = predictor.predict_proba(data)
        np.testing.assert_allclose(found if multi else found[:, 1], expected, atol=1e-6)
    else:
        np.testing.assert_allclose(predictor.predict(data).astype(float), expected, rtol=1e-5)
    assert predictor.signature.output.kind == (
        "number" if objective in ("binary:logitraw", "reg:logistic") else "classes"
    )


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets_are_a_vector(strategy: str) -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(300, 4))
    truth = np.column_stack([matrix[:, 0] * 3, matrix[:, 1] - matrix[:, 2], random.normal(size=300)])
    model = xgb.XGBRegressor(**QUIET, multi_strategy=strategy, tree_method="hist").fit(matrix, truth)
    answer = answers(write_xgboost, model, matrix)
    np.testing.assert_allclose(answer.numbers, model.predict(matrix), rtol=1e-4, atol=1e-5)
    quantiles = xgb.XGBRegressor(**QUIET, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]).fit(
        matrix, truth[:, 0]
    )
    np.testing.assert_allclose(answers(write_xgboost, quantiles, matrix).numbers, quantiles.predict(matrix), rtol=1e-4)


def test_in_a_pipeline_zeros_of_a_sparse_matrix_are_missing(flights: pd.DataFrame, package: Package) -> None:
    """XGBoost reads what a sparse matrix leaves out as missing, so what the encoder answers matters."""
    data = flights.drop(columns=["origin", "tailnum", "gust"])
    for sparse in (0.0, 1.0):
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["carrier", "dest"]),
            remainder="passthrough",
            sparse_threshold=sparse,
        )
        model = make_pipeline(encode, xgb.XGBClassifier(**QUIET)).fit(data.drop(columns="target"), data["target"])
        expected = model.predict_proba(data.drop(columns="target"))
        np.testing.assert_allclose(package(model, data).predict_proba(data), expected, atol=1e-6)


def test_what_can_not_be_compiled_says_why(package: Package) -> None:
    data: Any = datasets.load_breast_cancer(as_frame=True)["frame"].iloc[:, -4:]
    features = data.drop(columns="target")
    with pytest.raises(Incompatible, match="is not fitted"):
        package(xgb.XGBClassifier(), data)
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, xgb.DMatrix(features, data["target"]), 3)
    with pytest.raises(Incompatible, match="does not say which is which"):
        package(booster, data.assign(target=data["target"].map({0: "bad", 1: "good"})))
    raw = xgb.XGBClassifier(**QUIET, objective="binary:logitraw").fit(features, data["target"])
    with pytest.raises(Incompatible, match="objective 'binary:logitraw' of model can't be compiled for a classifier"):
        package(raw, data)
