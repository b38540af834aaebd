"""ONNX files that were made elsewhere: asked like a trained model, and written anew to take a request's own columns.

The file must have one input, a matrix of the features in their order, or one input per feature, named like it; and must
answer a number, or a label and a probability per class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..base.records import Field
from ..graphs.graph import ML, OPSET, Graph
from ..graphs.layout import Block
from . import Compiled, Opened

__all__ = ["OnnxModel", "open_model"]

_MEND = "export it with float or double inputs, and answers that are a number, or a label and probabilities"


class OnnxModel:
    """An ONNX file as something that predicts, answered by onnxruntime as the file itself says.

    Attributes:
        proto: the model, without the maps that converters put around probabilities.
        inputs: the name and the element type (of numpy) of each input.
        answer: the output that holds the probabilities or the number.

    Args:
        data: the file's bytes.
        beside: returns the bytes of a file beside it, in which it keeps large tensors; None when there is no such file.
        labels: the distinct values of the target in the training data, sorted: what a file that does not say its
            classes answers.

    Raises:
        Incompatible: when it is no ONNX, or takes or answers something else than is described above.
    """

    def __init__(self, data: bytes, *, beside: Callable[[str], bytes | None], labels: Sequence[Any]) -> None:
        import onnx

        try:
            self.proto = onnx.load_from_string(data)
            _take_in(self.proto, beside)
            onnx.checker.check_model(self.proto)
        except Incompatible:
            raise
        except Exception as error:  # protobuf, the checker and the reader of tensors each raise their own
            raise Incompatible(f"The file is no ONNX model: {type(error).__name__}: {str(error)[:300]}") from error
        foreign = {one.domain for one in self.proto.opset_import} - {"", "ai.onnx", ML}
        if foreign or self.proto.functions or self.proto.graph.sparse_initializer:
            raise Incompatible("The ONNX model has operators of its own, or sparse tensors.", mend=_MEND)
        self._read_inputs()
        classes = self._read_outputs()
        self._session = _open(self.proto)
        if self.label is not None:
            self._codes = self._raw_classes(classes, labels)
            self.classes_ = _as_labels(self._codes, labels)
            self.predict_proba = self._probabilities

    def predict(self, frame: Any) -> Any:
        """Return the labels or the numbers, shape (rows,)."""
        out = np.asarray(self._run(frame, [self.label or self.answer])[0])
        if self.label is None:
            return out[:, 0] if out.ndim == 2 and out.shape[1] == 1 else out
        places = {label: place for place, label in enumerate(self._codes)}
        return self.classes_[[places[label] for label in out.ravel().tolist()]]

    def feeds(self, frame: Any) -> dict[str, Any]:
        """Return the inputs for a dataframe, or for a matrix of its columns in order."""
        if len(self.inputs) == 1:
            ((name, dtype),) = self.inputs
            return {name: np.asarray(frame).astype(dtype)}
        return {name: np.asarray(frame[name]).reshape(-1, 1).astype(dtype) for name, dtype in self.inputs}

    def _probabilities(self, frame: Any) -> Any:
        return np.asarray(self._run(frame, [self.answer])[0])

    def _run(self, frame: Any, names: list[str]) -> Any:
        return self._session.run(names, self.feeds(frame))

    def _read_inputs(self) -> None:
        from onnx import helper

        known = {tensor.name for tensor in self.proto.graph.initializer}
        self.inputs: list[tuple[str, Any]] = []
        for one in self.proto.graph.input:
            kind = one.type.tensor_type
            if one.name in known:
                continue
            shape = [dimension.dim_value for dimension in kind.shape.dim]
            dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type) if kind.elem_type else np.dtype(object)
            if len(shape) != 2 or dtype.kind not in "fiO":
                raise Incompatible(
                    f"The input {one.name!r} of the ONNX model has shape {shape} and type {dtype}: expected a matrix "
                    "of numbers, or a column of shape (rows, 1) for each feature.",
                    mend=_MEND,
                )
            self.inputs.append((one.name, dtype))
            self.n_features_in_ = shape[1] or None
        if not self.inputs:
            raise Incompatible("The ONNX model has no input.", mend=_MEND)
        if len(self.inputs) > 1:
            self.n_features_in_ = len(self.inputs)
            self.feature_names_in_ = np.array([name for name, _ in self.inputs], dtype=object)

    def _read_outputs(self) -> list[Any] | None:
        """Find the label and the answer among the outputs; return the classes if the file says them."""
        from onnx import TensorProto

        outputs = {one.name: one.type for one in self.proto.graph.output}
        integers = (TensorProto.INT64, TensorProto.STRING)
        labels = [name for name, kind in outputs.items() if kind.tensor_type.elem_type in integers]
        others = [name for name in outputs if name not in labels]
        self.label: str | None = labels[0] if labels else None
        if len(labels) > 1 or len(others) != 1:
            raise Incompatible(
                f"The ONNX model answers {', '.join(outputs)}: expected a number, or a label and probabilities.",
                mend=_MEND,
            )
        self.answer = others[0]
        return self._without_maps() or self._said_classes()

    def _without_maps(self) -> list[Any] | None:
        """Take away the maps from labels to probabilities, which lists of dicts would come of; return their labels."""
        from onnx import TensorProto, helper

        graph = self.proto.graph
        found = [node for node in graph.node if node.op_type == "ZipMap" and self.answer in node.output]
        if not found:
            return None
        classes = _labels_of(found[0])
        graph.node.remove(found[0])
        place = next(one for one in graph.output if one.name == self.answer)
        self.answer = found[0].input[0]
        place.CopyFrom(helper.make_tensor_value_info(self.answer, TensorProto.FLOAT, [None, len(classes)]))
        return classes

    def _said_classes(self) -> list[Any] | None:
        found = [_labels_of(node) for node in self.proto.graph.node]
        return next((labels for labels in reversed(found) if labels), None)

    def _raw_classes(self, said: list[Any] | None, labels: Sequence[Any]) -> list[Any]:
        classes = said or [int(label) if isinstance(label, bool) else label for label in labels]
        if not classes or len(set(classes)) != len(classes):
            raise Incompatible(
                "The ONNX model does not say its classes, and the training data has no target.", mend=_MEND
            )
        return classes


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return an ONNX file and the way to make it take a request's columns; None when the object is none.

    The attempt raises Incompatible when the file's operators have no version that serving knows.
    """
    if not isinstance(model, OnnxModel):
        return None
    return Opened(trained=model, compile=functools.partial(_attempts, model))


def _attempts(model: OnnxModel, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    from onnx import version_converter

    try:
        proto = model.proto
        if any(one.domain in ("", "ai.onnx") and one.version != OPSET for one in proto.opset_import):
            proto = version_converter.convert_version(proto, OPSET)
        graph = Graph(blocks, np.float32)
        inputs = _enter(graph, model, [field.name for field in fields])
        answer = graph.cast(graph.merge(proto, inputs, model.answer), np.float32)
        numbers = model.label is None
        data = graph.finish(answer, np.float32, flat=numbers)
    except Exception as error:
        raise Incompatible(
            f"The ONNX model can't be written for serving: {type(error).__name__}: {str(error)[:300]}", mend=_MEND
        ) from error
    yield Compiled(graph=data, output="number" if numbers else "probabilities", precision="float32")


def _enter(graph: Graph, model: OnnxModel, names: Sequence[str]) -> dict[str, str]:
    """Return what each input of the file is in the new graph."""
    view = graph.view(names)
    if len(model.inputs) == 1:
        ((name, dtype),) = model.inputs
        if dtype.kind == "O":
            return {name: graph.matrix(view, "string")}
        wide = Graph.matrix(graph, view) if dtype == np.float32 else _exact(graph, view, dtype)
        return {name: wide}
    columns = {column.source: column for column in view}
    found: dict[str, str] = {}
    for name, dtype in model.inputs:
        column = columns[name]
        found[name] = graph.column(column) if dtype.kind == "O" else _exact(graph, [column], dtype)
    return found


def _exact(graph: Graph, view: Any, dtype: Any) -> str:
    """Return the columns as a matrix of this type, without a detour over single precision."""
    narrow, graph.dtype = graph.dtype, np.dtype(np.float64)
    try:
        wide = graph.matrix(view)
    finally:
        graph.dtype = narrow
    return wide if dtype == np.float64 else graph.cast(wide, dtype)


def _open(proto: Any) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own classes, RuntimeError and protobuf errors alike
        raise Incompatible(f"onnxruntime can't load the ONNX model: {str(error)[:300]}", mend=_MEND) from error


def _take_in(proto: Any, beside: Callable[[str], bytes | None]) -> None:
    """Put tensors that are kept in files beside the model into it."""
    from onnx import TensorProto

    for tensor in proto.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        data = beside(said.get("location", ""))
        if data is None:
            raise Incompatible(
                f"The ONNX model keeps {tensor.name!r} in the file {said.get('location')!r}, which is not beside it.",
                mend="log the whole folder, or save it with save_as_external_data=False",
            )
        start = int(said.get("offset") or 0)
        length = int(said["length"]) if said.get("length") else len(data) - start
        tensor.raw_data = data[start : start + length]
        del tensor.external_data[:]
        tensor.data_location = TensorProto.DEFAULT


def _labels_of(node: Any) -> list[Any]:
    from onnx import helper

    for attribute in node.attribute:
        if attribute.name.startswith(("classlabels", "classlabels_")):
            values = helper.get_attribute_value(attribute)
            if len(values):
                return [value.decode() if isinstance(value, bytes) else int(value) for value in values]
    return []


def _as_labels(codes: list[Any], labels: Sequence[Any]) -> Any:
    # A converter writes False and True as 0 and 1.
    if codes == [0, 1] and labels and all(isinstance(label, bool) for label in labels):
        return np.array([False, True])
    return np.array(codes, dtype=object if isinstance(codes[0], str) else np.int64)
