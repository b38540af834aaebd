"""The last step of a model: classifiers and regressors of scikit-learn as a graph.

Trees, boosted trees and linear models are written here in double precision, from their fitted attributes; every other
estimator is left to skl2onnx. An estimator answers one tensor: probabilities, codes (indices of classes) or numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base.errors import Incompatible, PlusoneError
from ..graphs.graph import Graph, View
from ..graphs.trees import Forest, classic_nodes, hist_nodes, rounded_to_float32
from .several import count_targets, several
from .transformers import class_of, transform

__all__ = ["Answered", "estimate"]


class Answered(NamedTuple):
    """The tensor that holds a model's answers, and what they are."""

    tensor: str
    kind: Literal["probabilities", "codes", "number", "vector"]


Estimate = Callable[[Graph, Any, View, str], Answered]


def estimate(graph: Graph, part: Any, view: View, path: str, *, own: bool = True) -> Answered:
    """Write the fitted estimator `part`, or the pipeline or search that ends in one; return its answers.

    Args:
        own: whether to write the estimator ourselves where we can; else skl2onnx does.

    Raises:
        Incompatible: naming the part that can't be compiled.
    """
    name = class_of(part)
    if name == "sklearn.pipeline.Pipeline":
        for step, inner in part.steps[:-1]:
            view = transform(graph, inner, view, f"{path}.{step}")
        step, inner = part.steps[-1]
        return estimate(graph, inner, view, f"{path}.{step}", own=own)
    if name.startswith("sklearn.model_selection._search") and hasattr(part, "best_estimator_"):
        return estimate(graph, part.best_estimator_, view, f"{path}.best_estimator_", own=own)
    if count_targets(part) > 1:
        return Answered(several(graph, part, view, path, functools.partial(estimate, own=own)), "vector")
    try:
        handler = _handlers().get(name)
        # skl2onnx can't write HistGradientBoosting, so there is no second way for it.
        if handler is not None and (own or "_hist_gradient_boosting" in name):
            return handler(graph, part, view, path)
        return _with_skl2onnx(graph, part, view, path)
    except PlusoneError:
        raise
    except Exception as error:
        raise Incompatible(
            f"{name} ({path}) can't be compiled: {type(error).__name__}: {error}",
            mend="use an estimator that compiles, for example HistGradientBoosting, a random forest or a linear model",
            part=name,
            path=path,
        ) from error


def _handlers() -> dict[str, Estimate]:
    handlers: dict[str, Estimate] = {
        "sklearn.linear_model._logistic.LogisticRegression": _logistic,
        "sklearn.linear_model._logistic.LogisticRegressionCV": _logistic,
        "sklearn.compose._target.TransformedTargetRegressor": _transformed_target,
        "sklearn.ensemble._voting.VotingClassifier": _voting,
        "sklearn.ensemble._voting.VotingRegressor": _voting,
    }
    boosting = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoosting"
    for task in ("Classifier", "Regressor"):
        handlers[boosting + task] = _hist_gradient_boosting
        handlers["sklearn.ensemble._gb.GradientBoosting" + task] = _gradient_boosting
        for forest in ("RandomForest", "ExtraTrees"):
            handlers[f"sklearn.ensemble._forest.{forest}{task}"] = _forest
        for tree in ("DecisionTree", "ExtraTree"):
            handlers[f"sklearn.tree._classes.{tree}{task}"] = _forest
    linear = "sklearn.linear_model."
    for module, names in {
        "_base": ("LinearRegression",),
        "_ridge": ("Ridge", "RidgeCV"),
        "_coordinate_descent": ("Lasso", "LassoCV", "ElasticNet", "ElasticNetCV"),
        "_huber": ("HuberRegressor",),
        "_quantile": ("QuantileRegressor",),
        "_stochastic_gradient": ("SGDRegressor",),
        "_bayes": ("BayesianRidge", "ARDRegression"),
        "_glm.glm": ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"),
    }.items():
        handlers.update({f"{linear}{module}.{name}": _linear for name in names})
    for module, names in {
        "svm._classes": ("LinearSVC",),
        "linear_model._ridge": ("RidgeClassifier", "RidgeClassifierCV"),
        "linear_model._perceptron": ("Perceptron",),
        "linear_model._stochastic_gradient": ("SGDClassifier",),
    }.items():
        handlers.update({f"sklearn.{module}.{name}": _linear_classifier for name in names})
    return handlers


# ---------------------------------------------------------------------------------------------- trees


def _hist_gradient_boosting(graph: Graph, part: Any, view: View, path: str) -> Answered:
    if part._preprocessor is not None:
        view = transform(graph, part._preprocessor, view, f"{path}._preprocessor")
    per_iteration = int(part.n_trees_per_iteration_)
    forest = Forest(np.reshape(part._baseline_prediction, per_iteration).tolist())
    for iteration in part._predictors:
        for target, predictor in enumerate(iteration):
            forest.add(hist_nodes(predictor), target)
    raw = forest.write(graph, graph.matrix(view))
    if hasattr(part, "classes_"):
        return _probabilities(graph, raw, per_iteration)
    return _linked(graph, raw, type(part._loss.link).__name__, path)


def _linked(graph: Graph, raw: str, link: str, path: str) -> Answered:
    """Apply the inverse of a link function, by the name that scikit-learn's `_loss.link` gives it."""
    if link == "LogLink":
        return Answered(graph.add("Exp", raw), "number")
    if link == "LogitLink":
        return Answered(graph.add("Sigmoid", raw), "number")
    if link == "IdentityLink":
        return Answered(raw, "number")
    raise Incompatible(f"The link function {link} ({path}) can't be compiled: expected identity, log or logit.")


def _probabilities(graph: Graph, raw: str, width: int, scale: float = 1.0) -> Answered:
    if width > 1:
        return Answered(graph.add("Softmax", raw, axis=1), "probabilities")
    # sigmoid(-x) is 1 - sigmoid(x): both probabilities in two nodes.
    both = graph.add("Mul", raw, graph.constant([[-scale, scale]]))
    return Answered(graph.add("Sigmoid", both), "probabilities")


def _gradient_boosting(graph: Graph, part: Any, view: View, path: str) -> Answered:
    width = part.estimators_.shape[1]
    dummy = "sklearn.dummy.Dummy"
    if not (isinstance(part.init_, str) or class_of(part.init_).startswith(dummy)):
        return _with_skl2onnx(graph, part, view, path)
    start = part._raw_predict_init(np.zeros((1, len(view)), dtype=np.float32))
    forest = Forest(np.reshape(start, width).tolist())
    for stage in part.estimators_:
        for target, tree in enumerate(stage):
            values = part.learning_rate * tree.tree_.value[:, 0, 0]
            forest.add(classic_nodes(tree.tree_, values.tolist()), target)
    raw = forest.write(graph, rounded_to_float32(graph, graph.matrix(view)))
    if not hasattr(part, "classes_"):
        return Answered(raw, "number")
    # The exponential loss halves the log odds (Friedman 2001, section 4.5), so its raw value counts twice.
    return _probabilities(graph, raw, width, 2.0 if type(part._loss).__name__ == "ExponentialLoss" else 1.0)


def _forest(graph: Graph, part: Any, view: View, path: str) -> Answered:
    trees = [tree.tree_ for tree in getattr(part, "estimators_", [part])]
    name = rounded_to_float32(graph, graph.matrix(view))
    if not hasattr(part, "classes_"):
        forest = Forest([0.0])
        for tree in trees:
            forest.add(classic_nodes(tree, tree.value[:, 0, 0].tolist()), 0)
        return Answered(graph.add("Div", forest.write(graph, name), graph.constant(float(len(trees)))), "number")
    if len(part.classes_) == 1:
        ones = graph.add("Mul", graph.pick_from(name, [0]), graph.constant(0.0))
        return Answered(graph.add("Add", ones, graph.constant(1.0)), "probabilities")
    return Answered(_leaf_shares(graph, trees, name), "probabilities")


def _leaf_shares(graph: Graph, trees: list[Any], name: str) -> str:
    """Return the mean of the class shares in the leaf that each tree sends a row to.

    A leaf of the operator holds one number, so each tree answers with the index of its leaf, as a target of its own,
    and the shares are looked up: shape (rows, trees) -> (rows, trees, classes) -> mean over trees.
    """
    forest = Forest([0.0] * len(trees))
    shares: list[Any] = []
    offset = 0
    for target, tree in enumerate(trees):
        values = tree.value[:, 0, :]
        shares.append(values / values.sum(axis=1, keepdims=True))
        forest.add(classic_nodes(tree, [float(offset + index) for index in range(len(values))]), target)
        offset += len(values)
    leaves = graph.cast(forest.write(graph, name), np.int64)
    looked_up = graph.add("Gather", graph.constant(np.concatenate(shares)), leaves, axis=0)
    summed = graph.add("ReduceSum", looked_up, graph.constant([1], np.int64), keepdims=0)
    return graph.add("Div", summed, graph.constant(float(len(trees))))


# ---------------------------------------------------------------------------------------------- linear models


def _product(graph: Graph, part: Any, view: View) -> tuple[str, int]:
    weights = np.atleast_2d(np.asarray(part.coef_, dtype=np.float64))
    product = graph.add("MatMul", graph.matrix(view), graph.constant(weights.T))
    intercept = np.reshape(part.intercept_, (1, -1))
    return graph.add("Add", product, graph.constant(intercept)), weights.shape[0]


def _logistic(graph: Graph, part: Any, view: View, path: str) -> Answered:
    raw, width = _product(graph, part, view)
    return _probabilities(graph, raw, width)


def _linear_classifier(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """The label alone: the sign of the decision for two classes, the largest decision for more."""
    if hasattr(part, "predict_proba"):
        return _with_skl2onnx(graph, part, view, path)
    raw, width = _product(graph, part, view)
    if width == 1:
        return Answered(graph.cast(graph.add("Greater", raw, graph.constant(0.0)), np.int64), "codes")
    return Answered(graph.add("ArgMax", raw, axis=1, keepdims=0), "codes")


def _linear(graph: Graph, part: Any, view: View, path: str) -> Answered:
    raw, _ = _product(graph, part, view)
    loss = getattr(part, "_base_loss", None)
    return Answered(raw, "number") if loss is None else _linked(graph, raw, type(loss.link).__name__, path)


def _transformed_target(graph: Graph, part: Any, view: View, path: str) -> Answered:
    inner = estimate(graph, part.regressor_, view, f"{path}.regressor_")
    inverse = part.transformer_
    name = class_of(inverse)
    if name.endswith(".StandardScaler"):
        out = inner.tensor
        if inverse.with_std:
            out = graph.add("Mul", out, graph.constant(inverse.scale_[0]))
        return Answered(graph.add("Add", out, graph.constant(inverse.mean_[0])) if inverse.with_mean else out, "number")
    function = getattr(inverse, "inverse_func", None)
    if name.endswith(".FunctionTransformer") and function in (None, np.exp, np.expm1):
        if function is None:
            return inner
        out = graph.add("Exp", inner.tensor)
        return Answered(out if function is np.exp else graph.add("Sub", out, graph.constant(1.0)), "number")
    undone_by = getattr(function, "__name__", name)
    raise Incompatible(
        f"{class_of(part)} ({path}) undoes its target by {undone_by!r}, which can't be compiled.",
        mend="use func=numpy.log1p with inverse_func=numpy.expm1, numpy.log with numpy.exp, or a StandardScaler",
    )


def _voting(graph: Graph, part: Any, view: View, path: str) -> Answered:
    if getattr(part, "voting", "soft") != "soft":
        return _with_skl2onnx(graph, part, view, path)
    weights = part._weights_not_none
    weights = np.ones(len(part.estimators_)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = ""
    kind: Any = "number"
    for index, (inner, weight) in enumerate(zip(part.estimators_, weights / weights.sum(), strict=True)):
        answered = estimate(graph, inner, view, f"{path}.estimators_[{index}]")
        kind = answered.kind
        tensor = answered.tensor
        if kind == "number":
            tensor = graph.add("Reshape", tensor, graph.constant([-1, 1], np.int64))
        share = graph.add("Mul", tensor, graph.constant(weight))
        total = graph.add("Add", total, share) if total else share
    return Answered(total, kind)


# ---------------------------------------------------------------------------------------------- everything else


def _with_skl2onnx(graph: Graph, part: Any, view: View, path: str) -> Answered:
    from ..graphs.converter import convert_estimator

    tensor, kind = convert_estimator(graph, part, graph.matrix(view), len(view), path)
    return Answered(tensor, kind)
