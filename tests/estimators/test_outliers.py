"""Outlier detectors and support vector regression against their compiled selves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as sklearn_datasets
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, NuSVR, OneClassSVM

from plusone.predictor import Predictor

Package = Callable[..., Predictor]
datasets: Any = sklearn_datasets
isolation: Any = IsolationForest

DETECTORS: dict[str, Any] = {
    "isolation forest": isolation(n_estimators=20, random_state=0),
    "isolation forest, a share of all": isolation(n_estimators=9, contamination=0.1, random_state=0),
    "isolation forest, some columns": isolation(n_estimators=9, max_features=0.5, random_state=0),
    "isolation forest, one row": isolation(n_estimators=2, max_samples=1, random_state=0),
    "envelope": EllipticEnvelope(random_state=0, contamination=0.1),
    "one class": OneClassSVM(nu=0.1),
    "one class, polynomial": OneClassSVM(kernel="poly", degree=2, coef0=1.0),
    "one class, sigmoid": OneClassSVM(kernel="sigmoid"),
    "one class, linear": OneClassSVM(kernel="linear"),
    "plane": SGDOneClassSVM(random_state=0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_answer_one_or_minus_one(name: str, package: Package) -> None:
    """Rows of training are looked at twice: those on the limit itself have to stay on their side of it."""
    data: Any = datasets.load_iris(as_frame=True)["frame"]
    data["target"] = 1
    features = data.drop(columns="target")
    model = make_pipeline(StandardScaler(), DETECTORS[name]).fit(pd.concat([features, features.head(30)]))
    predictor = package(model, data)
    assert predictor.signature.output.classes == (-1, 1)
    assert predictor.signature.output.probabilities is False
    assert predictor.package.options["precision"] == "float64"
    assert predictor.predict(data).tolist() == model.predict(features).tolist()
    far = features + np.linspace(0, 40, len(features)).reshape(-1, 1)
    assert predictor.predict(far.assign(target=1)).tolist() == model.predict(far).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["rbf", "poly", "linear"])
@pytest.mark.parametrize("kind", [SVR, NuSVR])
def test_support_vector_regression(kind: Any, kernel: str, package: Package) -> None:
    data: Any = datasets.load_diabetes(as_frame=True)["frame"].head(150)
    features = data.drop(columns="target")
    model = make_pipeline(StandardScaler(), kind(kernel=kernel, C=20.0)).fit(features, data["target"])
    predictor = package(model, data)
    assert predictor.package.options["precision"] == "float64"
    np.testing.assert_allclose(predictor.predict(data), model.predict(features), rtol=1e-9)
