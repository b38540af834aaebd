"""The end of every way to a graph: what writes a model gets a view of the fields, and its answers finish the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..base.errors import Incompatible, PlusoneError
from ..base.records import Field
from ..graphs.answers import Answered
from ..graphs.graph import Graph, View
from ..graphs.layout import Block
from . import Compiled

__all__ = ["Write", "attempts", "compile_with"]

Write = Callable[[Graph, Any, View, str], Answered]


def compile_with(
    write: Write, model: Any, fields: Sequence[Field], blocks: Sequence[Block], dtype: Any = np.float64
) -> Compiled:
    """Return the graph of a model that takes these fields.

    Raises:
        Incompatible: when what was written is no valid graph, and what `write` raises.
    """
    graph = Graph(blocks, dtype)
    answered = write(graph, model, graph.view([field.name for field in fields]), "model")
    try:
        kind = np.int64 if answered.kind == "codes" else graph.dtype
        data = graph.finish(answered.tensor, kind, flat=answered.kind in ("codes", "number") and not answered.several)
    except PlusoneError:
        raise
    except Exception as error:
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        raise Incompatible(
            f"The graph of this {name} is not valid ONNX: {type(error).__name__}: {error}",
            mend="report it with the model's class, and use another estimator meanwhile",
        ) from error
    return Compiled(graph=data, output=answered.kind, precision=graph.precision, known_values=graph.known_values)


def attempts(write: Write, model: Any, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    """Give the one way to compile a booster, in double precision."""
    yield compile_with(write, model, fields, blocks)
