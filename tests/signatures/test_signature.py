"""The signature, as the training data and the trained model say it."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone.base.errors import InvalidInput, UsageError
from plusone.base.records import Field
from plusone.data.profile import profile
from plusone.predictor import Predictor
from plusone.signatures.signature import make_fields, settle_fields

Package = Callable[..., Predictor]


def test_each_arrow_type_gives_its_field() -> None:
    table = pa.table(
        {
            "i": pa.array([None, 3, 7], pa.int16()),
            "f": pa.array([0.5, float("nan"), 2.5], pa.float32()),
            "d": pa.array([decimal.Decimal("1.50")] * 3),
            "b": pa.array([True, False, True]),
            "s": pa.array(["x", "y", None], pa.large_string()),
            "c": pa.array(["u", "v", "u"]).dictionary_encode(),
        }
    )
    assert make_fields(table.column_names, table) == (
        Field(name="i", dtype="int64", nullable=True, minimum=3.0, maximum=7.0, example=3),
        Field(name="f", dtype="float64", nullable=True, minimum=0.5, maximum=2.5, example=0.5),
        Field(name="d", dtype="float64", minimum=1.5, maximum=1.5, example=1.5),
        Field(name="b", dtype="bool", example=True),
        Field(name="s", dtype="string", nullable=True, categories=("x", "y"), example="x"),
        Field(name="c", dtype="string", categories=("u", "v"), example="u"),
    )


def test_the_example_is_the_first_row_without_nulls() -> None:
    table = pa.table({"a": [None, 1, 2], "b": ["x", None, "y"]})
    assert [field.example for field in make_fields(["a", "b"], table)] == [2, "y"]


def test_more_than_a_thousand_categories_are_not_listed() -> None:
    table = pa.table({"a": [str(n) for n in range(1001)]})
    assert make_fields(["a"], table)[0].categories is None
    assert len(make_fields(["a"], table.slice(1))[0].categories or ()) == 1000


@pytest.mark.parametrize("values", [[dt.datetime(2013, 1, 1, tzinfo=dt.UTC)], [b"bytes"], [[1, 2]], [None]])
def test_a_type_that_no_request_carries_is_named(values: list[Any]) -> None:
    with pytest.raises(UsageError, match="The feature 'when' has type") as caught:
        make_fields(["when"], pa.table({"when": values}))
    assert caught.value.mend


def test_absent_and_empty() -> None:
    with pytest.raises(UsageError, match="no column 'b'"):
        make_fields(["b"], pa.table({"a": [1]}))
    with pytest.raises(UsageError, match="no rows"):
        make_fields(["a"], pa.table({"a": pa.array([], pa.int64())}))


def test_unseen_values_are_refused_where_the_model_refuses_them(package: Package) -> None:
    """Of text, and of numbers too: what raises for an unseen month must not answer when it is compiled."""
    data = pd.DataFrame(
        {"s": list("abca") * 5, "t": list("xyxy") * 5, "m": [1, 2, 3, 1] * 5, "target": [0, 1, 1, 0] * 5}
    )
    encode = make_column_transformer((OneHotEncoder(), ["s", "m"]), (OneHotEncoder(handle_unknown="ignore"), ["t"]))
    model = make_pipeline(encode, LogisticRegression()).fit(data[["s", "t", "m"]], data["target"])
    predictor = package(model, data)
    assert [field.unseen for field in predictor.signature.fields] == ["refuse", "accept", "accept"]
    predictor.predict([{"s": "a", "t": "never", "m": 3}])
    for wrong, field in (({"s": "d", "t": "x", "m": 3}, "s"), ({"s": "a", "t": "x", "m": 4}, "m")):
        with pytest.raises(InvalidInput, match="has not seen") as caught:
            predictor.predict([wrong])
        assert caught.value.details["field"] == field


def test_nulls_are_refused_where_the_model_refuses_them(package: Package) -> None:
    """The train function may have dropped the rows with nulls: then the model does not take them."""
    data = pd.DataFrame({"x": [1.0, np.nan, 3.0, 5.0] * 10, "target": [0, 1, 1, 0] * 10})
    whole = data.dropna()
    assert not package(LogisticRegression().fit(whole[["x"]], whole["target"]), data).signature.fields[0].nullable
    boosted = HistGradientBoostingClassifier(max_iter=2).fit(data[["x"]], data["target"])
    assert package(boosted, data).signature.fields[0].nullable


def test_labels_are_plain_values(package: Package) -> None:
    for labels in ([True, False], [3, 7], ["no", "yes"], [0.5, 1.5]):
        data = pd.DataFrame({"x": [1.0, 2.0] * 10, "target": labels * 10})
        if isinstance(labels[0], float):
            data["target"] = data["target"].astype(str)
            labels = ["0.5", "1.5"]
        predictor = package(LogisticRegression().fit(data[["x"]], data["target"]), data)
        assert predictor.signature.output.classes == tuple(sorted(labels))
        assert predictor.predict(data[:2]).tolist() == labels


def test_large_integers_keep_every_digit(package: Package) -> None:
    base = 2**60
    data = pd.DataFrame({"id": [base, base + 1] * 10, "target": [0.0, 1.0] * 10})
    model = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["id"])), LinearRegression())
    predictor = package(model.fit(data[["id"]], data["target"]), data)
    answers = predictor.run(predictor.decode(b'{"rows": [{"id": %d}, {"id": %d}]}' % (base, base + 1))).labels
    np.testing.assert_allclose(answers, [0.0, 1.0], atol=1e-9)


def test_long_texts_are_no_categories_and_an_example_is_cut() -> None:
    long = ["x" * 201, "y" * 10_000]
    table = pa.table({"text": long, "word": ["a", "b"]})
    text, word = make_fields(["text", "word"], table)
    assert (text.categories, word.categories) == (None, ("a", "b"))
    table = pa.table({"text": long[::-1]})
    (settled,) = settle_fields(make_fields(["text"], table), table, lambda rows: [1.0] * rows.num_rows)
    assert settled.example == "y" * 4096
    assert profile(table)["text"] | {"type": ""} == {"type": "", "count": 2, "nulls": 0, "distinct": 2, "top": {}}
