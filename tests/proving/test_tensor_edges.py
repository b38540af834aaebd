"""What is proven of tensors and rankings beyond the rows of a table: zeros, ends, extremes, ids that nobody has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LinearRegression

import plusone
from plusone.base.errors import Incompatible, InvalidInput
from plusone.formats.onnx import OnnxModel
from plusone.formats.recommenders import Recommender
from plusone.graphs.runner import Answer, OnnxRunner
from plusone.predictor import Predictor
from plusone.proving import edges

Package = Callable[..., Predictor]
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
