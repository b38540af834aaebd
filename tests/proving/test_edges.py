"""Compiled models at the edges of their fields: what is asked there, and that a tree that flips is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from onnx import TensorProto, helper, numpy_helper
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import plusone
from plusone.base.errors import Incompatible, InvalidInput
from plusone.formats import sklearn as format_module
from plusone.formats.onnx import OnnxModel
from plusone.formats.recommenders import Recommender
from plusone.graphs import trees
from plusone.graphs.runner import Answer, OnnxRunner
from plusone.graphs.trees import Forest
from plusone.predictor import Predictor
from plusone.proving import edges
from plusone.terminal.proofs import proof_lines

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


@pytest.mark.slow
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


PICTURES = np.random.default_rng(0).integers(1, 250, (60, 2, 3), dtype=np.uint8)


def data(dtype: str) -> dict[str, Any]:
    """Tensors without a 0, and their sums."""
    values = PICTURES.astype(dtype)
    return {"grid": values, "target": values.reshape(60, -1).sum(axis=1, dtype=np.float64)}


@pytest.mark.parametrize(
    ("dtype", "kinds"),
    [
        ("uint8", {"value": 4, "rounding": 8}),
        ("float32", {"value": 4, "rounding": 8, "extreme": 16}),
        ("float64", {"value": 4, "rounding": 8, "extreme": 8}),  # of the largest numbers the sum is infinite
        ("int64", {"value": 4, "rounding": 8, "extreme": 16}),
    ],
)
def test_tensors_are_asked_at_zero_their_ends_and_extremes(package: Package, dtype: str, kinds: dict[str, int]):
    train = data(dtype)
    model = LinearRegression().fit(train["grid"].reshape(60, -1).astype(float), train["target"])
    found = package(model, train).package.proof["edges"]
    assert {name: kind["rows"] for name, kind in found["kinds"].items()} == kinds
    for name in ("value", "rounding"):
        assert found["kinds"][name]["differ"] == 0
    assert found["refused_rows"] == 0


def test_a_compiled_model_that_differs_at_zero_alone_is_refused(package: Package, monkeypatch: pytest.MonkeyPatch):
    train = data("float32")
    model = LinearRegression().fit(train["grid"].reshape(60, -1).astype(float), train["target"])
    assert package(model, train).package.proof["edges"]["differ"] == 0
    real = OnnxRunner.run

    def faulty(self: OnnxRunner, columns: Any) -> Answer:
        answer = real(self, columns)
        (grid,) = columns.feeds.values()
        black = ~grid.reshape(columns.rows, -1).any(axis=1)
        return Answer(None, None, None, np.asarray(answer.numbers) + black)

    monkeypatch.setattr(OnnxRunner, "run", faulty)
    with pytest.raises(Incompatible, match=r"4 of 4 at edges of kind 'value'") as refused:
        package(model, train)
    first = refused.value.details["rows"][0]
    assert (first["field"], first["fields"]) == ("grid", {"grid": [0.0] * 6})


def test_many_values_are_shortened_in_what_is_kept() -> None:
    assert edges._short(list(range(300))) == [*range(10), "... (300 values)"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_no_request_may_have_are_left_out_and_counted(package: Package, bad: float):
    train = data("float32")
    model = LinearRegression().fit(train["grid"].reshape(60, -1).astype(float), train["target"])
    train["grid"] = train["grid"].copy()
    train["grid"][7, 1, 2] = bad
    predictor = package(model, train, proof=[])
    assert (predictor.package.proof["rows"], predictor.package.proof["refused_rows"]) == (59, 1)
    with pytest.raises(InvalidInput, match="Row 7"):
        predictor.predict({"grid": train["grid"]})


def test_tensors_without_a_value_are_refused_by_name(package: Package):
    with pytest.raises(Exception, match=r"'grid' has shape \[60, 0, 3\]: expected values in each row"):
        package(LinearRegression(), {"grid": PICTURES[:, :0], "target": np.arange(60.0)})


def _graph(*nodes: Any, constants: dict[str, Any]) -> Any:
    made = helper.make_graph(
        list(nodes),
        "m",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def test_an_infinite_answer_is_equal_to_itself_alone(package: Package, monkeypatch: pytest.MonkeyPatch):
    """1/x of 0: what is infinite in training must be so in serving, and with its sign."""
    graph = _graph(helper.make_node("Div", ["one", "x"], ["y"]), constants={"one": np.array(1.0)})
    model = OnnxModel(graph.SerializeToString(), beside=lambda _: None)
    train = pd.DataFrame({"x": [0.0, 1.0, 2.0], "target": [0.5, 1.5, 2.5]})
    assert package(model, train).package.proof["max_difference"] == 0.0
    real = OnnxRunner.run
    for other in (5.0, -np.inf, np.nan):

        def faulty(self: OnnxRunner, columns: Any, other: float = other) -> Answer:
            answer = real(self, columns)
            numbers = np.where(np.isinf(answer.numbers), other, answer.numbers)
            return Answer(None, None, None, numbers)

        with monkeypatch.context() as patch:
            patch.setattr(OnnxRunner, "run", faulty)
            with pytest.raises(Incompatible, match="1 of 3 rows of training data differ"):
                package(model, train)


def test_users_that_nobody_has_are_asked_of_a_recommender(package: Package, monkeypatch: pytest.MonkeyPatch):
    mine, theirs = np.eye(3), np.arange(12.0).reshape(4, 3)
    made = plusone.Recommender([10, 20, 30], ["a", "b", "c", "d"], mine, theirs, np.eye(3, 4), k=2)
    train = pd.DataFrame({"user": [10, 20, 30], "item": ["a", "b", "c"]})
    found = package(made, train, target="item").package.proof["edges"]
    assert found["rows"] > 20
    assert found["differ"] == 0
    strict = plusone.Recommender([10, 20, 30], ["a", "b", "c", "d"], mine, theirs, np.eye(3, 4), k=2, unknown="refuse")
    kept = package(strict, train, target="item").package.proof["edges"]
    assert kept["refused_rows"] > 20
    # Every real user right, and one that is not known answered as the first one.
    real = Recommender.rank

    def faulty(self: Recommender, users: Any) -> Any:
        return real(self, np.where(np.isin(np.asarray(users).ravel(), [10, 20, 30]), np.asarray(users).ravel(), 10))

    monkeypatch.setattr(Recommender, "rank", faulty)
    with pytest.raises(Incompatible, match="at edges of kind 'value'"):
        package(made, train, target="item")


# ---------------------------------------------------------------------------------------------- thresholds in tensors

MODELS: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(10, random_state=0),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=30, random_state=0),
    "gradient boosting": lambda: GradientBoostingRegressor(n_estimators=10, random_state=0),
    "LightGBM": lambda: lightgbm.LGBMClassifier(n_estimators=30, verbose=-1),
    "XGBoost": lambda: xgboost.XGBClassifier(n_estimators=10),
}
DTYPES = ("uint8", "float32", "float64", "int64")


def odd_pictures(dtype: str, rows: int = 200) -> dict[str, Any]:
    """Pictures of 3 by 4, of odd numbers no three of them evenly spaced: none lies in the middle of two others."""
    random = np.random.default_rng(0)
    spread = [2 * int(f"{number:b}", 3) + 1 for number in range(32)]
    grid = random.choice(spread, (rows, 3, 4)).astype(dtype)
    flat = grid.reshape(rows, -1).astype(float)
    return {"grid": grid, "target": (flat[:, 3] + flat[:, 8] > flat[:, 5] + 100).astype(np.int64)}


def fitted(name: str, train: dict[str, Any]) -> Any:
    """A model over the values of the pictures, laid out flat."""
    return MODELS[name]().fit(train["grid"].reshape(len(train["target"]), -1), train["target"])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_both_neighbours_of_thresholds_are_asked_and_counted(package: Package, name: str, dtype: str):
    train = odd_pictures(dtype)
    found = package(fitted(name, train), train).package.proof["edges"]
    kind = found["kinds"]["threshold"]
    assert kind["rows"] >= found["thresholds"] > 40
    assert (kind["differ"], found["differ"], found["examples"]) == (0, 0, [])
    assert found["rows"] <= edges.MAX_ROWS
    if dtype == "float32":  # two rows of each turn, and no two turns ask for one value
        assert kind["rows"] == found["thresholds"]


def test_the_same_rows_are_asked_of_the_same_model(package: Package):
    train = odd_pictures("float32")
    model = fitted("forest", train)
    assert package(model, train).package.proof == package(model, train).package.proof


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["forest", "LightGBM", "XGBoost"])
def test_a_threshold_that_is_one_float_off_is_found(
    package: Package, name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
):
    train = odd_pictures(dtype)
    model = fitted(name, train)
    real = Forest.add

    def moved(self: Forest, nodes: list[Any], target: int) -> None:
        below = [math.nextafter(np.nextafter(np.float32(one.threshold), np.float32(-1)), -1) for one in nodes]
        real(self, [one._replace(threshold=at) for one, at in zip(nodes, below, strict=True)], target)

    monkeypatch.setattr(Forest, "add", moved)
    monkeypatch.setattr(format_module, "_WAYS", (("float64", True),))
    if name == "XGBoost" and dtype in ("uint8", "int64"):
        # Its thresholds are values of the data, and between those and the next lower integer nothing lies.
        assert package(model, train).package.proof["edges"]["differ"] == 0
        return
    # No real row shows it: the proof on those comes first, and says so otherwise.
    with pytest.raises(Incompatible, match="at edges of kind 'threshold'") as caught:
        package(model, train)
    named = caught.value.details["rows"]
    assert {(one["kind"], one["field"]) for one in named} == {("threshold", "grid")}
    for one in named:
        assert [len(one["place"]), one["fields"]["grid"][-1]] == [2, "... (12 values)"]
        row, column = one["place"]
        assert (0 <= row < 3, 0 <= column < 4) == (True, True)
        assert one["trained"] != one["compiled"]
        assert f"'grid' with {one['value']!r} at [{row}, {column}]" in caught.value.message


def test_a_tree_behind_what_only_compiles_to_single_precision_turns_elsewhere_and_says_where(package: Package):
    train = odd_pictures("float32")
    model = make_pipeline(PCA(4), RandomForestClassifier(10, random_state=0))
    release = package(model.fit(train["grid"].reshape(200, -1), train["target"]), train).package
    found = release.proof["edges"]
    assert release.options["precision"] == "float32"
    assert found["kinds"]["threshold"]["differ"] > 0
    one = found["examples"][0]
    told = [line for line in proof_lines(release.proof) if "e.g." in line]
    assert f"e.g. grid at {one['place']} = {one['value']!r}: trained" in told[0]


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    RobustScaler(),
    MaxAbsScaler(),
    MinMaxScaler((0.1, 0.7), clip=True),
    make_pipeline(MinMaxScaler(), StandardScaler()),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scaler", SCALERS, ids=[str(one) for one in SCALERS])
def test_a_scaler_before_the_trees_is_undone_by_asking(package: Package, scaler: Any, dtype: str):
    """Of 32 bits, too: a scaler keeps those, and rounds each step as its version of scikit-learn does."""
    train = odd_pictures(dtype)
    if dtype.startswith("float"):
        train["grid"] = (train["grid"] / 7).astype(dtype)
    model = make_pipeline(clone(scaler), RandomForestClassifier(10, random_state=0))
    release = package(model.fit(train["grid"].reshape(200, -1), train["target"]), train).package
    assert release.options["precision"] == "float64"
    assert release.proof["edges"]["kinds"]["threshold"]["rows"] > 100
    assert release.proof["edges"]["differ"] == 0


def test_a_tensor_beside_plain_numbers_has_its_share(package: Package):
    train = odd_pictures("uint8") | {"x": np.linspace(0, 1, 200)}
    flat = np.column_stack([train["grid"].reshape(200, -1), train["x"]])
    target = ((flat[:, 3] > 100) ^ (train["x"] > 0.6)).astype(np.int64)
    model = RandomForestClassifier(10, random_state=0).fit(flat, target)
    found = package(model, {**train, "target": target}, features=["grid", "x"]).package.proof["edges"]
    assert found["kinds"]["threshold"]["rows"] > 100
    assert found["differ"] == 0


def test_large_tensors_are_bounded_by_their_values(package: Package, monkeypatch: pytest.MonkeyPatch):
    train = odd_pictures("uint8")
    model = fitted("forest", train)
    whole = package(model, train).package.proof["edges"]
    monkeypatch.setattr(edges, "_CELLS", 12 * 100)
    found = package(model, train).package.proof["edges"]
    assert 32 < found["rows"] + found["unanswered_rows"] <= 100 < whole["rows"]
    assert found["thresholds"] > 10
    monkeypatch.setattr(edges, "_CELLS", 12)
    assert package(model, train).package.proof["edges"]["rows"] <= edges._LEAST


def test_a_model_without_trees_has_no_thresholds(package: Package):
    train = odd_pictures("float32")
    model = LogisticRegression(max_iter=1000).fit(train["grid"].reshape(200, -1), train["target"])
    found = package(model, train).package.proof["edges"]
    assert found["thresholds"] == 0
    assert "threshold" not in found["kinds"]
