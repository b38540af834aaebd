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
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from plusone.base.errors import InvalidInput, UsageError
from plusone.predictor import Predictor

from .layouts import stream

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


@pytest.mark.slow
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


def test_arrays_and_arrow_streams_are_doors_too(late: Predictor, flights: pd.DataFrame) -> None:
    head = flights.head(50).drop(columns="target")
    expected = late.predict_proba(head)
    arrays = {str(name): column.to_numpy() for name, column in head.items()}
    np.testing.assert_array_equal(late.run(late.from_arrays(arrays)).probabilities, expected)
    table = pa.Table.from_pandas(head, preserve_index=False)
    words = [name for name in table.column_names if head[name].dtype.kind not in "ifb"]
    for name in words:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(name).dictionary_encode())
    answer = late.run(late.decode_arrow(stream(table, "zstd")))
    np.testing.assert_array_equal(answer.probabilities, expected)
    found = pa.ipc.open_stream(late.encode_arrow(answer, {"release": "3"})).read_all()
    assert found.to_pylist() == late.predictions(answer)

    with pytest.raises(InvalidInput, match="The table has the field 'more', which the model does not take"):
        late.decode_arrow(stream(table.append_column("more", table.column("hour"))))
    with pytest.raises(InvalidInput, match="no column 'gust'"):
        late.decode_arrow(stream(table.drop_columns("gust")))
    with pytest.raises(InvalidInput, match="no rows"):
        late.decode_arrow(stream(table.slice(0, 0)))
    with pytest.raises(InvalidInput, match="expected at most 100 bytes"):
        late.decode_arrow(stream(table), 100)
    nulls = table.set_column(table.column_names.index("hour"), "hour", pa.nulls(50, pa.int64()))
    with pytest.raises(InvalidInput, match="Row 0, field 'hour': null"):
        late.decode_arrow(stream(nulls))


def test_rows_are_encoded_one_by_one(late: Predictor, flights: pd.DataFrame) -> None:
    answer = late.run(late.columns(flights.head(70)))
    rows = late.encode(answer)
    assert [json.loads(row) for row in rows] == late.predictions(answer)
    assert late.encode(answer.take(10, 12)) == rows[10:12]


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=20),
        RandomForestClassifier(20, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=200, tol=0.1, random_state=0)),
    ],
    ids=lambda model: str(model)[:20],
)
def test_a_row_answers_the_same_whatever_it_is_joined_with(model: Any, flights: pd.DataFrame, package: Package) -> None:
    """Trees and linear models bit by bit; where a softmax or a network is, the last bits may differ."""
    data = flights[["month", "hour", "distance", "target"]]
    predictor = package(model.fit(data.drop(columns="target"), data["target"]), data)
    columns = predictor.columns(data.head(200))
    alone = np.concatenate([predictor.run(columns.take(row, row + 1)).probabilities for row in range(200)])
    off = 1e-12 if "MLP" in str(model) else 0.0
    for size in (2, 3, 7, 32, 33, 200):
        parts = [predictor.run(columns.take(start, min(200, start + size))) for start in range(0, 200, size)]
        joined = np.concatenate([part.probabilities for part in parts])
        np.testing.assert_allclose(joined, alone, rtol=0, atol=off)


@pytest.mark.slow
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


@pytest.mark.slow
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
