"""Outlier detectors and support vector regression of scikit-learn as a graph, in double precision.

A detector answers 1 for a row like those of its training and -1 for an outlier, as `predict` does: codes of the classes
(-1, 1). The limit of two of them is the score of some row of the training data, so rows lie on it to the last bit: a
difference of `_SAME` counts for none there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.answers import Answered, positive
from ..graphs.graph import Graph, View
from ..graphs.trees import Forest, classic_nodes, rounded_to_float32

__all__ = ["envelope", "isolation", "kernel_regression", "one_class", "stochastic_one_class"]

_SAME = 1e-12


def isolation(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """IsolationForest: a leaf counts how deep it is, and how deep its rows would be if it were split on."""
    forest = Forest([0.0])
    for number, (tree, features) in enumerate(zip(part.estimators_, part.estimators_features_, strict=True)):
        depths = part._decision_path_lengths[number] + part._average_path_length_per_tree[number] - 1.0
        columns = features.tolist()
        nodes = classic_nodes(tree.tree_, depths.tolist())
        forest.add([node._replace(feature=columns[max(node.feature, 0)]) for node in nodes], 0)
    depth = forest.write(graph, rounded_to_float32(graph, graph.matrix(view)))
    scale = len(part.estimators_) * _mean_depth(int(part._max_samples))
    share = graph.add("Mul", depth, graph.constant(-1.0 / scale if scale else 0.0))
    if not scale:  # of one row each the trees say nothing: every score is 1/2
        share = graph.add("Sub", share, graph.constant(1.0))
    score = graph.add("Pow", graph.constant(2.0), share)
    # The score is -2^-share; an outlier's is less than the offset.
    return _inside(graph, graph.add("Sub", graph.constant(-float(part.offset_)), score))


def _mean_depth(samples: int) -> float:
    """Return the mean depth of a leaf in a tree on so many rows (Liu, Ting and Zhou 2008, equation 1)."""
    if samples <= 1:
        return 0.0
    if samples == 2:
        return 1.0
    return float(2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples)


def envelope(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """EllipticEnvelope: the squared distance of Mahalanobis against its limit."""
    apart = graph.add("Sub", graph.matrix(view), graph.constant(np.reshape(part.location_, (1, -1))))
    turned = graph.add("MatMul", apart, graph.constant(part.get_precision()))
    squared = _row_sum(graph, graph.add("Mul", turned, apart))
    return _inside(graph, graph.add("Sub", graph.constant(-float(part.offset_)), squared))


def one_class(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """OneClassSVM: an outlier where the decision is not above 0."""
    return _flat(graph, positive(graph, _decision(graph, part, view)))


def kernel_regression(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """SVR and NuSVR."""
    return Answered(_decision(graph, part, view), "number")


def stochastic_one_class(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """SGDOneClassSVM: a plane."""
    raw = graph.product(view, np.reshape(part.coef_, (-1, 1)))
    inside = graph.add("GreaterOrEqual", raw, graph.constant(np.reshape(part.offset_, (1, 1))))
    return _flat(graph, Answered(graph.cast(inside, np.int64), "codes"))


def _decision(graph: Graph, part: Any, view: View) -> str:
    """Return the weighted sum of the kernel between each row and each support vector, shape (rows, 1)."""
    vectors = np.asarray(part.support_vectors_, dtype=np.float64)
    matrix = graph.matrix(view)
    kernel = graph.add("MatMul", matrix, graph.constant(vectors.T))
    if part.kernel == "rbf":
        squares = _row_sum(graph, graph.add("Mul", matrix, matrix))
        own = graph.constant((vectors**2).sum(axis=1).reshape(1, -1))
        apart = graph.add("Sub", graph.add("Add", squares, own), graph.add("Mul", kernel, graph.constant(2.0)))
        apart = graph.add("Max", apart, graph.constant(0.0))
        kernel = graph.add("Exp", graph.add("Mul", apart, graph.constant(-float(part._gamma))))
    elif part.kernel in ("poly", "sigmoid"):
        scaled = graph.add("Mul", kernel, graph.constant(float(part._gamma)))
        scaled = graph.add("Add", scaled, graph.constant(float(part.coef0)))
        power = graph.constant(float(part.degree))
        kernel = graph.add("Tanh", scaled) if part.kernel == "sigmoid" else graph.add("Pow", scaled, power)
    elif part.kernel != "linear":
        raise TypeError(f"its kernel is {part.kernel!r}: expected linear, poly, rbf or sigmoid")
    weights = np.asarray(part.dual_coef_, dtype=np.float64).reshape(-1, 1)
    total = graph.add("MatMul", kernel, graph.constant(weights))
    return graph.add("Add", total, graph.constant(float(part.intercept_[0])))


def _inside(graph: Graph, decision: str) -> Answered:
    inside = graph.add("GreaterOrEqual", decision, graph.constant(-_SAME))
    return _flat(graph, Answered(graph.cast(inside, np.int64), "codes"))


def _flat(graph: Graph, answered: Answered) -> Answered:
    return answered._replace(tensor=graph.add("Reshape", answered.tensor, graph.constant([-1], np.int64)))


def _row_sum(graph: Graph, matrix: str) -> str:
    return graph.add("ReduceSum", matrix, graph.constant([1], np.int64), keepdims=1)
