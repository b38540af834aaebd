"""XGBoost's models: read from the JSON that `Booster.save_raw` gives, and written as a graph.

How a row goes through a tree is taken from XGBoost's include/xgboost/tree_model.h and src/common/categorical.h: values
are rounded to 32 bits and go left when they are less than the threshold; members of a set of categories go right.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base.errors import Incompatible
from ..graphs.answers import Answered, of_columns, positive, probabilities
from ..graphs.graph import Graph, View
from ..graphs.trees import Forest, Node, rounded_to_float32
from .asked import Asked, classes_of
from .categories import coded, is_text

__all__ = ["columns_of", "is_xgboost", "known_numbers", "open_xgboost", "write_xgboost"]

_LOGISTIC = ("binary:logistic", "reg:logistic")
_LOG = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_PLAIN = (
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:quantileerror",
    "rank:ndcg",
    "rank:map",
    "rank:pairwise",
)
_SOFT = ("multi:softprob", "multi:softmax")
_ZERO_OR_ONE = ("binary:logistic", "binary:hinge")
_MEND = "train it with a built-in objective, for example binary:logistic, multi:softprob or reg:squarederror"


class _Read(NamedTuple):
    """What a booster's JSON says."""

    objective: str
    names: list[str] | None
    width: int
    groups: int
    """Sums to a row: classes or targets."""
    columns: int
    """Of a classifier fitted on a matrix of zeros and ones: its columns; else 0."""
    start: list[float]
    """What each sum starts from, before the objective's link."""
    booster: dict[str, Any]
    weights: list[float] | None
    """Of `dart`: what each tree counts."""
    tables: dict[int, list[Any]]
    categorical: list[int]


def is_xgboost(model: Any) -> bool:
    """Whether it is a booster of XGBoost or one of its estimators; imports nothing."""
    return any(kind.__module__.split(".")[0] == "xgboost" for kind in type(model).__mro__)


def open_xgboost(model: Any, labels: Sequence[Any]) -> Asked:
    """Return a fitted XGBoost model, of either API, as it is asked.

    Raises:
        Incompatible: when it is not fitted, or does not say what its classes are.
    """
    booster = _booster_of(model)
    read = _read(booster)

    def prepare(frame: Any) -> Any:
        if not hasattr(frame, "columns"):
            return np.asarray(frame, dtype=np.float64)
        return _with_categories(frame, read.tables)

    def margins(rows: Any) -> Any:
        import xgboost

        types = None if hasattr(rows, "columns") else booster.feature_types
        return np.asarray(booster.predict(xgboost.DMatrix(rows, feature_types=types, enable_categorical=True)))

    asked: dict[str, Any] = {"names": read.names, "width": read.width, "prepare": prepare}
    native = model is booster
    if not _classifies(model, booster, read):
        return Asked(**asked, answer=margins if native else model.predict)
    if read.columns:
        return _of_columns(asked, model, margins, read)
    count = max(2, read.groups)
    numbers = model.classes_.tolist() if hasattr(model, "classes_") else list(range(count))
    classes = np.array(classes_of(labels, count, type(model).__name__) if numbers == list(range(count)) else numbers)
    if read.objective == "binary:hinge":
        codes = margins if native else model.predict
        return Asked(**asked, answer=lambda rows: classes[np.asarray(codes(rows)).astype(np.int64)], classes=classes)

    def answered(rows: Any) -> Any:
        out = margins(rows) if native else np.asarray(model.predict_proba(rows))
        return np.column_stack([1.0 - out, out]) if out.ndim == 1 else out

    if native and read.objective == "multi:softmax":
        return Asked(**asked, answer=lambda rows: classes[margins(rows).astype(np.int64)], classes=classes)
    return Asked(
        **asked,
        answer=lambda rows: classes[answered(rows).argmax(axis=1)],
        classes=classes,
        probabilities=answered,
    )


def _of_columns(asked: dict[str, Any], model: Any, margins: Callable[[Any], Any], read: _Read) -> Asked:
    """A classifier of several targets, each 0 or 1."""
    classes = [np.array([0, 1])] * read.columns
    native = hasattr(model, "save_raw")
    if read.objective == "binary:hinge":
        return Asked(**asked, answer=margins if native else model.predict, classes=classes)
    shares = margins if native else model.predict_proba
    # XGBoost's own predict takes what is more than half.
    return Asked(**asked, answer=lambda rows: shares(rows) > 0.5, classes=classes, probabilities=shares)


def columns_of(model: Any) -> int:
    """Return how many columns of zeros and ones a fitted classifier has for its targets; 0 of one with one target."""
    booster = _booster_of(model)
    learner = json.loads(booster.save_config())["learner"]
    classifies = hasattr(type(model), "predict_proba")
    return _columns(str(learner["objective"]["name"]), learner["learner_model_param"]) if classifies else 0


def known_numbers(model: Any) -> dict[int, tuple[float, ...]]:
    """Return, by the place of its column, the numbers that are categories: XGBoost raises for any other."""
    tables = _read(_booster_of(model)).tables
    return {place: tuple(map(float, t)) for place, t in tables.items() if not any(isinstance(v, str) for v in t)}


def write_xgboost(graph: Graph, model: Any, view: View, path: str) -> Answered:
    """Write a fitted XGBoost model, of either API; return its answers.

    Raises:
        Incompatible: naming the part of it that has no place in a graph.
    """
    booster = _booster_of(model)
    read = _read(booster)
    matrix = rounded_to_float32(graph, graph.matrix(coded(graph, view, read.tables, path)))
    missing = getattr(model, "missing", None)
    if missing is not None and not np.isnan(missing):
        stands = graph.add("Equal", matrix, graph.constant(float(np.float32(missing))))
        matrix = graph.add("Where", stands, graph.constant(np.nan), matrix)
    raw_codes = [place for place in read.categorical if place not in read.tables]
    if raw_codes:
        mask = graph.constant([[place in raw_codes for place in range(read.width)]], np.bool_)
        matrix = graph.add("Where", mask, graph.add("Floor", matrix), matrix)
    raw = _linear(graph, read, matrix) if "weights" in read.booster else _trees(graph, model, read, matrix, path)
    return _answered(graph, raw, read, _classifies(model, booster, read), path, native=model is booster)


def _booster_of(model: Any) -> Any:
    if hasattr(model, "save_raw"):
        return model
    try:
        return model.get_booster()
    except Exception as error:  # NotFittedError of scikit-learn, if that is there
        raise Incompatible(
            f"This {type(model).__name__} is not fitted: {error}", mend="return model.fit(X, y) from the train function"
        ) from error


def _classifies(model: Any, booster: Any, read: _Read) -> bool:
    if model is not booster:
        return getattr(model, "_estimator_type", "") == "classifier" or hasattr(type(model), "predict_proba")
    return read.objective in (*_ZERO_OR_ONE, *_SOFT)


def _read(booster: Any) -> _Read:
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    parameters = learner["learner_model_param"]
    objective = str(learner["objective"]["name"])
    gradient = learner["gradient_booster"]
    weights = gradient.get("weight_drop")
    model = gradient["gbtree"]["model"] if "gbtree" in gradient else gradient["model"]
    width = int(parameters["num_feature"])
    groups = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    scores = np.atleast_1d(np.array(json.loads(parameters["base_score"]), dtype=np.float32))
    names = learner["feature_names"] or None
    types = learner["feature_types"] or []
    return _Read(
        objective=objective,
        names=names,
        width=width,
        groups=groups,
        columns=_columns(objective, parameters),
        start=np.broadcast_to(_margin(objective, scores), (groups,)).tolist(),
        booster=model,
        weights=weights,
        tables=_tables(model),
        categorical=[place for place, kind in enumerate(types) if kind == "c"],
    )


def _columns(objective: str, parameters: dict[str, Any]) -> int:
    targets = int(parameters.get("num_target", 1))
    return targets if targets > 1 and objective in _ZERO_OR_ONE else 0


def _margin(objective: str, score: Any) -> Any:
    """Return what the sums start from: the base score, in 32 bits, before the objective's link."""
    one = np.float32(1.0)
    with np.errstate(divide="ignore"):
        if objective in _LOGISTIC:
            return -np.log(one / score - one)
        return np.log(score) if objective in _LOG else score


def _tables(model: dict[str, Any]) -> dict[int, list[Any]]:
    """Return the categories by the place of their column; text comes as one string of bytes with the ends of each."""
    found: dict[int, list[Any]] = {}
    for place, table in enumerate(model.get("cats", {}).get("enc", [])):
        values, ends = table["values"], table.get("offsets")
        if not values:
            continue
        if ends is None:
            found[place] = values
        else:
            text = bytes(value % 256 for value in values)
            found[place] = [text[start:end].decode() for start, end in itertools.pairwise(ends)]
    return found


def _with_categories(frame: Any, tables: dict[int, list[Any]]) -> Any:
    """Return a dataframe of pandas whose columns of categories have the model's own tables.

    XGBoost means to refuse values that are in none; of text, 3.2 takes some of them for another category. So they are
    refused here.

    Raises:
        ValueError: naming the value.
    """
    import pandas as pd

    changed: dict[Any, Any] = {}
    for place, table in tables.items():
        column = frame.iloc[:, place]
        kind = column.cat.categories.dtype if hasattr(column, "cat") else column.dtype
        if is_text(column) and not isinstance(table[0], str):
            kind = np.dtype(type(table[0])) if kind.kind == "O" else kind
        index = pd.Index(table) if isinstance(table[0], str) or kind.kind == "f" else pd.Index(table, dtype=kind)
        values = column.astype(object)
        codes = index.get_indexer(values)
        unknown = (codes < 0) & column.notna().to_numpy()
        if unknown.any():
            value = values[unknown].iloc[0]
            raise ValueError(f"the category {value!r} of {frame.columns[place]!r} was not in the training data")
        changed[frame.columns[place]] = pd.Categorical.from_codes(codes, categories=index)
    return frame.assign(**{str(name): value for name, value in changed.items()}) if changed else frame


# ---------------------------------------------------------------------------------------------- graphs


def _trees(graph: Graph, model: Any, read: _Read, matrix: str, path: str) -> str:
    forest = Forest(read.start)
    stop = len(read.booster["trees"])
    if (iterations := _best(model)) is not None:
        stop = read.booster["iteration_indptr"][iterations]
    for number, tree in enumerate(read.booster["trees"][:stop]):
        weight = 1.0 if read.weights is None else float(np.float32(read.weights[number]))
        size = int(tree["tree_param"]["size_leaf_vector"] or 1)
        for target in range(size) if size > 1 else (read.booster["tree_info"][number],):
            forest.add(_nodes(tree, weight, size, target), target)
    return forest.write(graph, matrix)


def _best(model: Any) -> int | None:
    """Return how many iterations an estimator that stopped early predicts with; None for all.

    A booster of its own predicts with all of them, unless told otherwise with each call.
    """
    if hasattr(model, "save_raw"):
        return None
    try:
        return int(model.best_iteration) + 1
    except AttributeError:  # it was trained without early stopping
        return None


def _nodes(tree: dict[str, Any], weight: float, size: int, target: int) -> list[Node]:
    members: dict[int, tuple[float, ...]] = {}
    codes = tree["categories"]
    for node, start, count in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        members[node] = tuple(float(code) for code in codes[start : start + count])
    thresholds = np.array(tree["split_conditions"], dtype=np.float32)
    # Less than a 32-bit number is at most the one before it.
    below = np.nextafter(thresholds, np.float32(-np.inf)).astype(np.float64)
    leaves = np.array(tree["leaf_weights"] if size > 1 else thresholds, dtype=np.float32).astype(np.float64) * weight
    out: list[Node] = []
    for index, (left, right) in enumerate(zip(tree["left_children"], tree["right_children"], strict=True)):
        missing_left = bool(tree["default_left"][index])
        feature = int(tree["split_indices"][index])
        if left < 0:
            place = right * size + target if size > 1 else index
            out.append(Node(0, 0.0, False, -1, -1, float(leaves[place])))
        elif index in members:
            # What is in the set goes right here, and left in a graph.
            out.append(Node(feature, 0.0, not missing_left, right, left, 0.0, members[index]))
        else:
            out.append(Node(feature, float(below[index]), missing_left, left, right, 0.0))
    return out


def _linear(graph: Graph, read: _Read, matrix: str) -> str:
    """`gblinear`: one weight for each column and group, the last row being the intercepts; missing values count 0.

    However many groups there are, XGBoost 3.2 starts each of them where the first one starts.
    """
    weights = np.array(read.booster["weights"], dtype=np.float32).astype(np.float64).reshape(-1, read.groups)
    filled = graph.add("Where", graph.add("IsNaN", matrix), graph.constant(0.0), matrix)
    product = graph.add("MatMul", filled, graph.constant(weights[:-1]))
    return graph.add("Add", product, graph.constant((weights[-1] + read.start[0]).reshape(1, -1)))


def _answered(graph: Graph, raw: str, read: _Read, classifies: bool, path: str, *, native: bool) -> Answered:
    objective = read.objective
    if objective == "binary:hinge":
        found = positive(graph, raw)
        return found._replace(several=True) if read.columns else _flat(graph, found)
    if classifies and objective == "binary:logistic":
        return of_columns(graph, raw, read.columns) if read.columns else probabilities(graph, raw, 1)
    if classifies and objective in _SOFT:
        if native and objective == "multi:softmax":
            return Answered(graph.add("ArgMax", raw, axis=1, keepdims=0), "codes")
        return probabilities(graph, raw, read.groups)
    if classifies or objective not in (*_LOGISTIC, *_LOG, *_PLAIN, "binary:logitraw"):
        raise Incompatible(
            f"The objective {objective!r} of {path} can't be compiled"
            f"{' for a classifier' if classifies else ''}: what it makes of the sums is not known.",
            mend=_MEND,
            path=path,
        )
    if objective in _LOGISTIC:
        raw = graph.add("Sigmoid", raw)
    elif objective in _LOG:
        raw = graph.add("Exp", raw)
    return Answered(raw, "number" if read.groups == 1 else "vector")


def _flat(graph: Graph, answered: Answered) -> Answered:
    return answered._replace(tensor=graph.add("Reshape", answered.tensor, graph.constant([-1], np.int64)))
