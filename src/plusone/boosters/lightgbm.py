"""LightGBM's models: read from `Booster.dump_model`, and written as a graph.

How a row goes through a tree is taken from LightGBM's include/LightGBM/tree.h (NumericalDecision, CategoricalDecision),
and what becomes of the sums from the `ConvertOutput` of its objectives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..graphs.answers import Answered, probabilities
from ..graphs.graph import Graph, View
from ..graphs.trees import Forest, Node
from .asked import Asked, classes_of
from .categories import coded, is_text

__all__ = ["is_lightgbm", "open_lightgbm", "raw_lightgbm", "write_lightgbm"]

_ZERO = 1.0000000180025095e-35  # kZeroThreshold, a float32: what is no further from 0 is 0
_INFINITE = 1e300
_EXPONENTIAL = ("poisson", "gamma", "tweedie")
_CLASSES = ("binary", "multiclass", "multiclassova")


def is_lightgbm(model: Any) -> bool:
    """Whether it is a booster of LightGBM or one of its estimators; imports nothing."""
    return any(kind.__module__.split(".")[0] == "lightgbm" for kind in type(model).__mro__)


def open_lightgbm(model: Any, labels: Sequence[Any]) -> Asked:
    """Return a fitted LightGBM model, of either API, as it is asked.

    Raises:
        Incompatible: when it is not fitted, or does not say what its classes are.
    """
    booster = _booster_of(model)
    dump = _dump(booster)
    names = None if _unnamed(dump["feature_names"]) else dump["feature_names"]
    objective = _objective(dump)[0]

    def prepare(frame: Any) -> Any:
        if not hasattr(frame, "columns"):
            return np.asarray(frame, dtype=np.float64)
        texts = [place for place in range(frame.shape[1]) if is_text(frame.iloc[:, place])]
        changed = {frame.columns[place]: "category" for place in _tables(booster, texts)}
        return frame.astype(changed)

    asked: dict[str, Any] = {
        "names": names,
        "width": len(dump["feature_names"]),
        "prepare": prepare,
        "spelling": _spelled,
    }
    if model is not booster:
        classes = getattr(model, "classes_", None)
        proba = None if classes is None else model.predict_proba
        return Asked(**asked, answer=model.predict, classes=classes, probabilities=proba)
    if objective not in _CLASSES:
        return Asked(**asked, answer=booster.predict)
    classes = np.array(classes_of(labels, max(2, dump["num_class"]), "lightgbm.Booster"))

    def answered(rows: Any) -> Any:
        out = np.asarray(booster.predict(rows))
        return np.column_stack([1.0 - out, out]) if out.ndim == 1 else out

    return Asked(
        **asked,
        answer=lambda rows: classes[answered(rows).argmax(axis=1)],
        classes=classes,
        probabilities=answered,
    )


def write_lightgbm(graph: Graph, model: Any, view: View, path: str) -> Answered:
    """Write a fitted LightGBM model, of either API; return its answers.

    Raises:
        Incompatible: naming the part of it that has no place in a graph.
    """
    booster = _booster_of(model)
    dump = _dump(booster)
    classifier = hasattr(model, "classes_") or (model is booster and _objective(dump)[0] in _CLASSES)
    if callable(getattr(model, "objective", None)) and classifier:
        raise Incompatible(
            f"The objective of {path} is a function: a classifier with one answers raw sums, not probabilities.",
            mend='use objective="binary" or "multiclass", or return the model as a regressor',
            path=path,
        )
    return _answered(graph, _sums(graph, booster, dump, view, path), dump, classifier, path)


def raw_lightgbm(graph: Graph, model: Any, view: View, path: str) -> str:
    """Write what `decision_function` of a fitted LightGBM classifier answers: shape (rows, classes), of two (rows, 1).

    Raises:
        Incompatible: as `write_lightgbm` does.
    """
    booster = _booster_of(model)
    return _sums(graph, booster, _dump(booster), view, path)


def _sums(graph: Graph, booster: Any, dump: dict[str, Any], view: View, path: str) -> str:
    """Write the trees; return their sums, shape (rows, trees of an iteration)."""
    width = dump["num_tree_per_iteration"]
    tables = _tables(booster, [place for place, column in enumerate(view) if column.kind == "string"])
    forest = Forest([0.0] * width)
    seen: dict[int, set[str]] = {}
    for number, tree in enumerate(dump["tree_info"]):
        forest.add(_nodes(tree["tree_structure"], seen), number % width)
    matrix = _entering(graph, graph.matrix(coded(graph, view, tables, path)), seen, tables, len(view), path)
    raw = forest.write(graph, matrix)
    if dump["average_output"]:
        raw = graph.add("Div", raw, graph.constant(float(max(1, len(dump["tree_info"]) // width))))
    return raw


def _booster_of(model: Any) -> Any:
    if type(model).__name__ == "Booster" or hasattr(model, "dump_model"):
        return model
    if getattr(model, "_Booster", None) is None:
        raise Incompatible(
            f"This {type(model).__name__} is not fitted.", mend="return model.fit(X, y) from the train function"
        )
    return model.booster_


def _dump(booster: Any) -> dict[str, Any]:
    """Return the model as LightGBM describes it, up to the iteration that it predicts with."""
    dump: dict[str, Any] = booster.dump_model()
    if any("leaf_coeff" in leaf for tree in dump["tree_info"] for leaf in _leaves(tree["tree_structure"])):
        raise Incompatible(
            "The LightGBM model has a linear model in each leaf (linear_tree), which TreeEnsemble has no place for.",
            mend="train it with linear_tree=False",
        )
    return dump


def _leaves(structure: dict[str, Any]) -> list[dict[str, Any]]:
    stack, found = [structure], []
    while stack:
        node = stack.pop()
        if "split_feature" in node:
            stack += [node["left_child"], node["right_child"]]
        else:
            found.append(node)
    return found


def _spelled(name: str) -> str:
    return "_".join(name.split(" "))


def _unnamed(names: Sequence[str]) -> bool:
    return all(name == f"Column_{place}" for place, name in enumerate(names))


def _objective(dump: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the objective's name and its options; '' for a function of the user's own."""
    words = str(dump.get("objective", "")).split()
    options = {name: value for name, _, value in (word.partition(":") for word in words[1:])}
    return (words[0] if words and words[0] not in ("custom", "none") else ""), options


def _tables(booster: Any, texts: Sequence[int]) -> dict[int, list[Any]]:
    """Return the categories by the place of their column.

    LightGBM keeps a table for each column of categories, in their order, and apart from that the places of those it
    splits by category. Ordered categories are not among the latter: then the columns of text tell where they are.
    """
    tables = booster.pandas_categorical or []
    found = re.search(r"\[categorical_feature: ([\d,]*)\]", booster.model_to_string(num_iteration=1))
    split = [int(place) for place in found.group(1).split(",") if place] if found else []
    for places in (split, sorted({*split, *texts})):
        if len(places) == len(tables):
            return dict(zip(places, tables, strict=True))
    if not tables:
        return {}
    raise Incompatible(
        f"The LightGBM model has tables for {len(tables)} columns of categories, and {len(split)} of them can be told "
        "by its parameters: ordered categories of numbers can't.",
        mend="fit it on categories that are text, or not ordered",
    )


def _nodes(structure: dict[str, Any], seen: dict[int, set[str]]) -> list[Node]:
    """Return one tree as nodes; note in `seen` how the missing values of each column are taken, or `category`."""
    nodes: list[Any] = [structure]
    out: list[Node] = []
    for node in nodes:  # it grows as children are found
        if "split_feature" not in node:
            out.append(Node(0, 0.0, False, -1, -1, float(node["leaf_value"])))
            continue
        left = len(nodes)
        nodes += [node["left_child"], node["right_child"]]
        feature = int(node["split_feature"])
        if node["decision_type"] == "==":
            members = tuple(float(code) for code in str(node["threshold"]).split("||"))
            seen.setdefault(feature, set()).add("category")
            out.append(Node(feature, 0.0, False, left, left + 1, 0.0, members))
            continue
        threshold = _threshold(float(node["threshold"]))
        missing = str(node["missing_type"])
        seen.setdefault(feature, set()).add(missing)
        # Without a type of missing values NaN is 0.
        missing_left = threshold >= 0.0 if missing == "None" else bool(node["default_left"])
        out.append(Node(feature, threshold, missing_left, left, left + 1, 0.0))
    return out


def _threshold(threshold: float) -> float:
    """Return a threshold that takes numbers next to 0 for 0: LightGBM reads them so before a row enters its trees.

    One at infinity, which tells missing values from all others, is written as 1e300 there.
    """
    if abs(threshold) >= _INFINITE:
        return float(np.copysign(np.inf, threshold))
    if -_ZERO <= threshold < 0.0:
        return float(np.nextafter(-_ZERO, -np.inf))
    return _ZERO if 0.0 <= threshold < _ZERO else threshold


def _entering(
    graph: Graph, matrix: str, seen: dict[int, set[str]], tables: dict[int, Any], width: int, path: str
) -> str:
    """Return the matrix as the trees want it: zeros that stand for missing values as NaN, codes as whole numbers."""
    if mixed := [place for place, kinds in seen.items() if "Zero" in kinds and len(kinds) > 1]:
        raise Incompatible(
            f"The LightGBM model {path} takes zeros of column {mixed[0]} for missing in some trees only.",
            mend="train all of its trees with the same zero_as_missing",
            path=path,
        )
    zeros = [place for place, kinds in seen.items() if "Zero" in kinds]
    if zeros:
        near = graph.add("LessOrEqual", graph.add("Abs", matrix), graph.constant(_ZERO))
        hit = graph.add("And", near, graph.constant([_mask(zeros, width)], np.bool_))
        matrix = graph.add("Where", hit, graph.constant(np.nan), matrix)
    raw = [place for place, kinds in seen.items() if "category" in kinds and place not in tables]
    if raw:  # LightGBM cuts what is behind the point of a code
        whole = graph.add("Mul", graph.add("Sign", matrix), graph.add("Floor", graph.add("Abs", matrix)))
        matrix = graph.add("Where", graph.constant([_mask(raw, width)], np.bool_), whole, matrix)
    return matrix


def _mask(places: Sequence[int], width: int) -> list[bool]:
    return [place in places for place in range(width)]


def _answered(graph: Graph, raw: str, dump: dict[str, Any], classifier: bool, path: str) -> Answered:
    objective, options = _objective(dump)
    width = dump["num_tree_per_iteration"]
    scale = graph.constant(float(options.get("sigmoid", 1.0)))
    if objective == "multiclass" and classifier:
        return probabilities(graph, raw, width)
    if objective == "multiclassova" and classifier:
        return Answered(graph.add("Sigmoid", graph.add("Mul", raw, scale)), "probabilities")
    if objective == "binary" and classifier:
        return probabilities(graph, raw, 1, float(options["sigmoid"]))
    if classifier or width > 1:
        raise Incompatible(
            f"The LightGBM model {path} has the objective {objective or 'of its own'!r} with {width} sums to a row.",
            mend='use objective="binary", "multiclass" or "multiclassova" for classes',
            path=path,
        )
    if objective in _EXPONENTIAL:
        raw = graph.add("Exp", raw)
    elif objective in ("binary", "cross_entropy"):
        raw = graph.add("Sigmoid", graph.add("Mul", raw, scale))
    elif objective == "cross_entropy_lambda":
        raw = graph.add("Log", graph.add("Add", graph.add("Exp", raw), graph.constant(1.0)))
    elif "sqrt" in options:
        raw = graph.add("Mul", graph.add("Abs", raw), raw)
    return Answered(raw, "number")
