"""scikit-learn models to graphs: double precision first, then skl2onnx's own way, then single precision."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..base.errors import Incompatible, PlusoneError
from ..base.records import Field
from ..graphs.graph import Graph
from ..graphs.layout import Block
from . import Compiled, Opened
from .estimators import estimate
from .transformers import class_of

__all__ = ["open_model"]

_WAYS = (("float64", True), ("float64", False), ("float32", False))
"""The type of the arithmetic, and whether we write what we can ourselves."""


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return a fitted scikit-learn model and the ways to compile it, best first; None when it is none.

    The attempts raise Incompatible, naming the part, when the first way already can't be written.
    """
    base = sys.modules.get("sklearn.base")
    if base is None or not isinstance(model, base.BaseEstimator):
        return None
    return Opened(trained=model, compile=functools.partial(_attempts, model))


def _attempts(model: Any, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    seen: set[bytes] = set()
    for number, (dtype, own) in enumerate(_WAYS):
        try:
            compiled = _compile(model, fields, blocks, dtype, own)
        except Incompatible:
            if number == 0:
                raise
            continue
        if compiled.graph not in seen:
            seen.add(compiled.graph)
            yield compiled


def _compile(model: Any, fields: Sequence[Field], blocks: Sequence[Block], dtype: Any, own: bool) -> Compiled:
    graph = Graph(blocks, dtype)
    view = graph.view([field.name for field in fields])
    answered = estimate(graph, model, view, "model", own=own)
    try:
        dtype = np.int64 if answered.kind == "codes" else graph.dtype
        data = graph.finish(answered.tensor, dtype, flat=answered.kind not in ("probabilities", "vector"))
    except PlusoneError:
        raise
    except Exception as error:
        raise Incompatible(
            f"The graph of this {class_of(model)} is not valid ONNX: {type(error).__name__}: {error}",
            mend="report it with the model's class, and use another estimator meanwhile",
        ) from error
    return Compiled(graph=data, output=answered.kind, precision=graph.precision, known_values=graph.known_values)
