"""The parts of a model that skl2onnx converts, one part at a time, copied into our graph.

skl2onnx is slow to import (2.5 s), so it is imported when the first such part turns up.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import warnings
from typing import Any, Literal

import numpy as np

from .graph import OPSET, Graph

__all__ = ["convert", "convert_estimator"]

_OPSETS = {"": OPSET, "ai.onnx.ml": 3}


def convert(graph: Graph, part: Any, name: str, width: int, kind: str, path: str) -> tuple[str, int]:
    """Copy a transformer into the graph; return its output as numbers in the graph's type, and its width."""
    model, dtype = _convert(part, width, kind, graph.dtype, [{}])
    output = model.graph.output[0]
    tensor = graph.merge(model, {model.graph.input[0].name: _enter(graph, name, kind, dtype)}, output.name)
    columns = output.type.tensor_type.shape.dim[1].dim_value
    if not columns:
        columns = int(np.shape(part.transform(_probe(width, kind)))[1])
    return _leave(graph, tensor, output), columns


def convert_estimator(
    graph: Graph, part: Any, name: str, width: int, path: str
) -> tuple[str, Literal["probabilities", "codes", "number"]]:
    """Copy a classifier or regressor into the graph; return its answers and what they are."""
    classes = getattr(part, "classes_", None)
    part = _with_integer_classes(part)
    # Most classifiers would answer a list of dicts; those that never do refuse the option.
    options: list[Any] = [{}] if classes is None else [{id(part): {"zipmap": False}}, {}]
    model, dtype = _convert(part, width, "number", graph.dtype, options)
    inputs = {model.graph.input[0].name: _enter(graph, name, "number", dtype)}
    outputs = list(model.graph.output)
    if classes is None:
        return _leave(graph, graph.merge(model, inputs, outputs[0].name), outputs[0]), "number"
    if hasattr(part, "predict_proba"):
        return _leave(graph, graph.merge(model, inputs, outputs[1].name), outputs[1]), "probabilities"
    return _codes(graph, graph.merge(model, inputs, outputs[0].name), outputs[0], classes), "codes"


def _convert(part: Any, width: int, kind: str, wanted: Any, choices: list[Any]) -> tuple[Any, Any]:
    """Return the converted part and the type of its input: float64 if skl2onnx and onnxruntime can, else float32."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    tries: list[tuple[Any, Any]] = [(StringTensorType, None)]
    if kind == "number":
        tries = [(DoubleTensorType, np.float64), (FloatTensorType, np.float32)]
        if wanted == np.float32:
            tries = tries[1:]
    failure: Exception = ValueError("nothing was tried")
    for (tensor_type, dtype), options in itertools.product(tries, choices):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = convert_sklearn(
                    part, "part", [("X", tensor_type([None, width]))], options=options, target_opset=_OPSETS
                )
            _check_loads(model)
            return model, dtype
        except Exception as error:  # whatever skl2onnx or onnxruntime raises, the next type may do
            # A NameError only says that an option is not known: what came before it says more.
            failure = failure if isinstance(error, NameError) else error
    raise failure


def _with_integer_classes(part: Any) -> Any:
    """Return the part, or a copy whose boolean labels are 0 and 1: skl2onnx takes booleans for strings."""
    classes = getattr(part, "classes_", None)
    if classes is None or np.asarray(classes).dtype != np.bool_:
        return part
    part = copy.deepcopy(part)
    for inner in [part, *np.ravel(getattr(part, "estimators_", []))]:
        with contextlib.suppress(AttributeError):
            inner.classes_ = np.asarray(inner.classes_).astype(np.int64)
    return part


def _check_loads(model: Any) -> None:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _enter(graph: Graph, name: str, kind: str, dtype: Any) -> str:
    if kind == "string" or dtype == graph.dtype:
        return name
    graph.precision = "float32"
    return graph.cast(name, dtype)


def _leave(graph: Graph, name: str, output: Any) -> str:
    from onnx import helper

    present = helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
    if present == np.float32:
        graph.precision = "float32"
    return name if present == graph.dtype else graph.cast(name, graph.dtype)


def _codes(graph: Graph, name: str, output: Any, classes: Any) -> str:
    """Return the index of each label among the classes, shape (rows,)."""
    from onnx import TensorProto

    codes = list(range(len(classes)))
    if output.type.tensor_type.elem_type == TensorProto.STRING:
        return graph.add(
            "LabelEncoder",
            name,
            domain="ai.onnx.ml",
            keys_strings=[str(label) for label in classes],
            values_int64s=codes,
            default_int64=0,
        )
    column = graph.add("Reshape", name, graph.constant([-1, 1], np.int64))
    labels = np.asarray(classes).astype(np.int64).reshape(1, -1)
    hits = graph.add("Equal", graph.cast(column, np.int64), graph.constant(labels, np.int64))
    return graph.add("ArgMax", graph.cast(hits, np.float32), axis=1, keepdims=0)


def _probe(width: int, kind: str) -> Any:
    return np.full((1, width), "", dtype=object) if kind == "string" else np.zeros((1, width))
