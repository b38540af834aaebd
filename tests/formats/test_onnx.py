"""ONNX files that were made elsewhere: packaged, they answer as onnxruntime answers to the file itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

import plusone
from plusone.base.errors import Incompatible, UsageError
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


def _graph(
    nodes: list[Any],
    inputs: Mapping[str, tuple[int, Sequence[Any]]],
    outputs: Mapping[str, tuple[int, Sequence[Any]]],
    tensors: list[Any] | None = None,
    opset: int = 21,
    **more: int,
) -> Any:
    """Return a model of nodes; inputs and outputs by name, with element type and shape."""
    takes, gives = (
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in part.items()]
        for part in (inputs, outputs)
    )
    graph = helper.make_graph(nodes, "g", takes, gives, tensors or [])
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, number) for name, number in more.items())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


F32, F16, F64, U8, I64 = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.UINT8,
    TensorProto.INT64,
)
PICTURES = {"image": RNG.integers(0, 256, (60, 3, 4, 4)).astype(np.uint8), "target": RNG.integers(0, 3, 60)}
EMBEDDINGS = {"image": RNG.random((60, 3, 4, 4)).astype(np.float32), "target": RNG.random(60)}


def _pooled(kind: int, rows: Any, answer: int = F32, opset: int = 21) -> Any:
    """Return a model that answers the mean of each of three channels."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["wide"], to=F32),
        helper.make_node("GlobalAveragePool", ["wide"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("Cast", ["flat"], ["means"], to=answer),
    ]
    return _graph(nodes, {"picture": (kind, [rows, 3, 4, 4])}, {"means": (answer, [rows, 3])}, opset=opset)


def _means(pictures: Any) -> Any:
    return pictures.astype(np.float64).mean(axis=(2, 3))


def _softmax(numbers: Any) -> Any:
    powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("rows", ["rows", 1], ids=["any number of rows", "exported for one row"])
@pytest.mark.parametrize("opset", [8, 11, 17, 22, 24])
def test_a_file_that_takes_pictures(package: Package, rows: Any, opset: int):
    predictor = package(_model(_pooled(U8, rows, opset=opset)), PICTURES)
    field = predictor.package.signature.fields[0]
    assert (field.name, field.shape, field.dtype) == ("image", (3, 4, 4), "uint8")
    assert predictor.package.signature.output.classes == (0, 1, 2)
    found = np.asarray(predictor.predict_proba({"image": PICTURES["image"]}))
    np.testing.assert_allclose(found, _softmax(_means(PICTURES["image"])), atol=1e-5)


@pytest.mark.parametrize("answer", [F32, F16, F64])
@pytest.mark.parametrize("kind", [F32, F16, F64])
def test_the_types_of_a_file_are_its_own(package: Package, kind: int, answer: int):
    data = {"image": EMBEDDINGS["image"], "target": np.where(EMBEDDINGS["target"] > 0.5, 2, PICTURES["target"])}
    predictor = package(_model(_pooled(kind, "rows", answer)), data)
    assert predictor.package.options["precision"] == ("float64" if answer == F64 else "float32")
    found = np.asarray(predictor.predict_proba({"image": data["image"]}))
    loose = F16 in (kind, answer)
    np.testing.assert_allclose(found, _softmax(_means(data["image"])), atol=2e-3 if loose else 1e-6)


def test_a_picture_of_another_shape_is_named(package: Package):
    with pytest.raises(
        Incompatible, match=r"shape \(any, 3, 4, 4\), and the training data uint8 of shape \(rows, 4, 4\)"
    ):
        package(_model(_pooled(U8, "rows")), {**PICTURES, "image": PICTURES["image"][:, 0]})


def test_one_row_at_a_time_is_refused(package: Package):
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    shape = numpy_helper.from_array(np.array([1, 2]), "shape")
    model = _model(_graph(nodes, {"x": (F32, [1, 2])}, {"y": (F32, [1, 2])}, [shape]))
    with pytest.raises(Incompatible, match="does not answer to 200 rows") as caught:
        package(model, FRAME.assign(target=FRAME["a"]))
    assert "dynamic first axis" in str(caught.value.mend)


def _two_towers() -> Any:
    nodes = [
        helper.make_node("ReduceSum", ["picture", "axes"], ["inks"], keepdims=0),
        helper.make_node("ReduceMean", ["inks"], ["ink"], axes=[1], keepdims=1),
        helper.make_node("Cast", ["age"], ["years"], to=F32),
        helper.make_node("Mul", ["ink", "years"], ["product"]),
    ]
    inputs = {"picture": (F32, ["n", 3, 4, 4]), "age": (I64, ["n", 1])}
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    return _graph(nodes, inputs, {"product": (F32, ["n", 1])}, [axes], opset=17)


def test_several_inputs_are_found_by_name(package: Package):
    data = {"age": np.arange(60), "picture": EMBEDDINGS["image"], "target": EMBEDDINGS["target"]}
    predictor = package(_model(_two_towers()), data)
    found = np.asarray(predictor.predict({name: data[name] for name in ("age", "picture")}))
    expected = EMBEDDINGS["image"].sum(axis=(2, 3)).mean(axis=1) * np.arange(60)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises((Incompatible, UsageError), match="image"):
        package(_model(_two_towers()), {**EMBEDDINGS, "age": np.arange(60)})


def test_of_several_outputs_one_is_named(package: Package, tmp_path: Path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Neg", ["y"], ["z"])]
    weights = numpy_helper.from_array(np.array([[1.0], [2.0]], np.float32), "w")
    outputs = {"y": (F32, ["n", 1]), "z": (F32, ["n", 1])}
    two = _graph(nodes, {"x": (F32, ["n", 2])}, outputs, [weights])
    with pytest.raises(Incompatible, match="answers y, z") as caught:
        _model(two)
    assert 'plusone.onnx_file(path, output="z")' in str(caught.value.mend)
    onnx.save(two, tmp_path / "two.onnx")
    predictor = package(plusone.onnx_file(tmp_path / "two.onnx", output="z"), FRAME.assign(target=FRAME["a"]))
    assert float(predictor.predict([{"a": 1.0, "b": 1.0}])[0]) == pytest.approx(-3.0)
    with pytest.raises(Incompatible, match="no output 'q': it has y, z"):
        plusone.onnx_file(tmp_path / "two.onnx", output="q")


def test_a_train_function_may_return_a_path_or_a_model(package: Package, tmp_path: Path):
    weights = np.array([[0.5], [0.25]], np.float32)
    proto = _linear(weights, external=True)
    onnx.save(_linear(weights), tmp_path / "whole.onnx")
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    (tmp_path / "model.onnx.data").write_bytes(b"\0\0\0\0" + weights.tobytes())
    data = FRAME.assign(target=FRAME["a"])
    for model in (tmp_path / "whole.onnx", tmp_path / "model.onnx", _linear(weights)):
        assert float(package(model, data).predict([{"a": 1.0, "b": 2.0}])[0]) == pytest.approx(1.0)
    with pytest.raises(UsageError, match="no ONNX file"):
        package(tmp_path / "gone.onnx", data)


def test_tensors_outside_of_its_folder_are_not_read(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 12)
    proto = _linear([[0.5], [0.25]], external=True)
    proto.graph.initializer[0].external_data[0].value = "../secret"
    (tmp_path / "inner" / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises((UsageError, Incompatible), match="leads out of"):
        plusone.onnx_file(tmp_path / "inner" / "model.onnx")


def test_what_a_person_says_of_a_file_counts(package: Package, tmp_path: Path):
    onnx.save(_linear([[3.0], [-3.0]]), tmp_path / "m.onnx")
    data = FRAME.assign(target=FRAME["a"] > FRAME["b"])
    predictor = package(plusone.onnx_file(tmp_path / "m.onnx", answers="logits", classes=["no", "yes"]), data)
    assert predictor.package.signature.output.classes == ("no", "yes")
    probability = float(predictor.predict_proba([{"a": 1.0, "b": 0.0}])[0, 1])
    assert probability == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-6)
    unknown: Any = "label"
    with pytest.raises(UsageError, match="expected one of"):
        plusone.onnx_file(tmp_path / "m.onnx", answers=unknown)


def test_labels_without_probabilities_are_answered(package: Package):
    target = np.where(FRAME["a"] > FRAME["b"], "high", "low")
    fitted = LinearSVC().fit(FRAME.to_numpy(), target)
    predictor = package(_model(to_onnx(fitted, SAMPLE)), FRAME.assign(target=target))
    assert predictor.package.signature.output.classes == ("high", "low")
    assert not predictor.package.signature.output.probabilities
    found = predictor.predict(FRAME.to_dict("records"))
    assert (np.asarray(found) == fitted.predict(FRAME.to_numpy())).mean() > 0.99


def test_a_label_alone_is_one_of_the_datas(package: Package):
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], axes=[1], keepdims=0),
        helper.make_node("Round", ["m"], ["r"]),
        helper.make_node("Cast", ["r"], ["label"], to=I64),
    ]
    proto = _graph(nodes, {"x": (F32, ["n", 2])}, {"label": (I64, ["n"])}, opset=13)
    highest = FRAME.max(axis=1).round().astype(int)
    predictor = package(_model(proto), FRAME.assign(target=highest))
    assert list(predictor.predict(FRAME.head(30).to_dict("records"))) == highest.head(30).tolist()
    with pytest.raises(Incompatible, match=r"does not say its classes, and the target .* has none"):
        package(_model(proto), FRAME.assign(target=FRAME["a"]))


def test_functions_of_a_file_are_written_out(package: Package):
    body = [helper.make_node("Add", ["p", "p"], ["q"])]
    twice = helper.make_function("mine", "Twice", ["p"], ["q"], body, [helper.make_opsetid("", 21)])
    nodes = [helper.make_node("Twice", ["x"], ["t"], domain="mine"), helper.make_node("MatMul", ["t", "w"], ["y"])]
    weights = numpy_helper.from_array(np.array([[1.0], [0.0]], np.float32), "w")
    proto = _graph(nodes, {"x": (F32, ["n", 2])}, {"y": (F32, ["n", 1])}, [weights], mine=1)
    proto.functions.append(twice)
    predictor = package(_model(proto), FRAME.assign(target=FRAME["a"]))
    assert float(predictor.predict([{"a": 0.5, "b": 0.0}])[0]) == pytest.approx(1.0)


def test_operators_of_onnxruntime_are_kept(package: Package):
    nodes = [helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft", alpha=2.0)]
    weights = numpy_helper.from_array(np.array([[1.0], [0.0]], np.float32), "w")
    proto = _graph(nodes, {"x": (F32, ["n", 2])}, {"y": (F32, ["n", 1])}, [weights])
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    predictor = package(_model(proto), FRAME.assign(target=FRAME["a"]))
    assert float(predictor.predict([{"a": 0.5, "b": 0.0}])[0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        (["n", 3], F32, "has 2 features: expected a matrix"),
        (["n", 3, 2], F32, "has 2 features: expected a matrix"),
        ([], F32, "The input 'x' of the ONNX model has type float32"),
        (["n", 2], TensorProto.COMPLEX64, "complex64"),
    ],
)
def test_inputs_that_no_request_has_are_refused(package: Package, shape: list[Any], kind: int, words: str):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    with pytest.raises(Incompatible, match=words):
        package(_model(_graph(nodes, {"x": (kind, shape)}, {"y": (kind, shape)})), FRAME.assign(target=FRAME["a"]))


@settings(max_examples=200)
@given(st.data())
def test_a_broken_file_never_gets_further_than_an_error(data: st.DataObject):
    whole = bytearray(_linear([[1], [2]]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Incompatible):
        _model(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
