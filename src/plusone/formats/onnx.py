"""ONNX files that were made elsewhere: asked like a trained model, and completed to take the fields of a request.

The file has one input, a matrix of the features in their order; or one input for each feature, named like it; or, for
tensors such as images, one input for each. It answers a label and perhaps probabilities, or one tensor of numbers.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import files
from ..base.errors import Incompatible, UsageError
from ..base.records import Field, Output
from ..graphs.graph import ML, OPSET, Graph
from ..graphs.layout import Block
from . import Compiled, Opened
from .answers import Asked, Said, decide, spans, write
from .arguments import Argument, arrays_of, described

__all__ = ["OnnxModel", "onnx_file", "open_model"]

_MEND = "export it with inputs of numbers or strings, and answers that are numbers, or a label and probabilities"
_SAY = "return plusone.onnx_file(path, answers={}) from the train function"
_OLDEST = 9  # of older versions the nodes that we put around a model are not certain to mean the same
_OURS = ("", "ai.onnx", ML, "com.microsoft")
"""Sets of operators that onnxruntime has."""


class _Input(NamedTuple):
    name: str
    dtype: Any
    shape: tuple[int | None, ...] | None
    """None for axes that may have any size, and for a shape that the file does not say."""


class OnnxModel:
    """An ONNX file as something that predicts, answered by onnxruntime as the file itself says.

    Attributes:
        proto: the model, without the maps that converters put around probabilities.
        inputs: its inputs.
        label: the output that holds the labels, if there is one.
        answer: the output that holds the numbers, if there is one.

    Args:
        data: the file's bytes.
        beside: returns the bytes of a file beside it, in which it keeps large tensors; None when there is no such file.
        said: what a person said of its answers.
        output: the name of the output to answer with; needed where there are several.

    Raises:
        Incompatible: when it is no ONNX, or takes or answers something else than is described above.
    """

    def __init__(
        self, data: bytes, *, beside: Callable[[str], bytes | None], said: Said | None = None, output: str = ""
    ) -> None:
        import onnx

        try:
            self.proto = onnx.load_from_string(data)
            _take_in(self.proto, beside)
            self.proto = _without_functions(self.proto)
            onnx.checker.check_model(self.proto)
        except Incompatible:
            raise
        except Exception as error:  # protobuf, the checker and the reader of tensors each raise their own
            raise Incompatible(f"The file is no ONNX model: {type(error).__name__}: {str(error)[:300]}") from error
        foreign = sorted({one.domain for one in self.proto.opset_import} - set(_OURS))
        if foreign or self.proto.functions or self.proto.graph.sparse_initializer:
            what = f"operators of {', '.join(foreign)}" if foreign else "functions or sparse tensors of its own"
            raise Incompatible(f"The ONNX model has {what}.", mend=_MEND)
        self.said = said or Said()
        self._read_inputs()
        self._read_outputs(output)
        self.classes = self._without_maps() or self._said_classes()
        _free_rows(self.proto.graph)
        self._session = _open(self.proto)

    def run(self, name: str, feeds: dict[str, Any]) -> Any:
        """Return one output for these inputs; 16-bit numbers as 32-bit ones."""
        rows = len(next(iter(feeds.values())))
        parts: list[Any] = []
        for span in spans(rows):
            some = {key: array[span] for key, array in feeds.items()}
            try:
                out = np.asarray(self._session.run([name], some)[0])
            except Exception as error:  # onnxruntime raises its own classes, RuntimeError among them
                raise Incompatible(
                    f"The ONNX model does not answer to {len(next(iter(some.values())))} rows: {str(error)[:300]}",
                    mend="export it with a dynamic first axis, and with the shapes that the training data has",
                ) from error
            if out.ndim == 0 or len(out) != len(next(iter(some.values()))):
                raise Incompatible(
                    f"The output {name!r} has shape {out.shape} for {len(next(iter(some.values())))} rows: expected "
                    "one answer for each row, in the first axis.",
                    mend="export it with a dynamic first axis",
                )
            parts.append(out.astype(np.float32) if out.dtype == np.float16 else out)
        return np.concatenate(parts)

    def _read_inputs(self) -> None:
        from onnx import helper

        known = {tensor.name for tensor in self.proto.graph.initializer}
        self.inputs: list[_Input] = []
        for one in self.proto.graph.input:
            if one.name in known:
                continue
            kind = one.type.tensor_type
            dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type) if kind.elem_type else np.dtype("V")
            shape = tuple(axis.dim_value or None for axis in kind.shape.dim) if kind.HasField("shape") else None
            if dtype.kind not in "fiubO" or shape == ():
                raise Incompatible(f"The input {one.name!r} of the ONNX model has type {dtype}.", mend=_MEND)
            self.inputs.append(_Input(one.name, dtype, shape))
        if not self.inputs:
            raise Incompatible("The ONNX model has no input.", mend=_MEND)
        if len(self.inputs) > 1:
            self.feature_names_in_ = np.array([one.name for one in self.inputs], dtype=object)

    def _read_outputs(self, wanted: str) -> None:
        """Find the label and the numbers among the outputs."""
        from onnx import TensorProto

        outputs = {one.name: one.type.tensor_type.elem_type for one in self.proto.graph.output}
        if wanted and wanted not in outputs:
            raise Incompatible(f"The ONNX model has no output {wanted!r}: it has {', '.join(outputs)}.")
        if wanted:
            outputs = {wanted: outputs[wanted]}
        integers = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
        labels = [name for name, kind in outputs.items() if kind in integers]
        others = [name for name in outputs if name not in labels]
        if len(labels) > 1 or len(others) > 1:
            raise Incompatible(
                f"The ONNX model answers {', '.join(outputs)}: expected one tensor of numbers, or a label and "
                "probabilities.",
                mend=f'return plusone.onnx_file(path, output="{others[-1] if others else labels[0]}")',
            )
        self.label: str | None = labels[0] if labels else None
        self.answer: str | None = others[0] if others else None

    def _without_maps(self) -> list[Any] | None:
        """Take away the maps from labels to probabilities, which lists of dicts would come of; return their labels."""
        from onnx import TensorProto, helper

        graph = self.proto.graph
        found = [node for node in graph.node if node.op_type == "ZipMap" and self.answer in node.output]
        if not found or self.answer is None:
            return None
        classes = _labels_of(found[0])
        graph.node.remove(found[0])
        place = next(one for one in graph.output if one.name == self.answer)
        inside = str(found[0].input[0])
        place.CopyFrom(helper.make_tensor_value_info(inside, TensorProto.FLOAT, [None, len(classes)]))
        self.answer = inside
        return classes

    def _said_classes(self) -> list[Any]:
        found = [_labels_of(node) for node in self.proto.graph.node]
        return next((labels for labels in reversed(found) if labels), [])


def onnx_file(
    path: Path | str,
    *,
    answers: Literal["logits", "probabilities", "number", "vector"] | None = None,
    classes: Sequence[Any] = (),
    names: Sequence[str] = (),
    output: str = "",
) -> OnnxModel:
    """Return the model in an ONNX file, for the train function to return.

    Args:
        answers: what the numbers are that it answers; found out without it, see docs/tasks/models.md.
        classes: the labels, in the order of the numbers; without it the sorted labels of the training data.
        names: of a vector: the name of each number.
        output: the name of the output to answer with, where the file has several.

    Raises:
        UsageError: when there is no such file, or what was said fits no model.
        Incompatible: when it holds no model, or one that takes or answers something that no request can.
    """
    said = Said.of(answers, classes, names)
    place = Path(path)
    if not place.is_file():
        raise UsageError(f"There is no ONNX file {place}.")

    def beside(name: str) -> bytes | None:
        other = files.inside(place.parent, name)
        return other.read_bytes() if name and other.is_file() else None

    return OnnxModel(place.read_bytes(), beside=beside, said=said, output=output)


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return an ONNX model and the way to make it take a request's fields; None when the object is none.

    It is what `onnx_file` returned, the path of a file that ends in `.onnx`, or an `onnx.ModelProto`.
    """
    onnx: Any = sys.modules.get("onnx")
    found: OnnxModel | None = model if isinstance(model, OnnxModel) else None
    if isinstance(model, Path) and model.suffix == ".onnx":
        found = onnx_file(model)
    elif onnx is not None and isinstance(model, onnx.ModelProto):
        proto: Any = model
        found = OnnxModel(proto.SerializeToString(), beside=lambda name: None)
    if found is None:
        return None
    return Opened(trained=found, compile=_nothing_yet, settle=functools.partial(_settle, found, labels))


def _nothing_yet(fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    return iter(())


def _settle(model: OnnxModel, labels: Sequence[Any], fields: Sequence[Field], frame: Any) -> Opened:
    arguments = _arguments(model, fields)

    def feeds(rows: Any) -> dict[str, Any]:
        values = arrays_of(rows, fields)
        return {one.name: argument.array(values) for one, argument in zip(model.inputs, arguments, strict=True)}

    if model.label is not None and not model.said.answers:
        return _labelled(model, labels, arguments, feeds, frame)
    answer = model.answer or model.label or ""
    meaning = decide(model.run(answer, feeds(frame)), model.said.classes or labels, model.said, mend=_SAY)

    def finish(graph: Graph, merged: Callable[[str], str]) -> Compiled:
        return write(graph, merged(answer), meaning)

    asked = Asked(lambda rows: model.run(answer, feeds(rows)), meaning)
    compiled = functools.partial(_attempts, model, arguments, finish)
    return Opened(trained=asked, compile=compiled, output=meaning.output)


class _Labelled:
    """A model that answers the label itself, and perhaps the probability of each."""

    def __init__(self, ask: Callable[[str, Any], Any], label: str, answer: str | None, codes: list[Any]) -> None:
        self._ask = ask
        self._label = label
        self._places = {code: place for place, code in enumerate(codes)}
        self.classes_: Any = None
        if answer is not None:
            self.predict_proba = functools.partial(ask, answer)

    def predict(self, frame: Any) -> Any:
        """Return the labels, shape (rows,)."""
        return self.classes_[[self._places[code] for code in self._ask(self._label, frame).ravel().tolist()]]


def _labelled(
    model: OnnxModel,
    labels: Sequence[Any],
    arguments: Sequence[Argument],
    feeds: Callable[[Any], dict[str, Any]],
    frame: Any,
) -> Opened:
    """Return a model that answers labels; its numbers are probabilities, or scores that nobody is answered with."""
    label = str(model.label)
    codes = model.classes or [int(one) if isinstance(one, bool) else one for one in model.said.classes or labels]
    found = sorted(set(model.run(label, feeds(frame)).ravel().tolist()), key=repr)
    if not codes or len(set(codes)) != len(codes) or not set(found) <= set(codes):
        raise Incompatible(
            f"The ONNX model answers labels ({', '.join(map(repr, found[:8]))}) and does not say its classes, and the "
            f"target of the training data has {', '.join(map(repr, codes[:8])) or 'none'}.",
            mend=_SAY.format('"number"') if model.answer is None else _MEND,
        )
    answer = model.answer
    if answer is not None:
        seen = model.run(answer, feeds(frame))
        fits = seen.ndim == 2 and seen.shape[1] == len(codes) and bool(np.isclose(seen.sum(axis=1), 1, atol=1e-3).all())
        answer = answer if fits else None
    asked = _Labelled(lambda name, rows: model.run(name, feeds(rows)), label, answer, codes)
    asked.classes_ = _as_labels(codes, labels)
    classes = tuple(asked.classes_.tolist())
    output = Output(name="", kind="classes", classes=classes, probabilities=answer is not None)

    def finish(graph: Graph, merged: Callable[[str], str]) -> Compiled:
        if answer is not None:
            data = graph.finish(graph.cast(merged(answer), np.float32), np.float32, flat=False)
            return Compiled(graph=data, output="probabilities", precision="float32")
        places = list(range(len(codes)))
        if isinstance(codes[0], str):
            named: dict[str, Any] = {"keys_strings": codes}
            tensor = merged(label)
        else:
            named = {"keys_int64s": codes}
            tensor = graph.cast(merged(label), np.int64)
        found = graph.add("LabelEncoder", tensor, domain=ML, values_int64s=places, default_int64=0, **named)
        return Compiled(graph=graph.finish(found, np.int64, flat=True), output="codes", precision="float32")

    return Opened(trained=asked, compile=functools.partial(_attempts, model, arguments, finish), output=output)


def _arguments(model: OnnxModel, fields: Sequence[Field]) -> list[Argument]:
    """Return what each input of the file is made of."""
    tensors = any(field.shape is not None for field in fields)
    if len(model.inputs) == 1 and not tensors:
        one = model.inputs[0]
        width = one.shape[1] if one.shape is not None and len(one.shape) == 2 else None
        if (one.shape is not None and len(one.shape) != 2 and len(fields) > 1) or width not in (None, len(fields)):
            raise Incompatible(
                f"The input {one.name!r} of the ONNX model has shape {_sizes(one.shape)}, and the model has "
                f"{len(fields)} features: expected a matrix with a column for each.",
                mend="name the features that the file was made for in features=, in its order",
            )
        flat = one.shape is not None and len(one.shape) == 1
        return [Argument(tuple(fields), one.dtype, "flat" if flat else "matrix")]
    by_name = {field.name: field for field in fields}
    if len(model.inputs) == 1 == len(fields):
        by_name = {model.inputs[0].name: fields[0]}
    if sorted(by_name) != sorted(one.name for one in model.inputs):
        raise Incompatible(
            f"The ONNX model has the inputs {', '.join(repr(one.name) for one in model.inputs)}, and the features are "
            f"{', '.join(map(repr, by_name))}: expected features of the same names.",
            mend="name the columns of the training data like the inputs",
        )
    return [_argument(one, by_name[one.name]) for one in model.inputs]


def _argument(one: _Input, field: Field) -> Argument:
    if field.shape is None:
        flat = one.shape is not None and len(one.shape) == 1
        if one.shape is not None and (len(one.shape) > 2 or set(one.shape[1:]) - {None, 1}):
            raise Incompatible(
                f"The input {one.name!r} of the ONNX model has shape {_sizes(one.shape)}, and the feature "
                f"{field.name!r} holds one value: expected shape (rows, 1).",
                mend=_MEND,
            )
        return Argument((field,), one.dtype, "flat" if flat else "column")
    found = Argument((field,), one.dtype, "tensor")
    sizes = None if one.shape is None else one.shape[1:]
    if sizes is not None and (
        len(sizes) != len(field.shape) or any(a not in (None, b) for a, b in zip(sizes, field.shape, strict=True))
    ):
        raise Incompatible(
            f"The input {one.name!r} of the ONNX model has shape {_sizes(one.shape)}, and the training data "
            f"{described([found])}.",
            mend="let a step bring the data into the shape that the file takes",
        )
    return found


def _sizes(shape: tuple[int | None, ...] | None) -> str:
    return "(any)" if shape is None else f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _attempts(
    model: OnnxModel,
    arguments: Sequence[Argument],
    finish: Callable[[Graph, Callable[[str], str]], Compiled],
    fields: Sequence[Field],
    blocks: Sequence[Block],
) -> Iterator[Compiled]:
    from onnx import version_converter

    try:
        proto = model.proto
        if any(one.domain in ("", "ai.onnx") and one.version < _OLDEST for one in proto.opset_import):
            proto = version_converter.convert_version(proto, OPSET)
        graph = Graph(blocks, np.float32)
        graph.adopt(proto)
        inputs = {one.name: each.enter(graph) for one, each in zip(model.inputs, arguments, strict=True)}
        compiled = finish(graph, lambda name: graph.merge(proto, inputs, name))
    except Exception as error:
        raise Incompatible(
            f"The ONNX model can't be written for serving: {type(error).__name__}: {str(error)[:300]}", mend=_MEND
        ) from error
    yield compiled


def _open(proto: Any) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own classes, RuntimeError and protobuf errors alike
        raise Incompatible(f"onnxruntime can't load the ONNX model: {str(error)[:300]}", mend=_MEND) from error


def _free_rows(graph: Any) -> None:
    """Let the first axis of what goes in and out have any size: files are often exported for one row."""
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        axes = value.type.tensor_type.shape.dim
        if len(axes):
            axes[0].dim_param = "rows"


def _without_functions(proto: Any) -> Any:
    """Return the model with the nodes of its functions where they are called."""
    from onnx import inliner

    if not proto.functions:
        return proto
    own = {function.domain for function in proto.functions} - set(_OURS)
    proto = inliner.inline_local_functions(proto)
    kept = [one for one in proto.opset_import if one.domain not in own]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    return proto


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
                mend="keep both in one folder, or save it with save_as_external_data=False",
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
