"""Networks of scikit-learn that answer several labels, in double precision; those with one are skl2onnx's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.answers import Answered
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
    count = len(part.classes_)
    both = graph.add(
        "Mul", graph.add("Reshape", raw, graph.constant([-1, count, 1], np.int64)), graph.constant([[[-1.0, 1.0]]])
    )
    # sigmoid(-x) is 1 - sigmoid(x): both probabilities of each column in two nodes.
    flat = graph.add("Reshape", both, graph.constant([-1, 2 * count], np.int64))
    return Answered(graph.add("Sigmoid", flat), "probabilities")
