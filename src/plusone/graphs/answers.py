"""What a graph answers in its end: the raw numbers of a model as probabilities, codes or numbers.

This module knows graphs. It knows no kind of trained model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .graph import Graph

__all__ = [
    "Answered",
    "codes_of",
    "of_columns",
    "one_against_rest",
    "positive",
    "probabilities",
    "side_by_side",
]


class Answered(NamedTuple):
    """The tensor that holds a model's answers, and what they are."""

    tensor: str
    kind: Literal["probabilities", "codes", "number", "vector"]
    several: bool = False
    """Whether they are codes for several targets, shape (rows, targets)."""


def probabilities(graph: Graph, raw: str, width: int, scale: float = 1.0) -> Answered:
    """Return the probabilities of raw sums, shape (rows, width): those of two classes when the width is 1."""
    if width > 1:
        return Answered(graph.add("Softmax", raw, axis=1), "probabilities")
    # sigmoid(-x) is 1 - sigmoid(x): both probabilities in two nodes.
    both = graph.add("Mul", raw, graph.constant([[-scale, scale]]))
    return Answered(graph.add("Sigmoid", both), "probabilities")


def one_against_rest(graph: Graph, raw: str) -> Answered:
    """Return the probability of each class against all others, divided by their sum."""
    each = graph.add("Sigmoid", raw)
    total = graph.add("ReduceSum", each, graph.constant([1], np.int64), keepdims=1)
    return Answered(graph.add("Div", each, total), "probabilities")


def of_columns(graph: Graph, raw: str, count: int) -> Answered:
    """Return the probabilities of both labels of each of several targets, of raw sums, shape (rows, count)."""
    column = graph.add("Reshape", raw, graph.constant([-1, count, 1], np.int64))
    both = graph.add("Mul", column, graph.constant([[[-1.0, 1.0]]]))
    flat = graph.add("Reshape", both, graph.constant([-1, 2 * count], np.int64))
    return Answered(graph.add("Sigmoid", flat), "probabilities")


def positive(graph: Graph, raw: str) -> Answered:
    """Return the codes of two classes: 1 where the raw number, shape (rows, 1), is above 0."""
    return Answered(graph.cast(graph.add("Greater", raw, graph.constant(0.0)), np.int64), "codes")


def side_by_side(graph: Graph, answered: Sequence[Answered], probabilities: bool) -> Answered:
    """Return what classifiers answer, each for a target of its own: all their probabilities, or a code of each."""
    if probabilities:
        return Answered(graph.add("Concat", *(one.tensor for one in answered), axis=1), "probabilities")
    column = graph.constant([-1, 1], np.int64)
    columns = [graph.add("Reshape", codes_of(graph, one), column) for one in answered]
    return Answered(graph.add("Concat", *columns, axis=1), "codes", several=True)


def codes_of(graph: Graph, answered: Answered) -> str:
    """Return the code of each row's label, shape (rows,) or (rows, 1)."""
    if answered.kind == "codes":
        return answered.tensor
    return graph.add("ArgMax", answered.tensor, axis=1, keepdims=0)
