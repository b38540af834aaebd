"""Classifiers that answer a label for each of several targets: which labels, and how they say so.

Trees, neighbours, `MultiOutputClassifier` and `ClassifierChain` have a list of classes. Networks, ridge and
`OneVsRestClassifier`, fitted on a matrix of zeros and ones, have one array of its columns. XGBoost's say 0 and 1, as if
they had one target, and its model has their number.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["classes_of", "has_probabilities"]


def classes_of(model: Any) -> list[Any] | None:
    """Return the labels of each target, arrays in the order of the targets; None for a model with one target."""
    last = _last(model)
    classes = getattr(model, "classes_", getattr(last, "classes_", None))
    if isinstance(classes, (list, tuple)):
        found = [np.asarray(one) for one in classes]
        order = getattr(last, "order_", None)  # of a chain: that of its classifiers, whose classes these are
        return found if order is None else [found[place] for place in np.argsort(order)]
    binarizer = getattr(last, "_label_binarizer", getattr(last, "label_binarizer_", None))
    if classes is not None and getattr(binarizer, "y_type_", "").startswith("multilabel"):
        return [np.array([0, 1])] * len(classes)
    return [np.array([0, 1])] * count if classes is not None and (count := _boosted_columns(last)) else None


def has_probabilities(model: Any, classes: Sequence[Any]) -> bool:
    """Say whether such a model has probabilities of all its labels. A chain answers those of two labels alone."""
    chain = hasattr(_last(model), "order_")
    return hasattr(model, "predict_proba") and not (chain and any(len(one) != 2 for one in classes))


def _boosted_columns(model: Any) -> int:
    """Return how many columns of zeros and ones a classifier of XGBoost has; 0 of one target, and of others."""
    if "xgboost" not in sys.modules:
        return 0
    from ..boosters.xgboost import columns_of, is_xgboost  # here: who reads signatures writes no graphs

    return columns_of(model) if is_xgboost(model) else 0


def _last(model: Any) -> Any:
    """Return what answers in the end: the last step of a pipeline, the best of a search."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif getattr(model, "steps", None):
            model = model.steps[-1][1]
        elif hasattr(model, "asked_for"):
            model = model.asked_for
        else:
            return model
