"""The prover finds what differs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone.base.errors import Incompatible
from plusone.graphs import graph
from plusone.predictor import Predictor

Package = Callable[..., Predictor]


def test_a_compiled_model_that_differs_is_refused_with_the_rows(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [0.0, 5.0, 1.0], "target": [2.0, 3.0, 5.0]})
    model = LinearRegression().fit(data[["x", "y"]], data["target"])
    real = graph.Graph.constant

    def damaged(self: graph.Graph, value: object, dtype: object = None) -> str:
        changed = np.asarray(value) + 0.01 if dtype is None else value
        return real(self, changed, dtype)

    monkeypatch.setattr(graph.Graph, "constant", damaged)
    # skl2onnx, the second way, does not write through our graph's constants and is right: it is taken instead.
    assert package(model, data).package.proof["max_difference"] < 1e-5
    monkeypatch.setattr("plusone.formats.sklearn._WAYS", (("float64", True),))
    with pytest.raises(Incompatible, match="3 of 3 rows of training data differ") as caught:
        package(model, data)
    first = caught.value.details["rows"][0]
    assert first["fields"] == {"x": 1.0, "y": 0.0}
    assert first["trained"] == pytest.approx(2.0)
    assert first["difference"] == pytest.approx(0.01 * (1.0 + 0.0) + 0.01)
    assert first["compiled"] == pytest.approx(first["trained"] + first["difference"])


def test_rows_the_signature_refuses_are_counted_not_proven(package: Package) -> None:
    data = pd.DataFrame({"x": ["a", "b", "a", "b"], "target": [True, False, True, True]})
    holdout = pd.DataFrame({"x": ["a", "c"], "target": [True, False]})
    import pyarrow as pa

    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["x"])), LogisticRegression())
    predictor = package(model.fit(data[["x"]], data["target"]), data, proof=[pa.Table.from_pandas(holdout)])
    assert predictor.package.proof["refused_rows"] == 1
    assert predictor.package.proof["rows"] == 5


def test_ten_thousand_rows_are_proven_and_spread_evenly(package: Package) -> None:
    values = np.arange(25_000.0)
    data = pd.DataFrame({"x": values, "target": values * 2})
    predictor = package(LinearRegression().fit(data[["x"]], data["target"]), data, proof=[])
    assert predictor.package.proof["rows"] == 10_000
    assert predictor.package.proof["tolerance"] == 1e-5
