"""Networks in 8 bits: kept where they gain something and answer nearly alike, left out with the reason otherwise."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from plusone.formats.onnx import OnnxModel
from plusone.graphs.int8 import count_layers
from plusone.predictor import Predictor
from plusone.proving import quantise

Package = Callable[..., Predictor]
LEFT, RIGHT = "before", "after"


@pytest.fixture(scope="module")
def digits() -> pd.DataFrame:
    """600 drawings of digits, 64 dots each (scikit-learn's own data set)."""
    dots, labels = load_digits(return_X_y=True)
    frame = pd.DataFrame(dots, columns=[f"p{place}" for place in range(64)]).iloc[:600]
    return frame.assign(target=labels[:600])


@pytest.fixture(scope="module")
def network(digits: pd.DataFrame) -> Any:
    """A network of two layers that knows the digits."""
    model = make_pipeline(StandardScaler(), MLPClassifier((96, 48), max_iter=400, solver="lbfgs", random_state=0))
    return model.fit(digits.drop(columns="target"), digits["target"])


def speeds(monkeypatch: pytest.MonkeyPatch, one: float, hundred: float) -> None:
    """Pretend these times, as shares of those before: a busy machine measures anything."""
    found = {"row_us": {LEFT: 100.0, RIGHT: 100.0 * one}, "rows_100_us": {LEFT: 900.0, RIGHT: 900.0 * hundred}}
    monkeypatch.setattr(quantise, "_speeds", lambda *_: found)


@pytest.mark.slow
def test_a_network_is_kept_in_8_bits_and_served_so(
    package: Package, network: Any, digits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, 0.8, 0.8)
    predictor = package(network, digits, quantise=0.1)
    plain = package(network, digits)
    proof, release = predictor.package.proof, predictor.package
    found = proof["quantised"]
    assert found["kept"]
    assert found["reason"] == ""
    assert 0 < found["max_difference"] == proof["max_difference"] <= 0.1 == proof["tolerance"]
    assert proof["precision"] == release.options["precision"] == "int8"
    assert found["size_bytes"]["after"] < 0.4 * found["size_bytes"]["before"]
    file = next(file for file in release.files if file.path == "model.onnx")
    assert file.size_bytes == found["size_bytes"]["after"]
    assert "quantised" not in plain.package.proof
    rows = digits.drop(columns="target").iloc[:40]
    labels = network.predict(rows)
    together = predictor.predict(rows.to_dict("records"))
    assert (np.array(together) == labels).mean() > 0.97
    # A row's answer does not depend on who asks at the same time.
    body = json.dumps({"rows": rows.to_dict("records")}).encode()
    many = predictor.run(predictor.gather(predictor.decode_rows(body))).probabilities
    for place in (0, 7, 39):
        alone = json.dumps({"rows": [rows.iloc[place].to_dict()]}).encode()
        one = predictor.run(predictor.gather(predictor.decode_rows(alone))).probabilities
        assert one[0] == pytest.approx(many[place], abs=1e-6)


@pytest.mark.slow
def test_real_times_and_sizes_are_measured(package: Package, network: Any, digits: pd.DataFrame) -> None:
    found = package(network, digits, quantise=0.1).package.proof["quantised"]
    for key in ("row_us", "rows_100_us", "size_bytes"):
        assert found[key][LEFT] > 0
        assert found[key][RIGHT] > 0
    assert found["kept"] or found["reason"].startswith("no gain:")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tolerance", "one", "hundred", "reason"),
    [
        (1e-6, 0.5, 0.5, "its answers differ by up to"),
        (0.1, 1.5, 0.5, "no gain: 0."),
        (0.1, 0.5, 1.5, "no gain: 0."),
    ],
)
def test_it_is_left_out_with_the_reason(
    package: Package,
    network: Any,
    digits: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    tolerance: float,
    one: float,
    hundred: float,
    reason: str,
) -> None:
    speeds(monkeypatch, one, hundred)
    proof = package(network, digits, quantise=tolerance).package.proof
    assert not proof["quantised"]["kept"]
    assert proof["quantised"]["reason"].startswith(reason)
    assert proof["precision"] == "float64"
    assert proof["max_difference"] < 1e-9


@pytest.mark.slow
def test_labels_that_change_too_often_leave_it_out(
    package: Package, network: Any, digits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, 0.5, 0.5)
    monkeypatch.setattr(quantise, "CHANGED_LABELS", -0.01)
    proof = package(network, digits, quantise=0.5).package.proof
    assert "have another label" in proof["quantised"]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [RandomForestClassifier(5, random_state=0), LogisticRegression(max_iter=3000)])
def test_trees_and_linear_models_have_nothing_to_quantise(package: Package, digits: pd.DataFrame, model: Any) -> None:
    proof = package(model.fit(digits.drop(columns="target"), digits["target"]), digits, quantise=0.1).package.proof
    assert proof["quantised"]["reason"].startswith("no gain: nothing to quantise")
    assert proof["precision"] == "float64"


@pytest.mark.slow
def test_numbers_are_held_to_a_share_of_their_range(
    package: Package, digits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, 0.5, 0.5)
    frame = digits.assign(target=1000.0 * digits["target"])
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(32, 16), max_iter=40, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not learn much to be quantised
        model.fit(frame.drop(columns="target"), frame["target"])
    predictor = package(model, frame, quantise=0.2)
    found = predictor.package.proof["quantised"]
    assert found["kept"]
    assert 0 < found["max_difference"] <= 0.2
    answers = np.array(predictor.predict(frame.drop(columns="target").to_dict("records")), dtype=np.float64)
    trained = model.predict(frame.drop(columns="target"))
    assert np.abs(answers - trained).max() == pytest.approx(found["max_difference"] * np.ptp(trained), rel=1e-6)


def convolutions() -> bytes:
    """A small network of convolutions over 64 dots, weights from a fixed seed."""
    random = np.random.default_rng(0)
    weights = {
        "square": np.array([-1, 1, 8, 8]),
        "flat": np.array([0, -1]),
        "sixteen": np.array(1 / 16, np.float32),
        "first": random.normal(size=(8, 1, 3, 3)).astype(np.float32) / 3,
        "second": random.normal(size=(16, 8, 3, 3)).astype(np.float32) / 6,
        "last": random.normal(size=(16 * 4 * 4, 10)).astype(np.float32) / 16,
    }
    nodes = [
        helper.make_node("Mul", ["x", "sixteen"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "square"], ["picture"]),
        helper.make_node("Conv", ["picture", "first"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Reshape", ["d", "flat"], ["e"]),
        helper.make_node("MatMul", ["e", "last"], ["f"]),
        helper.make_node("Softmax", ["f"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 64])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 10]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_convolutions_are_quantised_too(
    package: Package, digits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, 0.9, 0.9)
    monkeypatch.setattr(quantise, "CHANGED_LABELS", 0.1)  # nobody trained it: its labels lie close to each other
    model = OnnxModel(convolutions(), beside=lambda _: None)
    predictor = package(model, digits, quantise=0.2)
    found = predictor.package.proof["quantised"]
    assert found["kept"], found["reason"]
    assert 0 < found["max_difference"] <= 0.2
    graph = onnx.load_from_string(convolutions())
    assert count_layers(graph.SerializeToString(), single=True) == 3


@pytest.mark.slow
def test_what_the_quantiser_can_not_do_leaves_the_model_as_it_was(
    package: Package, network: Any, digits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> bytes:
        raise RuntimeError("an operator that it does not know")

    monkeypatch.setattr(quantise, "to_int8", broken)
    proof = package(network, digits, quantise=0.1).package.proof
    assert proof["quantised"] == {
        "kept": False,
        "reason": "onnxruntime can't quantise it: RuntimeError: an operator that it does not know",
    }
    assert proof["precision"] == "float64"
