"""Linear models and naive Bayes of scikit-learn as a graph, in double precision: a product, and what is made of it.

The product of a view is taken without writing out what is sparse: of text only the terms that are there are looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.answers import Answered, one_against_rest, positive, probabilities
from ..graphs.graph import Graph, View
from .several import classes_of
from .trees import linked

__all__ = ["bayes", "bernoulli", "linear", "linear_classifier", "logistic", "product", "stochastic"]


def product(graph: Graph, part: Any, view: View) -> tuple[str, int]:
    """Return the weighted sums and the intercept, shape (rows, width), and the width."""
    weights = np.atleast_2d(np.asarray(part.coef_, dtype=np.float64))
    raw = graph.product(view, weights.T)
    intercept = np.reshape(part.intercept_, (1, -1))
    return graph.add("Add", raw, graph.constant(intercept)), weights.shape[0]


def logistic(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """Logistic regression: one sum for two classes, else one for each."""
    raw, width = product(graph, part, view)
    return probabilities(graph, raw, width)


def linear_classifier(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """The label alone: the sign of the decision for two classes, the largest decision for more; of several targets
    the sign of each.
    """
    raw, width = product(graph, part, view)
    if classes_of(part) is not None:
        return positive(graph, raw)._replace(several=True)
    if width > 1:
        return Answered(graph.add("ArgMax", raw, axis=1, keepdims=0), "codes")
    return positive(graph, raw)


def stochastic(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """SGDClassifier: with two of its losses it has probabilities (Zadrozny and Elkan 2002 for `modified_huber`)."""
    if not hasattr(part, "predict_proba"):
        return linear_classifier(graph, part, view, path)
    raw, width = product(graph, part, view)
    if part.loss == "log_loss":
        return probabilities(graph, raw, 1) if width == 1 else one_against_rest(graph, raw)
    one = graph.constant(1.0)
    clipped = graph.add("Clip", raw, graph.constant(-1.0), one)
    share = graph.add("Div", graph.add("Add", clipped, one), graph.constant(2.0))
    if width == 1:
        return Answered(graph.add("Concat", graph.add("Sub", one, share), share, axis=1), "probabilities")
    total = graph.add("ReduceSum", share, graph.constant([1], np.int64), keepdims=1)
    none = graph.add("Equal", total, graph.constant(0.0))
    share = graph.add("Where", none, one, share)
    total = graph.add("Where", none, graph.constant(float(width)), total)
    return Answered(graph.add("Div", share, total), "probabilities")


def linear(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """A linear regression, with its link if it has one; of several targets a vector."""
    raw, width = product(graph, part, view)
    loss = getattr(part, "_base_loss", None)
    if loss is not None:
        return linked(graph, raw, type(loss.link).__name__, path)
    return Answered(raw, "number" if width == 1 else "vector")


def bayes(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """Naive Bayes of counts: MultinomialNB, and ComplementNB, which has no use for the classes' own shares."""
    raw = graph.product(view, np.asarray(part.feature_log_prob_).T)
    if not type(part).__name__.startswith("Complement") or len(part.classes_) == 1:
        raw = graph.add("Add", raw, graph.constant(np.reshape(part.class_log_prior_, (1, -1))))
    return Answered(graph.add("Softmax", raw, axis=1), "probabilities")


def bernoulli(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """Naive Bayes of what is there and what is not."""
    if part.binarize is not None:
        parts = graph.parts_of(view) if part.binarize >= 0 else None
        limit = graph.constant(float(part.binarize))
        if parts is None:
            there = graph.cast(graph.add("Greater", graph.matrix(view), limit), graph.dtype)
            view = graph.whole(there, len(view))
        else:
            there = graph.cast(graph.add("Greater", parts[1], limit), graph.dtype)
            view = graph.sparse(parts[0], there, parts[2])
    absent = np.log(1.0 - np.exp(part.feature_log_prob_))
    raw = graph.product(view, (part.feature_log_prob_ - absent).T)
    start = np.reshape(part.class_log_prior_ + absent.sum(axis=1), (1, -1))
    return Answered(graph.add("Softmax", graph.add("Add", raw, graph.constant(start)), axis=1), "probabilities")
