"""Packaged models for the protocols: of every kind of field, of numbers, of one field, of labels of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from plusone import packaging
from plusone.predictor import Predictor, load
from tests.packaged import flights, one_thread, package

__all__ = ["flights", "one_thread", "package"]

Make = Callable[..., Predictor]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that packages a model fitted on a dataframe, once a session."""

    def run(name: str, model: Any, data: pd.DataFrame, target: str) -> Predictor:
        folder = tmp_path_factory.mktemp("package") / name
        features = [column for column in data.columns if column != target]
        model.fit(data[features], data[target])
        _, digest = packaging.pack(
            model,
            name=name,
            target=target,
            features=features,
            train=pa.Table.from_pandas(data, preserve_index=False),
            environment="none==0\n",
            folder=folder,
        )
        return load(folder, digest)

    return run


@pytest.fixture(scope="session")
def late(make: Make, flights: pd.DataFrame) -> Predictor:
    """A classifier with fields of every kind; `tailnum` and `gust` may be missing; it accepts unseen strings."""
    frame = flights.drop(columns="target").assign(late=flights["target"])
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "origin", "dest", "tailnum"]),
        remainder="passthrough",
    )
    return make("late", make_pipeline(encode, HistGradientBoostingClassifier(max_iter=5)), frame, "late")


@pytest.fixture(scope="session")
def coded(make: Make, flights: pd.DataFrame) -> Predictor:
    """A classifier whose strings are looked up before its graph."""
    words = ["carrier", "origin", "dest"]
    frame = flights[[*words, "month", "distance"]].assign(late=flights["target"])
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encode, words), remainder="passthrough")
    return make("coded", make_pipeline(columns, HistGradientBoostingClassifier(max_iter=3)), frame, "late")


@pytest.fixture(scope="session")
def minutes(make: Make) -> Predictor:
    """A model that answers a number to one field: y = 2 x + 1."""
    x = np.linspace(0.0, 10.0, 50)
    return make("minutes", LinearRegression(), pd.DataFrame({"x": x, "y": 2 * x + 1}), "y")


@pytest.fixture(scope="session")
def origin(make: Make, flights: pd.DataFrame) -> Predictor:
    """A classifier whose labels are strings."""
    return make("origin", HistGradientBoostingClassifier(max_iter=3), flights[["hour", "distance", "origin"]], "origin")


@pytest.fixture(scope="session")
def gaps(make: Make) -> Predictor:
    """A model of an integer `i` and a truth `t`, both of which may be missing."""
    numbers = np.arange(60)
    frame = pd.DataFrame({"i": pd.array(numbers, dtype="Int64"), "t": pd.array(numbers % 2 == 0, dtype="boolean")})
    frame.loc[frame.index % 7 == 0, "i"] = pd.NA
    frame.loc[frame.index % 5 == 0, "t"] = pd.NA
    return make("gaps", HistGradientBoostingRegressor(max_iter=2), frame.assign(y=numbers * 1.0), "y")
