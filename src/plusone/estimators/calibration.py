"""The calibrators of scikit-learn's CalibratedClassifierCV as a graph: sigmoid, isotonic and temperature."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import Incompatible
from ..graphs.graph import Graph
from ..graphs.steps import interpolate

__all__ = ["calibrate"]


def calibrate(graph: Graph, part: Any, raw: str, sure: bool, path: str) -> str:
    """Return the probabilities that a fitted `_CalibratedClassifier` makes of its classifier's decision.

    Args:
        raw: the decision or the probabilities, shape (rows, classes), of two classes (rows, 1).
        sure: whether they are probabilities.

    Raises:
        Incompatible: for a calibrator that is none of scikit-learn's.
    """
    count = len(part.classes)
    if part.method == "temperature":
        return _temperature(graph, part.calibrators[0], raw, sure, count)
    if part.method == "sigmoid":
        slopes, starts = ([[getattr(one, name) for one in part.calibrators]] for name in ("a_", "b_"))
        bent = graph.add("Add", graph.add("Mul", raw, graph.constant(slopes)), graph.constant(starts))
        share = graph.add("Sigmoid", graph.add("Neg", bent))
    elif part.method == "isotonic":
        share = interpolate(graph, raw, [(one.X_thresholds_, one.y_thresholds_) for one in part.calibrators])
    else:
        raise Incompatible(
            f"{path} is calibrated by {part.method!r}: expected sigmoid, isotonic or temperature.", path=path
        )
    if count == 2:
        return graph.add("Concat", graph.add("Sub", graph.constant(1.0), share), share, axis=1)
    share = _in_order(graph, share, part)
    total = graph.add("ReduceSum", share, graph.constant([1], np.int64), keepdims=1)
    none = graph.add("Equal", total, graph.constant(0.0))
    even = graph.add("Where", none, graph.constant(1.0), share)
    return graph.add("Div", even, graph.add("Where", none, graph.constant(float(count)), total))


def _in_order(graph: Graph, share: str, part: Any) -> str:
    """Return a column for each of all classes; a classifier that was fitted on some of them has none for the others."""
    known = part.estimator.classes_.tolist()
    if known == part.classes.tolist():
        return share
    table = [[1.0 if label == wanted else 0.0 for wanted in part.classes.tolist()] for label in known]
    return graph.add("MatMul", share, graph.constant(table))


def _temperature(graph: Graph, one: Any, raw: str, sure: bool, count: int) -> str:
    if sure:
        if count == 2:
            raw = graph.add("Concat", graph.add("Sub", graph.constant(1.0), raw), raw, axis=1)
        raw = graph.add("Log", graph.add("Add", raw, graph.constant(1e-12)))
    elif count == 2:
        raw = graph.add("Concat", graph.add("Neg", raw), raw, axis=1)
    return graph.add("Softmax", graph.add("Mul", raw, graph.constant(float(one.beta_))), axis=1)
