"""The last step of a model: classifiers and regressors of scikit-learn as a graph.

Trees, boosted trees, linear models, naive Bayes, calibrated models and outlier detectors are written here and in the
modules beside this one, in double precision, from their fitted attributes; all others are left to skl2onnx. An
estimator answers one tensor: probabilities, codes (indices of classes), numbers or vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base.errors import Incompatible, PlusoneError
from ..boosters.lightgbm import is_lightgbm, raw_lightgbm, write_lightgbm
from ..boosters.xgboost import is_xgboost, write_xgboost
from ..graphs.answers import Answered, codes_of, side_by_side
from ..graphs.graph import Graph, View
from .calibration import calibrate
from .linear import bayes, bernoulli, linear, linear_classifier, logistic, product, stochastic
from .networks import columns
from .outliers import envelope, isolation, kernel_regression, one_class, stochastic_one_class
from .several import classes_of, has_probabilities
from .sparseness import is_sparse, zeros_missing
from .transformers import class_of, transform
from .trees import boosted, boosted_classic, forest, raw_boosted, raw_boosted_classic

__all__ = ["estimate"]

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
        view = _prepared(graph, part, view, path)
        step, inner = part.steps[-1]
        return estimate(graph, inner, view, f"{path}.{step}", own=own)
    if name.startswith("sklearn.model_selection._search") and hasattr(part, "best_estimator_"):
        return estimate(graph, part.best_estimator_, view, f"{path}.best_estimator_", own=own)
    try:
        handler = _handlers().get(name)
        if is_lightgbm(part):
            handler = write_lightgbm
        elif is_xgboost(part):
            handler = write_xgboost
        several = classes_of(part) is not None
        if several and handler not in _SEVERAL:
            raise Incompatible(
                f"{name} ({path}) answers a label for each of several targets, and can't be compiled.",
                mend="use a random forest, extra trees, or MultiOutputClassifier around a classifier that compiles",
                part=name,
                path=path,
            )
        # skl2onnx can't write these, so there is no second way for them.
        if handler is not None and (own or several or handler in (boosted, write_lightgbm, write_xgboost)):
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


def _prepared(graph: Graph, part: Any, view: View, path: str) -> View:
    """Return what enters the last step of a pipeline."""
    for step, inner in part.steps[:-1]:
        view = transform(graph, inner, view, f"{path}.{step}")
    if is_xgboost(part.steps[-1][1]) and len(part.steps) > 1 and is_sparse(part[:-1]):
        view = zeros_missing(graph, view)
    return view


def _handlers() -> dict[str, Estimate]:
    handlers: dict[str, Estimate] = {
        "sklearn.linear_model._logistic.LogisticRegression": logistic,
        "sklearn.linear_model._logistic.LogisticRegressionCV": logistic,
        "sklearn.compose._target.TransformedTargetRegressor": _transformed_target,
        "sklearn.multioutput.MultiOutputRegressor": _several,
        "sklearn.multioutput.RegressorChain": _chain,
        "sklearn.multioutput.MultiOutputClassifier": _several_labels,
        "sklearn.multioutput.ClassifierChain": _chained_labels,
        "sklearn.multiclass.OneVsRestClassifier": _rest,
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier": _network,
        "sklearn.frozen._frozen.FrozenEstimator": _frozen,
        "sklearn.calibration.CalibratedClassifierCV": _calibrated,
        "sklearn.ensemble._iforest.IsolationForest": isolation,
        "sklearn.covariance._elliptic_envelope.EllipticEnvelope": envelope,
        "sklearn.svm._classes.OneClassSVM": one_class,
        "sklearn.svm._classes.SVR": kernel_regression,
        "sklearn.svm._classes.NuSVR": kernel_regression,
        "sklearn.linear_model._stochastic_gradient.SGDOneClassSVM": stochastic_one_class,
        "sklearn.linear_model._stochastic_gradient.SGDClassifier": stochastic,
        "sklearn.naive_bayes.MultinomialNB": bayes,
        "sklearn.naive_bayes.ComplementNB": bayes,
        "sklearn.naive_bayes.BernoulliNB": bernoulli,
        "sklearn.ensemble._voting.VotingClassifier": _voting,
        "sklearn.ensemble._voting.VotingRegressor": _voting,
    }
    boosting = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoosting"
    for task in ("Classifier", "Regressor"):
        handlers[boosting + task] = boosted
        handlers["sklearn.ensemble._gb.GradientBoosting" + task] = _classic
        for several in ("RandomForest", "ExtraTrees"):
            handlers[f"sklearn.ensemble._forest.{several}{task}"] = forest
        for tree in ("DecisionTree", "ExtraTree"):
            handlers[f"sklearn.tree._classes.{tree}{task}"] = forest
    linear_models = "sklearn.linear_model."
    for module, names in {
        "_base": ("LinearRegression",),
        "_ridge": ("Ridge", "RidgeCV"),
        "_coordinate_descent": (
            *("Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV"),
            *("MultiTaskElasticNet", "MultiTaskElasticNetCV"),
        ),
        "_huber": ("HuberRegressor",),
        "_quantile": ("QuantileRegressor",),
        "_stochastic_gradient": ("SGDRegressor",),
        "_bayes": ("BayesianRidge", "ARDRegression"),
        "_glm.glm": ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"),
    }.items():
        handlers.update({f"{linear_models}{module}.{name}": linear for name in names})
    for module, names in {
        "svm._classes": ("LinearSVC",),
        "linear_model._ridge": ("RidgeClassifier", "RidgeClassifierCV"),
        "linear_model._perceptron": ("Perceptron",),
    }.items():
        handlers.update({f"sklearn.{module}.{name}": linear_classifier for name in names})
    return handlers


# ---------------------------------------------------------------------------------------------- models of models


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


def _several(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """MultiOutputRegressor: a model for each target."""
    found = [
        _column(graph, estimate(graph, inner, view, f"{path}.estimators_[{index}]").tensor)
        for index, inner in enumerate(part.estimators_)
    ]
    return _side_by_side(graph, found)


def _chain(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """RegressorChain: a model for each target, which is given what those before it answered."""
    found: list[str] = [""] * len(part.estimators_)
    for index, (place, inner) in enumerate(zip(part.order_, part.estimators_, strict=True)):
        column = _column(graph, estimate(graph, inner, view, f"{path}.estimators_[{index}]").tensor)
        found[int(place)] = column
        view = view + graph.whole(column, 1)
    return _side_by_side(graph, found)


def _several_labels(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """MultiOutputClassifier: a classifier for each target."""
    found = [
        estimate(graph, inner, view, f"{path}.estimators_[{index}]") for index, inner in enumerate(part.estimators_)
    ]
    return side_by_side(graph, found, hasattr(part, "predict_proba"))


def _chained_labels(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """ClassifierChain: a classifier for each target, which is given the labels before it, or what they are sure of."""
    told = getattr(part, "chain_method_", "predict")
    if told == "decision_function":
        raise Incompatible(
            f"{class_of(part)} ({path}) tells its next classifier a decision, which can't be compiled.",
            mend="use chain_method='predict' or 'predict_proba'",
        )
    found: list[Answered] = [Answered("", "codes")] * len(part.estimators_)
    for index, (place, inner) in enumerate(zip(part.order_, part.estimators_, strict=True)):
        answered = found[int(place)] = estimate(graph, inner, view, f"{path}.estimators_[{index}]")
        if told == "predict_proba":
            column = graph.pick_from(answered.tensor, [1])
        else:
            labels = graph.constant(np.asarray(inner.classes_, dtype=np.float64))
            column = _column(graph, graph.add("Gather", labels, codes_of(graph, answered), axis=0))
        view = view + graph.whole(column, 1)
    sure = has_probabilities(part, classes_of(part) or ()) and all(one.kind == "probabilities" for one in found)
    return side_by_side(graph, found, sure)


def _rest(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """OneVsRestClassifier, fitted on columns of zeros and ones: a classifier of two labels for each."""
    if not part.multilabel_:
        return _with_skl2onnx(graph, part, view, path)
    return _several_labels(graph, part, view, path)


def _network(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """MLPClassifier: of one target skl2onnx writes it well, of several in single precision, or not."""
    if classes_of(part) is None:
        return _with_skl2onnx(graph, part, view, path)
    return columns(graph, part, view)


_SEVERAL = (forest, linear_classifier, _several_labels, _chained_labels, _rest, _network, write_xgboost)
"""What writes classifiers of several targets."""


def _side_by_side(graph: Graph, columns: list[str]) -> Answered:
    if len(columns) == 1:
        return Answered(columns[0], "number")
    return Answered(graph.add("Concat", *columns, axis=1), "vector")


def _column(graph: Graph, tensor: str) -> str:
    return graph.add("Reshape", tensor, graph.constant([-1, 1], np.int64))


def _classic(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """GradientBoosting; where it begins with another model, both are left to skl2onnx."""
    write = boosted_classic if _plain_start(part) else _with_skl2onnx
    return write(graph, part, view, path)


def _plain_start(part: Any) -> bool:
    return isinstance(part.init_, str) or class_of(part.init_).startswith("sklearn.dummy.Dummy")


def _frozen(graph: Graph, part: Any, view: View, path: str) -> Answered:
    return estimate(graph, part.estimator, view, f"{path}.estimator")


# ---------------------------------------------------------------------------------------------- calibrated models


class _NoDecisionError(Exception):
    """What a classifier is calibrated by is not written here."""


def _calibrated(graph: Graph, part: Any, view: View, path: str) -> Answered:
    """CalibratedClassifierCV: the mean of calibrated classifiers."""
    total = ""
    for index, calibrated in enumerate(part.calibrated_classifiers_):
        own = f"{path}.calibrated_classifiers_[{index}]"
        try:
            raw, sure = _decided(graph, calibrated.estimator, view, f"{own}.estimator")
        except _NoDecisionError:
            return _with_skl2onnx(graph, part, view, path)
        one = calibrate(graph, calibrated, raw, sure, own)
        total = graph.add("Add", total, one) if total else one
    return Answered(graph.add("Div", total, graph.constant(float(len(part.calibrated_classifiers_)))), "probabilities")


def _decided(graph: Graph, part: Any, view: View, path: str) -> tuple[str, bool]:
    """Return what a classifier is calibrated by: its decision where it has one, else its probabilities, and which.

    The decision of two classes, and the probability of the second, have shape (rows, 1).
    """
    name = class_of(part)
    if name == "sklearn.frozen._frozen.FrozenEstimator":
        return _decided(graph, part.estimator, view, f"{path}.estimator")
    if name == "sklearn.pipeline.Pipeline":
        view = _prepared(graph, part, view, path)
        return _decided(graph, part.steps[-1][1], view, f"{path}.{part.steps[-1][0]}")
    handler = _handlers().get(name)
    if handler is boosted:
        return raw_boosted(graph, part, view, path), False
    if handler is _classic and _plain_start(part):
        return raw_boosted_classic(graph, part, view), False
    if handler in (logistic, linear_classifier, stochastic):
        return product(graph, part, view)[0], False
    if is_lightgbm(part) and hasattr(part, "decision_function"):  # since LightGBM 4.7
        return raw_lightgbm(graph, part, view, path), False
    if hasattr(part, "decision_function"):
        raise _NoDecisionError
    answered = estimate(graph, part, view, path)
    if answered.kind != "probabilities":
        raise Incompatible(f"{name} ({path}) has no probabilities to be calibrated by.", part=name, path=path)
    return (graph.pick_from(answered.tensor, [1]) if len(part.classes_) == 2 else answered.tensor), True


# ---------------------------------------------------------------------------------------------- everything else


def _with_skl2onnx(graph: Graph, part: Any, view: View, path: str) -> Answered:
    from ..graphs.converter import convert_estimator

    tensor, kind = convert_estimator(graph, part, graph.matrix(view), len(view), path)
    if kind == "number" and getattr(part, "n_outputs_", 1) > 1:
        # Some of its converters write all numbers below each other.
        shape = graph.constant([-1, int(part.n_outputs_)], np.int64)
        return Answered(graph.add("Reshape", tensor, shape), "vector")
    return Answered(tensor, kind)
