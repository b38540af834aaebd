"""What enters a network: for each of its arguments the fields that make it, as an array and as a tensor of a graph.

The array is what the trained object is asked with, the tensor what the compiled graph computes with: both are the same
numbers. This module knows fields, arrays and graphs. It knows no library that networks are made with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base.records import Field
from ..graphs.graph import Graph

__all__ = ["Argument", "arrays_of", "described"]


class Argument(NamedTuple):
    """One argument of a network.

    Attributes:
        fields: those that it is made of; more than one for a matrix only.
        dtype: the element type, of numpy; object for strings.
        form: `matrix` of shape (rows, fields), `column` (rows, 1), `flat` (rows,), or `tensor` (rows, *shape).
    """

    fields: tuple[Field, ...]
    dtype: Any
    form: Literal["matrix", "column", "flat", "tensor"]

    def array(self, values: Mapping[str, Any]) -> Any:
        """Return the argument made of the values of each field."""
        if self.form == "matrix":
            return np.stack([np.asarray(values[field.name]) for field in self.fields], axis=1).astype(self.dtype)
        found = np.asarray(values[self.fields[0].name]).astype(self.dtype)
        return found.reshape(-1, 1) if self.form == "column" else found

    def enter(self, graph: Graph) -> str:
        """Return the argument as a tensor of the graph, made of its inputs."""
        if self.form == "tensor":
            return self._cast(graph, self._block(graph).name, self._block(graph).dtype)
        view = graph.view([field.name for field in self.fields])
        if self.dtype == object:
            whole = graph.matrix(view, "string")
        elif self.form == "matrix":
            whole = _matrix(graph, view, self.dtype)
        else:
            picked = graph.add("Gather", view[0].tensor, graph.constant([view[0].place], np.int64), axis=1)
            whole = graph.cast(picked, self.dtype)
        return graph.add("Reshape", whole, graph.constant([-1], np.int64)) if self.form == "flat" else whole

    def _block(self, graph: Graph) -> Any:
        return next(block for block in graph.blocks if self.fields[0].name in block.fields)

    def _cast(self, graph: Graph, name: str, dtype: Any) -> str:
        return name if np.dtype(dtype) == self.dtype else graph.cast(name, self.dtype)


def arrays_of(frame: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the values of each field from what the prover asks with.

    Args:
        frame: a dataframe or a dict by field, a matrix whose columns are the fields, or the one field's array.
    """
    if isinstance(frame, dict) or hasattr(frame, "columns"):
        return {field.name: np.asarray(frame[field.name]) for field in fields}
    whole = np.asarray(frame)
    if whole.ndim == 1 or any(field.shape is not None for field in fields):
        return {field.name: whole for field in fields[:1]}
    return {field.name: whole[:, place] for place, field in enumerate(fields)}


def described(arguments: Sequence[Argument]) -> str:
    """Return what the network is asked with, in words."""
    return ", ".join(_described(one) for one in arguments)


def _described(argument: Argument) -> str:
    every = [repr(field.name) for field in argument.fields]
    names, more = ", ".join(every[:8]), ", ..." if len(every) > 8 else ""
    own = next((field.shape for field in argument.fields if field.shape is not None), ())
    shapes: dict[str, tuple[int, ...]] = {"matrix": (len(every),), "column": (1,), "flat": ()}
    shape = shapes.get(argument.form, own)
    sizes = "".join(f", {size}" for size in shape)
    return f"{argument.dtype} of shape (rows{sizes or ','}) ({names}{more})"


def _matrix(graph: Graph, view: Any, dtype: Any) -> str:
    """Return the columns as a matrix of this type, without a detour over a narrower one."""
    narrow, graph.dtype = graph.dtype, np.dtype(np.float64)
    try:
        wide = graph.matrix(view)
    finally:
        graph.dtype = narrow
    return wide if dtype == np.float64 else graph.cast(wide, dtype)
