"""A finished graph without the strings that it only looks up: their numbers enter it in their place.

Making a tensor of strings and looking each up costs a graph as much as a hundred trees do; a dict does it in a tenth of
that. So where every string of a request goes into a `LabelEncoder` and nowhere else, the tables move out of the graph
into the layout (`Block.codes`), and the fields are put into the order in which it uses them: no columns are moved.

This module knows ONNX and layouts. It knows no model: what it makes is proven like any other graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..graphs.layout import Block, Code
from ..graphs.texts import TEXTS, Text, read_texts, write_texts

__all__ = ["strings_to_codes"]

_NUMBERS = "numbers"


def strings_to_codes(graph: bytes, blocks: Sequence[Block]) -> tuple[bytes, tuple[Block, ...]]:
    """Return the graph and its blocks without strings; both unchanged where the graph does more than look them up."""
    from onnx import load_from_string

    if not any(block.dtype == "string" for block in blocks):
        return graph, tuple(blocks)
    try:
        return _Rewriting(load_from_string(graph), blocks).finish()
    except _OtherUseError:
        return graph, tuple(blocks)


class _OtherUseError(Exception):
    """The graph does something else with its strings."""


class _Columns(NamedTuple):
    """A tensor of shape (rows, fields), or (rows,) if flat, that is nothing but fields of the request."""

    fields: tuple[str, ...]
    text: bool
    flat: bool = False
    cast: int = 0
    """The type that they are turned into; 0 for none."""


class _Rewriting:
    def __init__(self, model: Any, blocks: Sequence[Block]) -> None:
        from onnx import TensorProto

        self._double = TensorProto.DOUBLE
        self._model = model
        self._blocks = blocks
        self._codes: dict[str, Code] = {}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._nodes: list[Any] = []
        self._made: dict[_Columns, str] = {}
        self._views: dict[str, _Columns] = {}
        for block in blocks:
            if _holds_columns(block):
                self._views[block.name] = _Columns(block.fields, block.dtype == "string")
        numbers = [
            name for block in blocks if _holds_columns(block) and block.dtype == "float64" for name in block.fields
        ]
        self._texts: dict[str, list[Text]] = {}
        found = {one.key: one.value for one in model.metadata_props}
        named = {block.name: block.fields for block in blocks}
        for text in read_texts(found.get(TEXTS, "[]")):
            self._texts.setdefault(named[text.block][text.column], []).append(text)
        strings = [name for block in blocks if block.dtype == "string" for name in block.fields]
        self._order = (*numbers, *(name for name in strings if name not in self._texts))
        if not self._order:
            raise _OtherUseError  # there is text alone

    def finish(self) -> tuple[bytes, tuple[Block, ...]]:
        """Return the graph and the blocks, rewritten."""
        from onnx import TensorProto, checker, helper

        used = self._walk()
        whole = [view.fields for view in used if sorted(view.fields) == sorted(self._order)]
        self._order = whole[0] if whole else self._order
        self._made.clear()
        self._walk()
        strings = {name for block in self._blocks if block.dtype == "string" for name in block.fields}
        unused = strings - set(self._codes) - set(self._texts)
        if set(self._codes) & set(self._texts):
            raise _OtherUseError  # a field that is both looked up and read as text
        self._codes.update(dict.fromkeys(sorted(unused), Code({}, 0.0)))
        graph = self._model.graph
        if any(output.name in self._views for output in graph.output):
            raise _OtherUseError
        numbers = helper.make_tensor_value_info(_NUMBERS, TensorProto.DOUBLE, [None, len(self._order)])
        moved = {block.name for block in self._blocks if _holds_columns(block)}
        kept = [value for value in graph.input if value.name not in moved]
        del graph.input[:], graph.node[:]
        graph.input.extend([numbers, *kept])
        graph.node.extend(self._nodes)
        read = {name for node in self._nodes for name in node.input}
        constants = [tensor for tensor in self._constants.values() if tensor.name in read]
        del graph.initializer[:]
        graph.initializer.extend(constants)
        checker.check_model(self._model)
        block = Block(_NUMBERS, "float64", self._order, self._codes)
        others = tuple(block for block in self._blocks if not _holds_columns(block))
        if self._texts:
            others += (self._text_block(),)
        return bytes(self._model.SerializeToString(deterministic=True)), (block, *others)

    def _text_block(self) -> Block:
        """Return the block of the fields of text, and write into the graph where they now are."""
        from onnx import helper

        name = next(block.name for block in self._blocks if block.dtype == "string")
        texts: list[Text] = []
        for place, found in enumerate(self._texts.values()):
            texts += [msgspec.structs.replace(text, block=name, column=place) for text in found]
        helper.set_model_props(self._model, {TEXTS: write_texts(texts)})
        return Block(name, "string", tuple(self._texts))

    def _walk(self) -> list[_Columns]:
        """Write all nodes anew; return the columns that nodes other than those that move columns read."""
        self._nodes = []
        used: list[_Columns] = []
        for node in self._model.graph.node:
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise _OtherUseError  # the body of a loop or a branch sees the tensors around it
            view = self._view(node)
            if view is not None:
                self._views[node.output[0]] = view
                continue
            copy = type(node)()
            copy.CopyFrom(node)
            for place, name in enumerate(node.input):
                if (columns := self._views.get(name)) is not None:
                    used.append(columns)
                    copy.input[place] = self._tensor(columns)
            self._nodes.append(copy)
        return used

    def _view(self, node: Any) -> _Columns | None:
        """Return the columns that a node's output is, if it is nothing else."""
        inputs = [self._views.get(name) for name in node.input]
        first = inputs[0] if inputs else None
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if first is None:
            return None
        if node.op_type == "Concat" and attributes["axis"].i == 1:
            parts = [
                part for part in inputs if part is not None and part._replace(fields=()) == first._replace(fields=())
            ]
            if len(parts) == len(inputs) and not first.flat:
                return first._replace(fields=tuple(name for part in parts for name in part.fields))
        if (
            node.op_type == "Gather"
            and not first.flat
            and node.input[1] in self._constants
            and attributes["axis"].i == 1
        ):
            from onnx import numpy_helper

            places: Any = numpy_helper.to_array(self._constants[node.input[1]])
            if places.ndim < 2:
                fields = tuple(first.fields[place] for place in places.ravel().tolist())
                return first._replace(fields=fields, flat=places.ndim == 0)
        if node.op_type == "Cast" and not first.text and not first.cast:
            to = attributes["to"].i
            return first if to == self._double else first._replace(cast=to)
        if node.op_type == "LabelEncoder" and first.text and "keys_strings" in attributes:
            return self._looked_up(attributes, first)
        return None

    def _looked_up(self, attributes: dict[str, Any], view: _Columns) -> _Columns:
        from onnx import TensorProto, helper, numpy_helper

        keys = [key.decode() for key in attributes["keys_strings"].strings]
        if len(set(keys)) < len(keys):
            raise _OtherUseError  # which one counts is onnxruntime's to say
        if "values_tensor" in attributes:
            values = numpy_helper.to_array(attributes["values_tensor"].t).ravel()
            other = numpy_helper.to_array(attributes["default_tensor"].t).ravel()[0]
            kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        elif "values_int64s" in attributes:
            values, kind = list(attributes["values_int64s"].ints), TensorProto.INT64
            other = attributes["default_int64"].i if "default_int64" in attributes else -1
        else:
            raise _OtherUseError
        numbers = [_number(value) for value in (*values, other)]
        code = Code(dict(zip(keys, numbers[:-1], strict=True)), numbers[-1])
        for name in view.fields:
            if self._codes.setdefault(name, code) != code:
                raise _OtherUseError  # two encoders that answer differently
        return view._replace(text=False, cast=0 if kind == self._double else int(kind))

    def _tensor(self, view: _Columns) -> str:
        """Return the name of a tensor with these columns, in the graph as it is rewritten."""
        from onnx import helper, numpy_helper

        if view.text:
            raise _OtherUseError
        if view.fields == self._order and not view.flat and not view.cast:
            return _NUMBERS
        if view not in self._made:
            name = self._made[view] = f"plusone/columns_{len(self._made)}"
            if view.cast:
                inner = self._tensor(view._replace(cast=0))
                self._nodes.append(helper.make_node("Cast", [inner], [name], name=name, to=view.cast))
            else:
                import numpy as np

                places = [self._order.index(field) for field in view.fields]
                array = np.array(places[0] if view.flat else places, dtype=np.int64)
                self._constants[f"{name}_places"] = numpy_helper.from_array(array, f"{name}_places")
                self._nodes.append(helper.make_node("Gather", [_NUMBERS, f"{name}_places"], [name], name=name, axis=1))
        return self._made[view]


def _holds_columns(block: Block) -> bool:
    """Whether the fields of a block may be among the numbers of the one that is made: no large integers, no tensors."""
    return block.dtype != "int64" and block.shape is None


def _number(value: Any) -> float | None:
    """Return a number as a table of codes holds it: None for NaN, which JSON has no word for."""
    number = float(value)
    if not abs(number) < 2.0**53 and not math.isnan(number):
        raise _OtherUseError
    return None if math.isnan(number) else number
