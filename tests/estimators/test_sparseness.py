"""Which transformers answer a sparse matrix: what is said of them is what they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MaxAbsScaler, OneHotEncoder, PolynomialFeatures, StandardScaler

from plusone.estimators.sparseness import is_sparse

ONE_HOT = OneHotEncoder(handle_unknown="ignore")
PARTS: dict[str, Any] = {
    "one hot": ONE_HOT,
    "one hot, dense": OneHotEncoder(sparse_output=False),
    "bins": KBinsDiscretizer(3, strategy="uniform"),
    "bins, dense": KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"),
    "numbers": StandardScaler(),
    "columns, mostly dense": make_column_transformer((ONE_HOT, ["a"]), remainder="passthrough"),
    "columns, kept sparse": make_column_transformer((ONE_HOT, ["a"]), remainder="passthrough", sparse_threshold=1.0),
    "scaled": make_pipeline(ONE_HOT, MaxAbsScaler(), VarianceThreshold()),
    "multiplied": make_pipeline(ONE_HOT, PolynomialFeatures(2)),
    "reduced": make_pipeline(ONE_HOT, TruncatedSVD(2)),
    "united": FeatureUnion([("a", ONE_HOT), ("b", StandardScaler())]),
    "text": make_column_transformer((TfidfVectorizer(), "t")),
}


@pytest.mark.parametrize("name", PARTS)
def test_it_is_said_as_it_is(name: str) -> None:
    frame = pd.DataFrame({"a": np.arange(30) % 3, "b": np.arange(30) / 7})
    if name == "text":
        frame["t"] = [f"word{row}" for row in range(30)]
    part = PARTS[name].fit(frame)
    assert is_sparse(part) == issparse(part.transform(frame))
