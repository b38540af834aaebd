"""A package in memory: the same answers through every door, from many threads, and what a worker loads for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from plusone.base.errors import InvalidInput, UsageError
from plusone.predictor import Predictor

Package = Callable[..., Predictor]


@pytest.fixture
def late(flights: pd.DataFrame, package: Package) -> Predictor:
    """Return a model of late flights."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "origin", "dest", "tailnum"]),
        remainder="passthrough",
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=5))
    return package(model.fit(flights.drop(columns="target"), flights["target"]), flights)


def test_every_door_answers_the_same(late: Predictor, flights: pd.DataFrame) -> None:
    head = flights.head(300)
    expected = late.predict_proba(head)
    assert expected.shape == (300, 2)
    arrow = pa.Table.from_pandas(head)
    rows = json.loads(head.drop(columns="target").to_json(orient="records") or "")
    categorical = head.assign(carrier=head["carrier"].astype("category"))
    for data in (pl.from_pandas(head), arrow, rows, categorical, head[head.columns[::-1]], arrow.cast(arrow.schema)):
        np.testing.assert_array_equal(late.predict_proba(data), expected)
    body = json.dumps({"rows": rows}).encode()
    np.testing.assert_array_equal(late.run(late.decode(body)).probabilities, expected)
    for start in (0, 299):
        np.testing.assert_array_equal(
            late.run(late.decode(body).take(start, start + 1)).probabilities[0], expected[start]
        )


def test_predictions_are_ready_for_json(late: Predictor, flights: pd.DataFrame, package: Package) -> None:
    answer = late.run(late.columns(flights.head(3)))
    assert answer.rows == 3
    for prediction, label, (no, yes) in zip(late.predictions(answer), answer.labels, answer.probabilities, strict=True):
        assert prediction == {"label": bool(label), "probabilities": {"false": no, "true": yes}}
        assert label == (yes > no)
    numbers = package(
        LinearRegression().fit(flights[["hour"]], flights["distance"]), flights[["hour", "distance"]], "distance"
    )
    assert [type(value) for value in numbers.predictions(numbers.run(numbers.columns(flights.head(2))))] == [
        float,
        float,
    ]
    with pytest.raises(UsageError, match="no probabilities"):
        numbers.predict_proba(flights)
    labels = package(LinearSVC().fit(flights[["hour"]] / 24, flights["origin"]), flights[["hour", "origin"]], "origin")
    assert set(labels.predictions(labels.run(labels.columns(flights.head(1))))[0]) == {"label"}


def test_tables_are_validated_like_requests(late: Predictor, flights: pd.DataFrame) -> None:
    wrong = flights.head(9).copy()
    wrong.loc[4, "distance"] = -1
    wrong["hour"] = wrong["hour"] + np.where(wrong.index == 6, 0.5, 0.0)
    with pytest.raises(InvalidInput) as caught:
        late.predict(wrong)
    assert (caught.value.details["row"], caught.value.details["field"], caught.value.details["value"]) == (
        6,
        "hour",
        wrong["hour"][6],
    )
    with pytest.raises(InvalidInput, match="no column 'gust'"):
        late.predict(flights.drop(columns="gust"))
    with pytest.raises(InvalidInput, match="no rows"):
        late.predict(flights.head(0))
    with pytest.raises(InvalidInput, match="can't be read as a table"):
        late.predict(3)
    for field, value in (("gust", np.inf), ("carrier", None), ("hour", "noon"), ("weekend", 1)):
        data = flights.head(3).astype({field: object})
        data[field] = value
        with pytest.raises(InvalidInput) as caught:
            late.predict(data)
        assert (caught.value.details["row"], caught.value.details["field"]) == (0, field)


def test_threads_may_share_it(late: Predictor, flights: pd.DataFrame) -> None:
    rows = json.loads(flights.drop(columns="target").head(64).to_json(orient="records") or "")
    bodies = [json.dumps({"rows": [row]}).encode() for row in rows]
    expected = late.predict_proba(flights.head(64))

    def ask(place: int) -> Any:
        return late.run(late.decode(bodies[place % 64])).probabilities[0]

    with ThreadPoolExecutor(8) as pool:
        for place, answer in enumerate(pool.map(ask, range(1000))):
            np.testing.assert_array_equal(answer, expected[place % 64])


def test_a_worker_loads_no_table_library_and_no_trainer() -> None:
    code = (
        "import sys, plusone.predictor; print([m for m in sys.modules if m.split('.')[0] in "
        "('pyarrow', 'pandas', 'sklearn', 'skl2onnx', 'onnx', 'polars', 'sqlite3')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
