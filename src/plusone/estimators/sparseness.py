"""Which fitted transformers answer a sparse matrix: XGBoost takes what is left out of one for missing, not for 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.graph import Graph, View
from .transformers import class_of

__all__ = ["is_sparse", "zeros_missing"]

_KEEP = ("sklearn.feature_selection.", "sklearn.preprocessing._data.", "sklearn.preprocessing._function_transformer.")
_TEXT = "sklearn.feature_extraction.text."


def is_sparse(part: Any, before: bool = False) -> bool:
    """Whether the fitted transformer `part` answers a sparse matrix.

    Args:
        before: whether it is given one.
    """
    name = class_of(part)
    if name == "sklearn.pipeline.Pipeline":
        for _, step in part.steps:
            before = is_sparse(step, before)
        return before
    if name == "sklearn.pipeline.FeatureUnion":
        return any(is_sparse(step, before) for _, step in part.transformer_list if not isinstance(step, str))
    if name.endswith(".ColumnTransformer"):
        return bool(part.sparse_output_)
    if name.endswith(".OneHotEncoder"):
        return bool(part.sparse_output)
    if name.endswith(".KBinsDiscretizer"):
        return bool(part.encode == "onehot")
    if name.startswith(_TEXT) or part is None or isinstance(part, str):
        return name.startswith(_TEXT) or before
    return before and (name.startswith(_KEEP) or name.endswith((".PolynomialFeatures", ".SimpleImputer")))


def zeros_missing(graph: Graph, view: View) -> View:
    """Return the columns with NaN in place of each 0."""
    matrix = graph.matrix(view)
    zero = graph.add("Equal", matrix, graph.constant(0.0))
    return graph.whole(graph.add("Where", zero, graph.constant(np.nan), matrix), len(view))
