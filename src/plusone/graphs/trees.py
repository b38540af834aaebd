"""Trees as scikit-learn keeps them, written as the `TreeEnsemble` operator in double precision.

Thresholds stay float64, so that no row changes sides by rounding. (skl2onnx 1.20 writes float32 thresholds and fails on
HistGradientBoosting: booleans reach the node attributes.) scikit-learn's classic trees compare the input rounded to
float32 with a float64 threshold; HistGradientBoosting compares float64 with float64. Both are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .graph import ML, Graph

__all__ = ["Forest", "Node", "classic_nodes", "hist_nodes", "rounded_to_float32"]

_LEQ, _MEMBER = 0, 6


class Node(NamedTuple):
    """One node of a tree: a leaf when `left` is negative. Rows with `x <= threshold`, or `x in members`, go left."""

    feature: int
    threshold: float
    missing_left: bool
    left: int
    right: int
    value: float
    members: tuple[float, ...] | None = None


class Forest:
    """Trees that are summed: each leaf adds its value to one target.

    Args:
        start: what each target's sum starts from.
    """

    def __init__(self, start: list[float]) -> None:
        self.targets = len(start)
        self._features: list[int] = []
        self._modes: list[int] = []
        self._splits: list[float] = []
        self._missing: list[int] = []
        self._true: list[int] = []
        self._true_leaf: list[int] = []
        self._false: list[int] = []
        self._false_leaf: list[int] = []
        self._members: list[float] = []
        self._roots: list[int] = []
        self._leaf_targets: list[int] = []
        self._leaf_values: list[float] = []
        for target, value in enumerate(start):
            if value != 0.0:
                self.add([Node(0, 0.0, False, -1, -1, value)], target)

    def add(self, nodes: list[Node], target: int) -> None:
        """Add one tree, whose root is `nodes[0]`, to a target."""
        root = nodes[0]
        if root.left < 0:
            # The operator wants a split at the root: one whose two sides are the same.
            root = Node(0, 0.0, False, 1, 2, 0.0)
            nodes = [root, nodes[0], nodes[0]]
        self._roots.append(len(self._features))
        places: dict[int, int] = {}
        order = self._number(nodes, places)
        for index in order:
            self._split(nodes, nodes[index], places, target)

    def write(self, graph: Graph, name: str) -> str:
        """Add the operator to the graph; return the sums, shape (rows, targets)."""
        attributes: dict[str, Any] = {}
        if self._members:
            attributes["membership_values"] = graph.attribute(self._members, graph.dtype)
        return graph.add(
            "TreeEnsemble",
            name,
            domain=ML,
            n_targets=self.targets,
            aggregate_function=1,
            post_transform=0,
            tree_roots=self._roots,
            nodes_featureids=self._features,
            nodes_modes=graph.attribute(self._modes, np.uint8),
            nodes_splits=graph.attribute(self._splits, graph.dtype),
            nodes_missing_value_tracks_true=self._missing,
            nodes_truenodeids=self._true,
            nodes_trueleafs=self._true_leaf,
            nodes_falsenodeids=self._false,
            nodes_falseleafs=self._false_leaf,
            leaf_targetids=self._leaf_targets,
            leaf_weights=graph.attribute(self._leaf_values, graph.dtype),
            **attributes,
        )

    def _number(self, nodes: list[Node], places: dict[int, int]) -> list[int]:
        """Give each split of the tree its place, parents first; return the splits in that order."""
        order: list[int] = []
        stack = [0]
        start = len(self._features)
        while stack:
            index = stack.pop()
            places[index] = start + len(order)
            order.append(index)
            stack += [child for child in (nodes[index].right, nodes[index].left) if nodes[child].left >= 0]
        return order

    def _split(self, nodes: list[Node], node: Node, places: dict[int, int], target: int) -> None:
        self._features.append(node.feature)
        self._splits.append(node.threshold)
        self._missing.append(int(node.missing_left))
        self._modes.append(_LEQ if node.members is None else _MEMBER)
        if node.members is not None:
            self._members += [*node.members, float("nan")]  # NaN ends the list of one node
        for child, ids, leafs in (
            (node.left, self._true, self._true_leaf),
            (node.right, self._false, self._false_leaf),
        ):
            if nodes[child].left >= 0:
                ids.append(places[child])
                leafs.append(0)
            else:
                ids.append(len(self._leaf_values))
                leafs.append(1)
                self._leaf_targets.append(target)
                self._leaf_values.append(nodes[child].value)


def classic_nodes(tree: Any, values: Iterable[float]) -> list[Node]:
    """Return the nodes of a `sklearn.tree._tree.Tree` with the value of each node."""
    missing = getattr(tree, "missing_go_to_left", None)
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    missing_left = [False] * len(left) if missing is None else missing.astype(bool).tolist()
    columns = (tree.feature.tolist(), tree.threshold.tolist(), missing_left, left, right, list(values))
    return [Node(*row) for row in zip(*columns, strict=True)]


def hist_nodes(predictor: Any) -> list[Node]:
    """Return the nodes of one tree of HistGradientBoosting."""
    out: list[Node] = []
    for row in predictor.nodes:
        if row["is_leaf"]:
            out.append(Node(0, 0.0, False, -1, -1, float(row["value"])))
            continue
        members: tuple[float, ...] | None = None
        if row["is_categorical"]:
            members = _members(predictor.raw_left_cat_bitsets[row["bitset_idx"]])
        threshold = 0.0 if members is not None else float(row["num_threshold"])
        out.append(
            Node(
                int(row["feature_idx"]),
                threshold,
                bool(row["missing_go_to_left"]),
                int(row["left"]),
                int(row["right"]),
                0.0,
                members,
            )
        )
    return out


def rounded_to_float32(graph: Graph, name: str) -> str:
    """Return the tensor with its values rounded to float32, in the type of the graph."""
    single = graph.cast(name, np.float32)
    return single if graph.dtype == np.float32 else graph.cast(single, graph.dtype)


def _members(bitset: Any) -> tuple[float, ...]:
    """Return the codes whose bit is set in a bitset of eight uint32."""
    words = [int(word) for word in bitset]
    return tuple(float(code) for code in range(32 * len(words)) if words[code // 32] >> (code % 32) & 1)
