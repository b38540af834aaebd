"""Quantiles and bins against their compiled selves, on values at the edges and beside them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, QuantileTransformer

from plusone.estimators.transformers import transform
from plusone.graphs.graph import Graph
from plusone.graphs.layout import Block, Columns
from plusone.graphs.runner import OnnxRunner
from plusone.predictor import Predictor

Package = Callable[..., Predictor]


def table(seed: int = 0) -> Any:
    """Numbers of which some come often, some once, with holes in one column."""
    random = np.random.default_rng(seed)
    often = random.choice([0.0, 1.0, 1.5, 7.0], 400)
    return np.column_stack([random.normal(size=400), often, random.exponential(size=400) * 1e5])


def transformed(part: Any, matrix: Any) -> Any:
    """What the compiled transformer answers to a matrix."""
    names = tuple("abc")
    graph = Graph([Block("numbers", "float64", names)])
    tensor = graph.matrix(transform(graph, part, graph.view(names), "model"))
    runner = OnnxRunner(graph.finish(tensor, np.float64, flat=False), "vector", ())
    return runner.run(Columns(len(matrix), {"numbers": matrix})).numbers


def beside(matrix: Any, edges: Any) -> Any:
    """Rows with each edge of each column, and the numbers next to it."""
    rows = [matrix[0].copy()]
    for column, values in enumerate(edges):
        for value in values:
            for near in (np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf)):
                rows.append(matrix[0].copy())
                rows[-1][column] = near
    return np.array(rows)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("count", [5, 300])
def test_quantiles(distribution: Any, count: int) -> None:
    matrix = table()
    part: Any = QuantileTransformer(n_quantiles=count, output_distribution=distribution).fit(matrix)
    for rows in (matrix, table(1) * 1.2, beside(matrix, part.quantiles_.T)):
        np.testing.assert_allclose(transformed(part, rows), part.transform(rows), rtol=1e-9, atol=1e-9)
    holes = matrix.copy()
    holes[::3, 0] = np.nan
    np.testing.assert_allclose(transformed(part, holes), part.transform(holes), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.filterwarnings("ignore:Bins whose width")
def test_bins(encode: Any, strategy: Any) -> None:
    matrix = table()
    options: dict[str, Any] = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
    part: Any = KBinsDiscretizer(4, encode=encode, strategy=strategy, **options).fit(matrix)
    for rows in (matrix, table(1) * 1.2, beside(matrix, part.bin_edges_)):
        expected: Any = part.transform(rows)
        expected = expected.toarray() if hasattr(expected, "toarray") else expected
        np.testing.assert_array_equal(transformed(part, rows), expected)


def test_in_a_pipeline(package: Package) -> None:
    data = pd.DataFrame(table(), columns=list("abc"))
    data["target"] = data["a"] * 3 + data["b"]
    for part in (QuantileTransformer(n_quantiles=50), KBinsDiscretizer(5, strategy="uniform")):
        model = make_pipeline(part, LinearRegression()).fit(data[list("abc")], data["target"])
        np.testing.assert_allclose(package(model, data).predict(data), model.predict(data[list("abc")]), atol=1e-8)
