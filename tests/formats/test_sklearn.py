"""Trained models against their compiled selves: every kind of model that is said to compile, on real data."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as sklearn_datasets
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from plusone.base.errors import Incompatible
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
datasets: Any = sklearn_datasets
TEXT = ["carrier", "origin", "dest"]

CLASSIFIERS: dict[str, Any] = {
    "hist": HistGradientBoostingClassifier(max_iter=8),
    "forest": RandomForestClassifier(8, random_state=0),
    "tree": DecisionTreeClassifier(random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=5),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "linear svm": make_pipeline(StandardScaler(), LinearSVC()),
    "ridge": RidgeClassifier(),
    "calibrated": CalibratedClassifierCV(GaussianNB(), cv=2),
    "voting": VotingClassifier([("a", GaussianNB()), ("b", HistGradientBoostingClassifier(max_iter=3))], voting="soft"),
    "search": GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, cv=2),
}
REGRESSORS: dict[str, Any] = {
    "hist": HistGradientBoostingRegressor(max_iter=8),
    "hist poisson": HistGradientBoostingRegressor(max_iter=8, loss="poisson"),
    "hist gamma": HistGradientBoostingRegressor(max_iter=8, loss="gamma"),
    "hist absolute": HistGradientBoostingRegressor(max_iter=8, loss="absolute_error"),
    "forest": RandomForestRegressor(8, random_state=0),
    "extra trees": ExtraTreesRegressor(8, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=5, loss="huber"),
    "linear": make_pipeline(RobustScaler(), PolynomialFeatures(2), LinearRegression()),
    "poisson": PoissonRegressor(),
    "network": make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=9000, tol=1.0, random_state=0)
    ),
    "log of target": TransformedTargetRegressor(
        HistGradientBoostingRegressor(max_iter=5), func=np.log1p, inverse_func=np.expm1
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("matrix", [False, True], ids=["dataframe", "matrix"])
def test_classifiers(name: str, matrix: bool, package: Package) -> None:
    """Three classes, fitted on a dataframe or on a bare matrix."""
    data: pd.DataFrame = datasets.load_iris(as_frame=True)["frame"]
    features = data.drop(columns="target")
    model = CLASSIFIERS[name].fit(features.to_numpy() if matrix else features, data["target"])
    predictor = package(model, data)
    assert predictor.package.options["precision"] == "float64"
    assert predictor.predict(data).tolist() == model.predict(features.to_numpy() if matrix else features).tolist()
    assert predictor.signature.output.classes == (0, 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str, package: Package) -> None:
    data: pd.DataFrame = datasets.load_diabetes(as_frame=True)["frame"]
    features = data.drop(columns="target")
    model = REGRESSORS[name].fit(features, data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(predictor.predict(data), model.predict(features), rtol=1e-9)
    assert predictor.signature.output.kind == "number"


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [AdaBoostClassifier(n_estimators=3), SVC(), BaggingClassifier(n_estimators=3, random_state=0)]
)
def test_boolean_labels_that_skl2onnx_would_take_for_text(model: Any, package: Package) -> None:
    data = datasets.load_breast_cancer(as_frame=True)["frame"].iloc[:, -6:]
    data["target"] = data["target"] == 1
    predictor = package(model.fit(data.drop(columns="target"), data["target"]), data)
    assert predictor.signature.output.classes == (False, True)
    assert predictor.predict(data).dtype == np.bool_


def encoders() -> dict[str, Any]:
    ignore = OneHotEncoder(handle_unknown="ignore")
    text_or_none = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), ignore)
    nan = np.nan
    return {
        "one hot": make_column_transformer((ignore, [*TEXT, "tailnum"]), remainder="passthrough"),
        "imputed": make_column_transformer((text_or_none, [*TEXT, "tailnum"]), remainder="passthrough"),
        "rare": make_column_transformer(
            (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, drop="first"), TEXT),
            (make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler(clip=True)), ["gust", "hour", "weekend"]),
        ),
        "ordinal": make_column_transformer(
            (
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2, encoded_missing_value=-1),
                ["tailnum"],
            ),
            (
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=nan),
                ["dest", "month", "weekend", "gust"],
            ),
        ),
        "target": make_column_transformer((TargetEncoder(), [*TEXT, "month"])),
        "union": FeatureUnion(
            [
                ("a", make_column_transformer((ignore, ["carrier"]), (ignore, ["weekend", "gust", "hour"]))),
                (
                    "b",
                    ColumnTransformer(
                        [("n", FunctionTransformer(np.log1p), ["distance"])], transformer_weights={"n": 2}
                    ),
                ),
            ]
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", encoders())
@pytest.mark.parametrize("flavour", ["pandas", "polars"])
def test_columns_of_every_kind(name: str, flavour: str, flights: pd.DataFrame, package: Package) -> None:
    """Text with unseen values and nulls, booleans, integers, floats with NaN, through encoders, into an estimator."""
    import polars as pl

    features = flights.drop(columns="target")
    encoder = encoders()[name]
    if hasattr(encoder, "sparse_threshold"):
        encoder.sparse_threshold = 0
    dense = (
        FunctionTransformer(None)
        if name != "union"
        else make_pipeline(SimpleImputer(), StandardScaler(with_mean=False))
    )
    last: Any = HistGradientBoostingClassifier(max_iter=8) if name != "union" else LogisticRegression(max_iter=500)
    model = make_pipeline(encoder, dense, last)
    model.fit(features if flavour == "pandas" else pl.from_pandas(features), flights["target"])
    predictor = package(model, flights, flavour=flavour)
    assert predictor.package.options["precision"] == "float64"
    assert predictor.package.proof["max_difference"] < 1e-12
    assert "'carrier' unseen" in predictor.package.proof["cases"]
    assert "'tailnum' null" in predictor.package.proof["cases"]


@pytest.mark.parametrize("native", ["from_dtype", ["carrier", "month"]])
def test_native_categories_of_boosted_trees(native: Any, flights: pd.DataFrame, package: Package) -> None:
    data = flights[["carrier", "dest", "month", "gust", "target"]].copy()
    for name in ("carrier", "dest") if native == "from_dtype" else ():
        data[name] = data[name].astype("category")
    if native != "from_dtype":
        data = data.drop(columns="dest")
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=native)
    model.fit(data.drop(columns="target"), data["target"])
    categorical = [nodes for stage in model._predictors for nodes in stage[0].nodes["is_categorical"]]
    assert any(categorical)
    assert package(model, data).package.proof["max_difference"] < 1e-12


def test_numbers_next_to_a_threshold_do_not_change_sides(package: Package) -> None:
    """Float32 thresholds would move these rows: the neighbours of a threshold are 1e-17 apart."""
    thresholds = np.linspace(0.1, 0.9, 9)
    values = np.concatenate([np.nextafter(thresholds, 0), thresholds, np.nextafter(thresholds, 1), -thresholds])
    data = pd.DataFrame({"x": np.tile(values, 20), "target": np.tile(values, 20) ** 2})
    model = HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=1).fit(data[["x"]], data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(predictor.predict(data), model.predict(data[["x"]]), rtol=0, atol=1e-12)


class Homemade(ClassifierMixin, BaseEstimator):
    """A classifier of one's own: no converter can know it."""

    def fit(self, features: Any, target: Any) -> Homemade:
        self.classes_ = np.unique(target)
        self.n_features_in_ = features.shape[1]
        return self

    def predict(self, features: Any) -> Any:
        return np.repeat(self.classes_[:1], len(features))


def test_what_cannot_be_compiled_is_named(flights: pd.DataFrame, package: Package) -> None:
    data = flights[["hour", "distance", "target"]]
    with pytest.raises(Incompatible, match="Homemade") as caught:
        package(Homemade().fit(data[["hour", "distance"]], data["target"]), data)
    assert "model" in caught.value.details["path"]

    def double(values: Any) -> Any:
        return values * 2

    model = make_pipeline(FunctionTransformer(double), LogisticRegression()).fit(data[["hour"]], data["target"])
    with pytest.raises(Incompatible, match=r"model\.functiontransformer.*'double'"):
        package(model, data[["hour", "target"]])
    with pytest.raises(Incompatible, match="no format knows"):
        package(FakeModel(), data)


@pytest.mark.parametrize(
    ("returned", "said", "mend"),
    [
        (None, "^The train function returned None, which can't be packaged", "docs/tasks/models.md"),
        (
            LogisticRegression,
            "^The class .*LogisticRegression itself, no object of it,",
            r"LogisticRegression\(\.\.\.\)",
        ),
        ({"a": 1}, "^A dict can't be packaged", "@plusone.model of its own"),
        ((1, 2), "^A tuple can't be packaged", "@plusone.model of its own"),
        ("model.pkl", "^The path 'model.pkl' can't be packaged", "the fitted model itself"),
        (Path("model.pkl"), "^The path 'model.pkl' can't be packaged", r"\.onnx"),
    ],
)
def test_what_is_no_model_is_called_what_it_is(
    flights: pd.DataFrame, package: Package, returned: Any, said: str, mend: str
) -> None:
    with pytest.raises(Incompatible, match=said) as caught:
        package(returned, flights[["hour", "target"]])
    assert re.search(mend, caught.value.mend)


def test_labels_that_the_target_does_not_hold_are_refused(flights: pd.DataFrame, package: Package) -> None:
    data = flights[["hour", "distance"]].assign(target=np.where(flights["hour"] > 12, "late", "early"))
    codes = (data["target"] == "late").astype(int)
    model = LogisticRegression().fit(data[["hour", "distance"]], codes)
    with pytest.raises(Incompatible, match="answers the labels 0, 1, and the target 'target'") as caught:
        package(model, data)
    assert "'late'" in caught.value.message
    assert "train_set['target']" in caught.value.mend
    # Truths are 0 and 1 to Python, and to every metric.
    assert package(model, data.assign(target=codes == 1)).package.signature.output.classes == (0, 1)


class FakeModel:
    """Not of scikit-learn at all."""

    def predict(self, features: Any) -> Any:
        return np.zeros(len(features))


def test_several_outputs_are_refused(flights: pd.DataFrame, package: Package) -> None:
    data = flights[["hour", "distance", "target"]]
    targets = np.column_stack([data["target"], data["target"]])
    with pytest.raises(Incompatible, match="answers 2 labels to each row, and the declared targets are: target"):
        package(RandomForestClassifier(2).fit(data[["hour", "distance"]], targets), data)
