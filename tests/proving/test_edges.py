"""Compiled models at the edges of their fields: what is asked there, and that a tree that flips is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PowerTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from plusone.base.errors import Incompatible
from plusone.formats import sklearn as format_module
from plusone.graphs import trees
from plusone.predictor import Predictor
from plusone.proving import edges

Package = Callable[..., Predictor]


def table(rows: int = 400) -> pd.DataFrame:
    """Numbers that 32 bits can't hold, integers, booleans, strings, and a target that depends on all of them."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": random.normal(size=rows) * 100,
            "n": random.integers(-50, 1000, rows),
            "big": random.integers(-(2**60), 2**60, rows),
            "flag": random.random(rows) < 0.4,
            "word": random.choice(list("abcd"), rows),
            "gap": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
        }
    )
    score = frame["x"] / 100 + frame["n"] / 500 + frame["flag"] + (frame["word"] == "a") + random.normal(size=rows) / 3
    frame["target"] = score > 1.5
    return frame


def test_every_kind_of_edge_is_asked_and_a_model_in_double_precision_flips_nowhere(package: Package) -> None:
    frame = table()
    words = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["word"]), remainder="passthrough"
    )
    model = make_pipeline(words, HistGradientBoostingClassifier(max_iter=20, random_state=0))
    proof = package(model.fit(frame.drop(columns="target"), frame["target"]), frame).package.proof
    found = proof["edges"]
    assert set(found["kinds"]) == {"value", "text", "threshold", "rounding", "extreme"}
    assert all(kind["rows"] > 0 and kind["differ"] == 0 for kind in found["kinds"].values())
    assert found["differ"] == 0
    assert found["examples"] == []
    assert found["max_difference"] <= 1e-12
    assert found["thresholds"] > 100
    assert found["rows"] <= edges.MAX_ROWS
    again = package(model, frame).package.proof
    assert again == proof


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(random_state=0),
        RandomForestClassifier(10, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)),
        LogisticRegression(),
    ],
)
def test_values_that_are_too_large_for_the_trained_model_are_counted_not_refused(package: Package, model: Any) -> None:
    frame = table()[["x", "n", "target"]]
    found = package(model.fit(frame[["x", "n"]], frame["target"]), frame).package.proof["edges"]
    # scikit-learn's classic trees round to 32 bits and raise where that overflows; linear models answer.
    trees_inside = "LogisticRegression" not in type(model).__name__
    assert (found["unanswered_rows"] > 0) == trees_inside
    assert found["differ"] == 0
    assert found["kinds"]["extreme"]["rows"] > 0


def test_a_tree_that_flips_in_single_precision_is_found_and_reported(package: Package) -> None:
    frame = table()[["x", "target"]]
    model = make_pipeline(PowerTransformer(), DecisionTreeClassifier(random_state=0))
    release = package(model.fit(frame[["x"]], frame["target"]), frame).package
    assert release.options["precision"] == "float32"
    assert release.proof["max_difference"] == 0.0
    found = release.proof["edges"]
    assert found["kinds"]["threshold"]["differ"] > 0
    assert found["kinds"]["value"]["differ"] == 0
    assert found["max_difference"] == 1.0
    for example in found["examples"]:
        row = pd.DataFrame([example["fields"]])
        assert model.predict_proba(row)[0].tolist() == example["trained"]
        assert example["trained"] != example["compiled"]


def test_a_fault_of_the_writer_at_thresholds_alone_is_found(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whole numbers: every threshold lies between two of them, so that no real row shows the fault.
    frame = pd.DataFrame({"x": np.arange(100.0), "target": np.arange(100) % 7 < 3})
    model = DecisionTreeClassifier(random_state=0).fit(frame[["x"]], frame["target"])
    assert package(model, frame).package.proof["edges"]["differ"] == 0
    real = trees.classic_nodes

    def moved(tree: Any, values: Any) -> Any:
        return [node._replace(threshold=math.nextafter(node.threshold, -math.inf)) for node in real(tree, values)]

    monkeypatch.setattr("plusone.estimators.trees.classic_nodes", moved)
    monkeypatch.setattr(format_module, "_WAYS", (("float64", True),))
    with pytest.raises(Incompatible, match="at edges of kind 'threshold'") as caught:
        package(model, frame)
    named = caught.value.details["rows"]
    assert {row["kind"] for row in named} == {"threshold"}
    assert all(abs(row["fields"]["x"] % 1 - 0.5) < 1e-5 for row in named)


def test_single_precision_where_it_must_hold_closes(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "target": [1.0, 2.0, 3.0, 4.0]})
    model = LinearRegression().fit(frame[["x"]], frame["target"])
    real = edges.Trained.answers

    def odd(self: Any, asked: Any) -> Any:
        out = real(self, asked)
        return np.where(asked.column("x").to_numpy() == 0.0, 7.0, out)

    monkeypatch.setattr(edges.Trained, "answers", odd)
    monkeypatch.setattr(format_module, "_WAYS", (("float32", True),))
    with pytest.raises(Incompatible, match="8 of 24 at edges of kind 'value'"):
        package(model, frame)


def test_a_field_that_refuses_what_it_has_not_seen_counts_refused_rows(package: Package) -> None:
    frame = table()[["word", "x", "target"]]
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["word"]), remainder="passthrough"), LogisticRegression()
    )
    found = package(model.fit(frame[["word", "x"]], frame["target"]), frame).package.proof["edges"]
    assert found["refused_rows"] > 0
    assert "text" not in found["kinds"]


def test_many_fields_share_the_bound(package: Package) -> None:
    random = np.random.default_rng(0)
    names = [f"x{number}" for number in range(300)]
    frame = pd.DataFrame(random.normal(size=(60, 300)), columns=names)
    frame["target"] = frame["x0"] > 0
    model = RandomForestClassifier(20, random_state=0).fit(frame[names], frame["target"])
    found = package(model, frame).package.proof["edges"]
    assert 1_000 < found["rows"] + found["unanswered_rows"] + found["refused_rows"] <= edges.MAX_ROWS
    assert found["thresholds"] > 50


def test_categories_of_a_dataframe_stay_categories(package: Package) -> None:
    frame = table()[["word", "x", "target"]]
    frame["word"] = frame["word"].astype("category")
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype", random_state=0)
    found = package(model.fit(frame[["word", "x"]], frame["target"]), frame).package.proof["edges"]
    assert found["kinds"]["text"] == {"rows": 36, "differ": 0, "far": 0}
    assert found["unanswered_rows"] == 0


def test_older_tree_operators_are_read_too(package: Package) -> None:
    frame = table()[["x", "n", "target"]]
    model = AdaBoostClassifier(n_estimators=5, random_state=0).fit(frame[["x", "n"]], frame["target"])
    release = package(model, frame).package
    assert release.proof["edges"]["thresholds"] > 0
