"""Regressors of several targets: compiled, proven, and refused where they can't be."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, MultiTaskLasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from plusone.base.errors import Incompatible, UsageError
from plusone.base.records import Output
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
TARGETS = ("a", "b")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(150, 3)), columns=["x", "y", "z"])
    frame["a"] = frame["x"] * 2 + frame["y"]
    frame["b"] = frame["x"] * frame["z"]
    return frame


MODELS: dict[str, Any] = {
    "linear": LinearRegression(),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
    "multi-task": MultiTaskLasso(alpha=0.01),
    "search": GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
    "tree": DecisionTreeRegressor(max_depth=5),
    "random tree": ExtraTreeRegressor(max_depth=5, random_state=0),
    "forest": RandomForestRegressor(7, random_state=0),
    "extra trees": ExtraTreesRegressor(7, random_state=0),
    "one each": MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=5)),
    "chain": RegressorChain(LinearRegression(), order=[1, 0]),
    "chain of trees": RegressorChain(DecisionTreeRegressor(max_depth=3), order=[1, 0]),
}


def packaged(package: Package, model: Any, data: pd.DataFrame, **more: Any) -> Predictor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data[["x", "y", "z"]], data[["a", "b"]])
    return package(model, data, **{"target": TARGETS, "features": ["x", "y", "z"], **more})


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_what_is_compiled_answers_a_vector_with_the_names_of_its_targets(
    name: str, package: Package, data: pd.DataFrame
) -> None:
    predictor = packaged(package, MODELS[name], data)
    assert predictor.signature.output == Output(name="a,b", kind="vector", names=TARGETS, width=2)
    assert predictor.package.proof["max_difference"] < 1e-9
    asked = data.head(20)
    np.testing.assert_allclose(predictor.predict(asked), MODELS[name].predict(asked[["x", "y", "z"]]), atol=1e-9)
    one = predictor.run(predictor.columns(data.head(1)))
    assert set(predictor.predictions(one)[0]) == {"a", "b"}


def test_one_target_that_is_a_list_has_no_names(package: Package, data: pd.DataFrame) -> None:
    predictor = packaged(package, LinearRegression(), data, target="a")
    assert predictor.signature.output == Output(name="a", kind="vector", width=2)
    predictor = packaged(package, LinearRegression(), data, target=None)
    assert predictor.signature.output == Output(name="answer", kind="vector", width=2)
    assert len(predictor.predictions(predictor.run(predictor.columns(data.head(1))))[0]) == 2


def test_targets_that_are_not_as_many_as_the_answers_are_refused(package: Package, data: pd.DataFrame) -> None:
    with pytest.raises(Incompatible, match="answers 2 numbers to each row, and 3 targets are declared: a, b, c"):
        packaged(package, LinearRegression(), data, target=("a", "b", "c"))
    with pytest.raises(UsageError, match="'z' is among the features"):
        packaged(package, LinearRegression(), data, target=("a", "z"))
    single = LinearRegression().fit(data[["x", "y", "z"]], data["a"])
    with pytest.raises(Incompatible, match="answers 1 value to each row, and 2 targets"):
        package(single, data, target=TARGETS, features=["x", "y", "z"])


def test_several_labels_of_other_targets_and_what_has_no_graph_are_refused(
    package: Package, data: pd.DataFrame
) -> None:
    labels = RandomForestClassifier(3).fit(data[["x", "y", "z"]], data[["a", "b"]] > 0)
    with pytest.raises(Incompatible, match="answers 2 labels to each row, and the declared targets are: a"):
        package(labels, data, target="a", features=["x", "y", "z"])
    with pytest.raises(Incompatible, match=r"answer as the trained one|can't be compiled"):
        packaged(package, KNeighborsRegressor(), data)


def test_a_vector_that_differs_in_one_number_is_found(
    package: Package, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plusone.formats.sklearn._WAYS", (("float64", True),))
    model = LinearRegression().fit(data[["x", "y", "z"]], data[["a", "b"]])
    predict = LinearRegression.predict

    def off(self: Any, frame: Any) -> Any:
        return predict(self, frame) + np.array([0.0, 0.01])

    monkeypatch.setattr(LinearRegression, "predict", off)
    with pytest.raises(Incompatible, match="150 of 150 rows of training data differ"):
        package(model, data, target=TARGETS, features=["x", "y", "z"])
