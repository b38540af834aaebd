"""Networks of scikit-learn that answer several labels, in double precision; those with one are skl2onnx's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.answers import Answered, of_columns
from ..graphs.graph import Graph, View

__all__ = ["columns"]

_ACTIVATIONS = {"identity": "", "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def columns(graph: Graph, part: Any, view: View) -> Answered:
    """MLPClassifier, fitted on columns of zeros and ones: it says of each how likely it is that it is 1."""
    raw = ""
    for layer, (weights, intercept) in enumerate(zip(part.coefs_, part.intercepts_, strict=True)):
        if layer:
            name = _ACTIVATIONS[part.activation]
            inner = graph.add(name, raw) if name else raw
            raw = graph.add("MatMul", inner, graph.constant(weights))
        else:
            raw = graph.product(view, weights)
        raw = graph.add("Add", raw, graph.constant(np.reshape(intercept, (1, -1))))
    return of_columns(graph, raw, len(part.classes_))
