"""Writes an ONNX graph node by node. Names depend on the order of writing alone, so equal models give equal bytes.

This module knows ONNX. It knows no scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .layout import Block

__all__ = ["Column", "Graph", "View"]

OPSET = 21
IR_VERSION = 10
ML = "ai.onnx.ml"


class Column(NamedTuple):
    """One column of a table on its way through the graph: column `place` of the tensor `tensor`."""

    tensor: str
    place: int
    kind: str
    """`number`, `integer` or `string`."""
    source: str | None = None
    """The field of the request that it still is, untouched; None once something was done to it."""


View = list[Column]


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
            self._flat[block.name] = self.whole(name, width)
        return self._flat[block.name]

    def name(self, stem: str) -> str:
        """Return a new unique name."""
        self._count += 1
        return f"{stem}_{self._count}"

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        from onnx import helper

        output = self.name(op.lower())
        self._nodes.append(helper.make_node(op, list(inputs), [output], name=output, domain=domain, **attributes))
        # The older tree operators, which other converters write, exist up to version 4 of this domain only.
        self._ml_opset = max(self._ml_opset, 5 if op == "TreeEnsemble" else 4)
        return output

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
        start = 0
        while start < len(view):
            tensor, _, present, _ = view[start]
            stop = start
            while stop < len(view) and view[stop].tensor == tensor:
                stop += 1
            parts.append(self._convert(self._pick(tensor, [c.place for c in view[start:stop]]), tensor, present, kind))
            start = stop
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

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
            flat: whether the answer has shape (rows,), else (rows, classes).
        """
        from onnx import TensorProto, checker, helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        if flat:
            shape = self.constant([-1], np.int64)
            self._nodes.append(helper.make_node("Reshape", [output, shape], ["answer"], name="answer"))
        else:
            self._nodes.append(helper.make_node("Identity", [output], ["answer"], name="answer"))
        inputs = [
            helper.make_tensor_value_info(
                block.name,
                TensorProto.STRING if block.dtype == "string" else helper.np_dtype_to_tensor_dtype(block.kind),
                [None, *(block.shape or (len(block.fields),))],
            )
            for block in self.blocks
        ]
        answer = helper.make_tensor_value_info("answer", kind, [None] if flat else [None, None])
        graph = helper.make_graph(self._nodes, "model", inputs, [answer], self._initializers)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(ML, self._ml_opset)]
        opsets += [helper.make_opsetid(domain, version) for domain, version in sorted(self.domains.items())]
        version = max(IR_VERSION, helper.find_min_ir_version_for(opsets[:1]))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=version, producer_name="plusone")
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


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
