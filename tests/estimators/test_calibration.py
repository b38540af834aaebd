"""Calibrated classifiers against their compiled selves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from plusone.predictor import Predictor

Package = Callable[..., Predictor]
datasets: Any = sklearn_datasets

CLASSIFIERS: dict[str, Any] = {
    "hist": HistGradientBoostingClassifier(max_iter=4),
    "boosting": GradientBoostingClassifier(n_estimators=3),
    "forest": RandomForestClassifier(5, random_state=0),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "plane": make_pipeline(StandardScaler(), LinearSVC()),
    "stochastic": make_pipeline(StandardScaler(), SGDClassifier(random_state=0)),
    "bayes": GaussianNB(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("classes", [2, 3])
def test_calibrated(name: str, method: Any, classes: int, package: Package) -> None:
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    data["target"] = np.minimum((data["target"] + data.index % 11 // 10) % 3, classes - 1)
    features = data.drop(columns="target")
    model = CalibratedClassifierCV(CLASSIFIERS[name], method=method, cv=2).fit(features, data["target"])
    predictor = package(model, data)
    np.testing.assert_allclose(predictor.predict_proba(data), model.predict_proba(features), atol=1e-6)


def test_a_classifier_that_was_fitted_before(package: Package) -> None:
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    features = data.drop(columns="target")
    fitted = FrozenEstimator(HistGradientBoostingClassifier(max_iter=4).fit(features, data["target"]))
    model = CalibratedClassifierCV(fitted, method="isotonic").fit(features, data["target"])
    np.testing.assert_allclose(package(model, data).predict_proba(data), model.predict_proba(features), atol=1e-12)
