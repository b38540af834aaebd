"""Trees of scikit-learn as a graph: forests, gradient boosting, and their sums before a link makes answers of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..graphs.answers import Answered, probabilities
from ..graphs.graph import Graph, View
from ..graphs.trees import Forest, classic_nodes, hist_nodes, rounded_to_float32
from .transformers import transform

__all__ = ["boosted", "boosted_classic", "forest", "linked", "raw_boosted", "raw_boosted_classic"]


def boosted(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """HistGradientBoosting, in double precision."""
    raw = raw_boosted(graph, part, view, path)
    if hasattr(part, "classes_"):
        return probabilities(graph, raw, int(part.n_trees_per_iteration_))
    return linked(graph, raw, type(part._loss.link).__name__, path)


def raw_boosted(graph: Graph, part: Any, view: View, path: str) -> str:
    """Return the sums of the trees of HistGradientBoosting, shape (rows, classes), of two classes (rows, 1)."""
    if part._preprocessor is not None:
        view = transform(graph, part._preprocessor, view, f"{path}._preprocessor")
    per_iteration = int(part.n_trees_per_iteration_)
    forest = Forest(np.reshape(part._baseline_prediction, per_iteration).tolist())
    for iteration in part._predictors:
        for target, predictor in enumerate(iteration):
            forest.add(hist_nodes(predictor), target)
    return forest.write(graph, graph.matrix(view))


def linked(graph: Graph, raw: str, link: str, path: str) -> Answered:
    """Apply the inverse of a link function, by the name that scikit-learn's `_loss.link` gives it."""
    if link == "LogLink":
        return Answered(graph.add("Exp", raw), "number")
    if link == "LogitLink":
        return Answered(graph.add("Sigmoid", raw), "number")
    if link == "IdentityLink":
        return Answered(raw, "number")
    raise Incompatible(f"The link function {link} ({path}) can't be compiled: expected identity, log or logit.")


def boosted_classic(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """GradientBoosting, whose first guess is a constant."""
    raw = raw_boosted_classic(graph, part, view)
    if not hasattr(part, "classes_"):
        return Answered(raw, "number")
    # The exponential loss halves the log odds (Friedman 2001, section 4.5), so its raw value counts twice.
    scale = 2.0 if type(part._loss).__name__ == "ExponentialLoss" else 1.0
    return probabilities(graph, raw, part.estimators_.shape[1], scale)


def raw_boosted_classic(graph: Graph, part: Any, view: View) -> str:
    """Return the sums of the trees of GradientBoosting, shape (rows, classes), of two classes (rows, 1)."""
    width = part.estimators_.shape[1]
    start = part._raw_predict_init(np.zeros((1, len(view)), dtype=np.float32))
    forest = Forest(np.reshape(start, width).tolist())
    for stage in part.estimators_:
        for target, tree in enumerate(stage):
            values = part.learning_rate * tree.tree_.value[:, 0, 0]
            forest.add(classic_nodes(tree.tree_, values.tolist()), target)
    return forest.write(graph, rounded_to_float32(graph, graph.matrix(view)))


def forest(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """A tree, or the mean of several; of several targets a vector, or the probabilities of all their labels."""
    trees = [tree.tree_ for tree in getattr(part, "estimators_", [part])]
    name = rounded_to_float32(graph, graph.matrix(view))
    if not hasattr(part, "classes_"):
        width = int(part.n_outputs_)
        summed = Forest([0.0] * width)
        for tree in trees:
            for target in range(width):
                summed.add(classic_nodes(tree, tree.value[:, target, 0].tolist()), target)
        mean = graph.add("Div", summed.write(graph, name), graph.constant(float(len(trees))))
        return Answered(mean, "number" if width == 1 else "vector")
    if isinstance(part.classes_, list):
        return Answered(_leaf_shares(graph, trees, name, [len(labels) for labels in part.classes_]), "probabilities")
    if len(part.classes_) == 1:
        ones = graph.add("Mul", graph.pick_from(name, [0]), graph.constant(0.0))
        return Answered(graph.add("Add", ones, graph.constant(1.0)), "probabilities")
    return Answered(_leaf_shares(graph, trees, name, [len(part.classes_)]), "probabilities")


def _leaf_shares(graph: Graph, trees: list[Any], name: str, sizes: list[int]) -> str:
    """Return the mean of the class shares in the leaf that each tree sends a row to: those of each target, one behind
    the other. `sizes`: how many classes each has.

    A leaf of the operator holds one number, so each tree answers with the index of its leaf, as a target of its own,
    and the shares are looked up: shape (rows, trees) -> (rows, trees, classes) -> mean over trees.
    """
    forest = Forest([0.0] * len(trees))
    shares: list[Any] = []
    offset = 0
    for target, tree in enumerate(trees):
        own = [tree.value[:, place, :size] for place, size in enumerate(sizes)]
        values = np.concatenate([one / one.sum(axis=1, keepdims=True) for one in own], axis=1)
        shares.append(values)
        forest.add(classic_nodes(tree, [float(offset + index) for index in range(len(values))]), target)
        offset += len(values)
    leaves = graph.cast(forest.write(graph, name), np.int64)
    looked_up = graph.add("Gather", graph.constant(np.concatenate(shares)), leaves, axis=0)
    summed = graph.add("ReduceSum", looked_up, graph.constant([1], np.int64), keepdims=0)
    return graph.add("Div", summed, graph.constant(float(len(trees))))
