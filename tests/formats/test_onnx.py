"""ONNX files that were made elsewhere: packaged, they answer as onnxruntime answers to the file itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from plusone.base.errors import Incompatible
from plusone.formats.onnx import OnnxModel
from plusone.predictor import Predictor

Package = Callable[..., Predictor]
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.random(200), "b": RNG.random(200)})
SAMPLE = FRAME.to_numpy()[:1].astype(np.float32)


def _nothing(name: str) -> bytes | None:
    return None


def _model(proto: Any, beside: Callable[[str], bytes | None] = _nothing) -> OnnxModel:
    data = proto if isinstance(proto, bytes) else proto.SerializeToString()
    return OnnxModel(data, beside=beside)


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("opset", [{"": 15, "ai.onnx.ml": 3}, {"": 21, "ai.onnx.ml": 3}])
@pytest.mark.parametrize("estimator", [LogisticRegression(), RandomForestClassifier(5, random_state=0)])
def test_a_classifier_answers_as_the_file_does(package: Package, zipmap: bool, opset: dict[str, int], estimator: Any):
    target = (FRAME["a"] > FRAME["b"]).astype(np.int64)
    fitted = estimator.fit(FRAME.to_numpy(), target)
    model = _model(to_onnx(fitted, SAMPLE, options={"zipmap": zipmap}, target_opset=opset))
    predictor = package(model, FRAME.assign(target=target.astype(bool)))
    found = predictor.predict(FRAME.to_dict("records"))
    assert predictor.package.signature.output.classes == (False, True)
    assert predictor.package.options["precision"] == "float32"
    assert (np.array(found) == fitted.predict(FRAME.to_numpy())).mean() > 0.99


def test_labels_of_text_are_kept(package: Package):
    target = pd.Series(np.where(FRAME["a"] > 0.5, "high", "low"))
    model = _model(to_onnx(LogisticRegression().fit(FRAME.to_numpy(), target), SAMPLE))
    predictor = package(model, FRAME.assign(target=target))
    assert list(predictor.predict([{"a": 0.95, "b": 0.1}])) == ["high"]


def test_a_regressor_answers_a_number(package: Package):
    target = 2 * FRAME["a"] - FRAME["b"]
    model = _model(to_onnx(LinearRegression().fit(FRAME.to_numpy(), target), SAMPLE))
    predictor = package(model, FRAME.assign(target=target))
    assert float(predictor.predict([{"a": 0.5, "b": 0.25}])[0]) == pytest.approx(0.75, abs=1e-5)


def test_a_file_with_an_input_for_each_feature_takes_them_by_name(package: Package, flights: pd.DataFrame):
    frame = flights[["month", "carrier", "distance", "target"]].assign(distance=flights["distance"] / 1000.0)
    fitted = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), remainder="passthrough"),
        LogisticRegression(max_iter=5000),
    ).fit(frame.drop(columns="target"), frame["target"].astype(np.int64))
    inputs = [
        ("month", Int64TensorType([None, 1])),
        ("carrier", StringTensorType([None, 1])),
        ("distance", FloatTensorType([None, 1])),
    ]
    model = _model(convert_sklearn(fitted, initial_types=inputs, target_opset={"": 18, "ai.onnx.ml": 3}))
    predictor = package(model, frame, features=["distance", "month", "carrier"])
    rows = frame.drop(columns="target").head(50)
    assert list(predictor.predict(rows.to_dict("records"))) == [bool(one) for one in fitted.predict(rows)]


def _linear(weights: Any, *, external: bool = False, domain: str = "") -> Any:
    tensor = numpy_helper.from_array(np.asarray(weights, np.float32), "w")
    if external:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "model.onnx.data"), ("offset", "4"), ("length", "8")):
            tensor.external_data.add(key=key, value=value)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [tensor],
    )
    opsets = [helper.make_opsetid("", 21), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def test_tensors_in_a_file_beside_it_are_taken_in(package: Package):
    beside = {"model.onnx.data": b"\0\0\0\0" + np.array([3, 4], np.float32).tobytes()}
    proto = _linear([[0], [0]], external=True)
    predictor = package(_model(proto, beside=beside.get), FRAME.assign(target=FRAME["a"]))
    assert float(predictor.predict([{"a": 0.5, "b": 0.25}])[0]) == pytest.approx(2.5)
    with pytest.raises(Incompatible, match="not beside it"):
        _model(proto)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 100,
        _linear([[1], [2]], domain="mine").SerializeToString(),
        _linear([[1], [2], [3]]).SerializeToString()[:-40],
    ],
)
def test_what_is_no_model_of_standard_operators_is_refused(data: bytes):
    with pytest.raises(Incompatible):
        _model(data)


def test_a_model_of_other_inputs_or_outputs_is_refused():
    picture = _linear([[1], [2]])
    picture.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 8, 2]))
    with pytest.raises(Incompatible, match="expected a matrix"):
        _model(picture)
    two = _linear([[1], [2]])
    two.graph.node.append(helper.make_node("Neg", ["y"], ["z"]))
    two.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [None, 1]))
    with pytest.raises(Incompatible, match="expected a number, or a label"):
        _model(two)
    onnx.checker.check_model(two)
