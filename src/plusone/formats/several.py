"""Regressors of scikit-learn that answer several numbers to a row, as a graph.

Linear models and trees are written here from their fitted attributes; one that is a list of regressors by each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..graphs.graph import Graph, View
from ..graphs.trees import Forest, classic_nodes, rounded_to_float32
from .transformers import class_of

__all__ = ["count_targets", "several"]

_LISTS = ("sklearn.multioutput.MultiOutputRegressor", "sklearn.multioutput.RegressorChain")


def count_targets(part: Any) -> int:
    """Return how many numbers a fitted regressor answers to a row; 1 for everything else."""
    if hasattr(part, "classes_"):
        return 1
    if class_of(part) in _LISTS:
        return len(part.estimators_)
    coefficients: Any = getattr(part, "coef_", None)
    if getattr(coefficients, "ndim", 1) == 2 and hasattr(part, "intercept_"):
        return int(coefficients.shape[0])
    if getattr(getattr(part, "_y", None), "ndim", 1) == 2:  # that of neighbours, which keep the targets
        return int(part._y.shape[1])
    outputs = getattr(part, "n_outputs_", 1)
    return int(outputs) if isinstance(outputs, (int, np.integer)) else 1


def several(graph: Graph, part: Any, view: View, path: str, write: Callable[..., Any]) -> str:
    """Write a regressor that answers several numbers; return the tensor of shape (rows, targets).

    Args:
        write: writes one that answers one, as `estimators.estimate` does.

    Raises:
        Incompatible: naming the part that can't be compiled.
    """
    name = class_of(part)
    if name in _LISTS:
        tensor = _listed(graph, part, view, path, write)
    elif hasattr(part, "coef_"):
        product = graph.add("MatMul", graph.matrix(view), graph.constant(np.asarray(part.coef_, np.float64).T))
        tensor = graph.add("Add", product, graph.constant(np.reshape(part.intercept_, (1, -1))))
    elif hasattr(part, "tree_") or all(hasattr(tree, "tree_") for tree in getattr(part, "estimators_", [None])):
        tensor = _trees(graph, part, view)
    else:
        raise Incompatible(
            f"{name} ({path}) answers {count_targets(part)} numbers to each row, which can't be compiled.",
            mend="use a linear model, trees, or sklearn.multioutput.MultiOutputRegressor around one of a single target",
            part=name,
            path=path,
        )
    return tensor


def _listed(graph: Graph, part: Any, view: View, path: str, write: Callable[..., Any]) -> str:
    """One regressor for each target; in a chain each takes the answers of those before it, too."""
    chained = class_of(part).endswith("RegressorChain")
    columns: list[str] = []
    for place, inner in enumerate(part.estimators_):
        answered = write(graph, inner, view, f"{path}.estimators_[{place}]")
        column = graph.add("Reshape", answered.tensor, graph.constant([-1, 1], np.int64))
        columns.append(column)
        if chained:
            view = [*view, *graph.whole(column, 1)]
    order = np.argsort(part.order_).tolist() if chained else range(len(columns))
    return graph.add("Concat", *(columns[place] for place in order), axis=1)


def _trees(graph: Graph, part: Any, view: View) -> str:
    """The mean over the trees of what the leaf of each says of each target.

    A leaf of the operator holds one number, so each tree is written once for each target.
    """
    trees = [part.tree_] if hasattr(part, "tree_") else [tree.tree_ for tree in part.estimators_]
    forest = Forest([0.0] * int(part.n_outputs_))
    for tree in trees:
        for target in range(int(part.n_outputs_)):
            forest.add(classic_nodes(tree, tree.value[:, target, 0].tolist()), target)
    summed = forest.write(graph, rounded_to_float32(graph, graph.matrix(view)))
    return graph.add("Div", summed, graph.constant(float(len(trees))))
