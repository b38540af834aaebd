"""Writes an ONNX graph node by node. Names depend on the order of writing alone, so equal models give equal bytes.

This module knows ONNX. It knows no scikit-learn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .layout import Block
from .runner import AT_ONCE
from .texts import TEXTS, Text, write_texts

__all__ = ["Column", "Graph", "View"]

OPSET = 21
IR_VERSION = 10
ML = "ai.onnx.ml"
_MOST_DENSE = 1 << 16


class Column(NamedTuple):
    """One column of a table on its way through the graph: column `place` of the tensor `tensor`."""

    tensor: str
    place: int
    kind: str
    """`number`, `integer` or `string`."""
    source: str | None = None
    """The field of the request that it still is, untouched; None once something was done to it."""


View = list[Column]


class _Sparse(NamedTuple):
    """A tensor that is not written out: of each row the places that hold something, and what they hold."""

    places: str
    values: str
    width: int


class Graph:
    """A graph being written. `dtype` is the type of all arithmetic: float64, or float32 as a second try."""

    def __init__(self, blocks: Sequence[Block], dtype: Any = np.float64) -> None:
        self.dtype = np.dtype(dtype)
        self.blocks = blocks
        self.widths: dict[str, int] = {}
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._count = 0
        self._ml_opset = 4
        self._sparse: dict[str, _Sparse] = {}
        self._dense: dict[str, str] = {}
        self._texts: list[Text] = []
        self.opset = OPSET
        """The version of the standard operators; a finished model that is merged may need another one."""
        self.domains: dict[str, int] = {}
        """Further sets of operators that a merged model needs, and their versions."""
        self.precision = self.dtype.name
        """`float32` as soon as any part of the graph computes in it."""
        self.known_values: dict[str, tuple[float, ...]] = {}
        """Numbers that a field must be one of, because the trained model raises for any other."""
        self._flat: dict[str, View] = {}
        """By block of tensors: its values as the columns of a matrix."""
        self.rounded: set[str] = set()
        """Tensors of 64 bits whose numbers the trained model holds in 32: it was given no wider ones."""
        self._gives_32 = (
            self.dtype == np.float64
            and bool(blocks)
            and all(block.shape is not None for block in blocks)
            and np.result_type(*(block.kind for block in blocks)) == np.float32
        )
        for block in blocks:
            if block.shape is None:
                self.widths[block.name] = len(block.fields)

    def view(self, names: Sequence[str]) -> View:
        """Return the fields `names` of the request as columns; a tensor as one column for each of its values."""
        kinds = {"float64": "number", "int64": "integer", "string": "string"}
        found: dict[str, View] = {}
        for block in self.blocks:
            if block.shape is not None:
                if block.fields[0] in names:
                    found[block.fields[0]] = self._flatten(block, block.shape)
                continue
            for index, name in enumerate(block.fields):
                found[name] = [Column(block.name, index, kinds[block.dtype], name)]
        return [column for name in names for column in found[name]]

    def _flatten(self, block: Block, shape: tuple[int, ...]) -> View:
        """Return the values of a block of tensors as columns, in the order in which they lie, in `dtype`."""
        if block.name not in self._flat:
            width = math.prod(shape)
            name = block.name
            if len(shape) != 1:
                name = self.add("Reshape", name, self.constant([0, width], np.int64))
            if block.dtype != self.dtype.name:
                name = self.cast(name, self.dtype)
            elif name == block.name:  # a tensor of this very name is taken for a raw one
                name = self.add("Identity", name)
            if self._gives_32:
                self.rounded.add(name)
            self._flat[block.name] = self.whole(name, width)
        return self._flat[block.name]

    def name(self, stem: str) -> str:
        """Return a new unique name."""
        self._count += 1
        return f"{stem}_{self._count}"

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        return self.add_all(op, *inputs, domain=domain, count=1, **attributes)[0]

    def add_all(self, op: str, *inputs: str, count: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with `count` outputs; return their names."""
        from onnx import helper

        outputs = [self.name(op.lower()) for _ in range(count)]
        self._nodes.append(helper.make_node(op, list(inputs), outputs, name=outputs[0], domain=domain, **attributes))
        # The older tree operators, which other converters write, exist up to version 4 of this domain only.
        self._ml_opset = max(self._ml_opset, 5 if op == "TreeEnsemble" else 4)
        return outputs

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Return the name of a constant tensor; equal constants are stored once."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(np.asarray(value, dtype=dtype or self.dtype))
        if np.ndim(value) == 0:
            array = array.reshape(())
        key = (array.dtype.str, array.shape, array.tobytes() if array.dtype != object else tuple(array.ravel()))
        if key not in self._constants:
            name = self.name("constant")
            self._initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def attribute(self, value: Any, dtype: Any) -> Any:
        """Return a tensor to be the attribute of a node."""
        from onnx import numpy_helper

        return numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, dtype=dtype)), "t")

    def cast(self, name: str, dtype: Any) -> str:
        """Return the tensor in another type."""
        from onnx import helper

        return self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def matrix(self, view: View, kind: str = "number") -> str:
        """Return one tensor of shape (rows, columns of the view): numbers in `dtype`, or strings.

        Raises:
            TypeError: when a text column should be a number, or the other way round.
        """
        parts: list[str] = []
        for tensor, present, places in _pieces(view):
            parts.append(self._convert(self._pick(self._written_out(tensor), places), tensor, present, kind))
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def product(self, view: View, weights: Any) -> str:
        """Return the matrix of the view times `weights`, shape (columns, targets)."""
        parts: list[str] = []
        dense: View = []
        rows: list[int] = []
        start = 0
        for tensor, _, places in _pieces(view):
            stop = start + len(places)
            sparse = self._sparse.get(tensor)
            if sparse is None or places != list(range(sparse.width)):
                dense += view[start:stop]
                rows += range(start, stop)
            else:
                # One row more: what stands for nothing weighs nothing.
                table = np.vstack([weights[start:stop], np.zeros((1, weights.shape[1]))])
                looked_up = self.add("Gather", self.constant(table), sparse.places, axis=0)
                each = self.add("Mul", looked_up, self.add("Unsqueeze", sparse.values, self.constant([2], np.int64)))
                parts.append(self.add("ReduceSum", each, self.constant([1], np.int64), keepdims=0))
            start = stop
        if dense:
            parts.insert(0, self.add("MatMul", self.matrix(dense), self.constant(weights[rows])))
        return parts[0] if len(parts) == 1 else self.add("Sum", *parts)

    def text(self, column: Column, **how: Any) -> View:
        """Return the counts of the terms of a field of text.

        Args:
            how: the attributes of `texts.Text` but for where the text is.
        """
        name = self.name("text")
        text = Text(input=name, block=column.tensor, column=column.place, **how)
        self._texts.append(text)
        counts = f"{name}.counts"
        if self.dtype != np.float64:
            counts = self.cast(counts, self.dtype)
        return self.sparse(f"{name}.terms", counts, text.width)

    def sparse(self, places: str, values: str, width: int) -> View:
        """Return a view of what holds `values` at `places`, both of shape (rows, any); the place `width` is none."""
        name = self.name("sparse")
        self._sparse[name] = _Sparse(places, values, width)
        return self.whole(name, width)

    def parts_of(self, view: View) -> tuple[str, str, int] | None:
        """Return places, values and width of a view that is one sparse tensor, whole; None for all others."""
        found = self._sparse.get(view[0].tensor) if view else None
        if found is None or len(view) != found.width or any(c.tensor != view[0].tensor for c in view):
            return None
        return found if [column.place for column in view] == list(range(found.width)) else None

    def _written_out(self, tensor: str) -> str:
        """Return a tensor with a number in each of its places."""
        sparse = self._sparse.get(tensor)
        if sparse is None:
            return tensor
        if sparse.width > _MOST_DENSE:
            raise ValueError(
                f"{sparse.width} terms are too many; linear models, naive Bayes and TruncatedSVD take them"
            )
        if tensor not in self._dense:
            shape = self.add("Shape", sparse.places)
            rows = self.add("Gather", shape, self.constant([0], np.int64), axis=0)
            size = self.add("Concat", rows, self.constant([sparse.width + 1], np.int64), axis=0)
            zeros = self.add("Expand", self.constant(0.0), size)
            filled = self.add("ScatterElements", zeros, sparse.places, sparse.values, axis=1, reduction="add")
            start, stop, axis = (self.constant([value], np.int64) for value in (0, sparse.width, 1))
            written = self._dense[tensor] = self.add("Slice", filled, start, stop, axis)
            self.widths[written] = sparse.width
        return self._dense[tensor]

    def column(self, column: Column) -> str:
        """Return one column as a tensor of shape (rows, 1), of its own kind, numbers in `dtype`."""
        return self.matrix([column], column.kind)

    def flat(self, column: Column) -> str:
        """Return one column as a tensor of shape (rows,), of its own kind, numbers in `dtype`."""
        name = self.add("Gather", column.tensor, self.constant(column.place, np.int64), axis=1)
        return self._convert(name, column.tensor, column.kind, column.kind)

    def pick_from(self, tensor: str, indices: list[int]) -> str:
        """Return the columns `indices` of a tensor, in that order."""
        return self.add("Gather", tensor, self.constant(indices, np.int64), axis=1)

    def whole(self, tensor: str, width: int, kind: str = "number") -> View:
        """Return every column of a tensor, which must have this width."""
        self.widths[tensor] = width
        return [Column(tensor, index, kind) for index in range(width)]

    def _pick(self, tensor: str, indices: list[int]) -> str:
        if indices == list(range(self.widths[tensor])):
            return tensor
        return self.pick_from(tensor, indices)

    def _convert(self, name: str, tensor: str, present: str, wanted: str) -> str:
        if (present == "string") != (wanted == "string"):
            raise TypeError(f"a {present} column reached a step that takes {wanted}s")
        if wanted == "string" or wanted == "integer":
            return name
        raw = tensor in {block.name for block in self.blocks}
        if present == "integer" or (raw and self.dtype != np.float64):
            return self.cast(name, self.dtype)
        return name

    def adopt(self, model: Any) -> None:
        """Take over the versions of the operators of a finished model that will be merged: its own, not converted."""
        for one in model.opset_import:
            if one.domain in ("", "ai.onnx"):
                self.opset = one.version
            elif one.domain == ML:
                self._ml_opset = max(self._ml_opset, one.version)
            else:
                self.domains[one.domain] = one.version

    def merge(self, model: Any, inputs: dict[str, str], output: str) -> str:
        """Copy the nodes of a finished ONNX model into this graph; return the new name of its tensor `output`.

        Args:
            inputs: what each input of `model` is in this graph.
        """
        prefix = self.name("part") + "/"
        names = dict(inputs)
        names[""] = ""

        def renamed(old: str) -> str:
            return names.setdefault(old, prefix + old)

        for tensor in model.graph.initializer:
            copy = type(tensor)()
            copy.CopyFrom(tensor)
            copy.name = renamed(tensor.name)
            self._initializers.append(copy)
        for index, node in enumerate(model.graph.node):
            if any(attribute.HasField("g") for attribute in node.attribute):
                _rename_subgraphs(node, renamed)
            copy = type(node)()
            copy.CopyFrom(node)
            copy.name = f"{prefix}{index}"
            copy.input[:] = [renamed(name) for name in node.input]
            copy.output[:] = [renamed(name) for name in node.output]
            self._nodes.append(copy)
        return renamed(output)

    def finish(self, output: str, dtype: Any, *, flat: bool) -> bytes:
        """Return the model's bytes; its one output is `output`, called `answer`.

        Args:
            flat: whether the answer has shape (rows,), else (rows, classes) or (rows, width).
        """
        return self._finish([self._output(output, "answer", dtype, flat=flat)], {})

    def finish_ranking(self, codes: str, scores: str, dtype: Any, rows_at_once: int) -> bytes:
        """Return the model's bytes; its two outputs, `answer` and `scores`, have shape (rows, width).

        Args:
            codes: int64, -1 for none.
            dtype: that of the scores.
            rows_at_once: how many rows the graph is given at once: see `runner.AT_ONCE`.
        """
        outputs = [self._output(codes, "answer", np.int64), self._output(scores, "scores", dtype)]
        return self._finish(outputs, {AT_ONCE: str(rows_at_once)})

    def _output(self, tensor: str, name: str, dtype: Any, *, flat: bool = False) -> Any:
        from onnx import helper

        if flat:
            shape = self.constant([-1], np.int64)
            self._nodes.append(helper.make_node("Reshape", [tensor, shape], [name], name=name))
        else:
            self._nodes.append(helper.make_node("Identity", [tensor], [name], name=name))
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, [None] if flat else [None, None])

    def _finish(self, outputs: Sequence[Any], properties: dict[str, str]) -> bytes:
        from onnx import TensorProto, checker, helper

        read = {name for node in self._nodes for name in node.input}
        inputs = [
            helper.make_tensor_value_info(
                block.name,
                TensorProto.STRING if block.dtype == "string" else helper.np_dtype_to_tensor_dtype(block.kind),
                [None, *(block.shape or (len(block.fields),))],
            )
            for block in self.blocks
            if not self._texts or block.dtype != "string" or block.name in read
        ]
        for text in self._texts:
            inputs.append(helper.make_tensor_value_info(f"{text.input}.terms", TensorProto.INT64, [None, None]))
            inputs.append(helper.make_tensor_value_info(f"{text.input}.counts", TensorProto.DOUBLE, [None, None]))
        graph = helper.make_graph(self._nodes, "model", inputs, outputs, self._initializers)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(ML, self._ml_opset)]
        opsets += [helper.make_opsetid(domain, version) for domain, version in sorted(self.domains.items())]
        version = max(IR_VERSION, helper.find_min_ir_version_for(opsets[:1]))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=version, producer_name="plusone")
        if self._texts:
            properties = {**properties, TEXTS: write_texts(self._texts)}
        if properties:
            helper.set_model_props(model, properties)
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _pieces(view: View) -> Iterator[tuple[str, str, list[int]]]:
    """Give the columns of one tensor that lie beside each other: the tensor, the kind of the first, the places."""
    for tensor, columns in itertools.groupby(view, key=lambda column: column.tensor):
        found = list(columns)
        yield tensor, found[0].kind, [column.place for column in found]


def _rename_subgraphs(node: Any, renamed: Any) -> None:
    """Rename inside the bodies of loops and branches, which see the names of the graph around them."""
    for attribute in node.attribute:
        if not attribute.HasField("g"):
            continue
        for value in (*attribute.g.input, *attribute.g.output, *attribute.g.initializer, *attribute.g.value_info):
            value.name = renamed(value.name)
        for inner in attribute.g.node:
            inner.input[:] = [renamed(name) for name in inner.input]
            inner.output[:] = [renamed(name) for name in inner.output]
            _rename_subgraphs(inner, renamed)
