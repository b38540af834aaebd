"""Models of several targets and linear classifiers with probabilities, against their compiled selves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, MultiTaskLasso, Ridge, SGDClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from plusone.estimators.estimators import estimate
from plusone.formats.finishing import compile_with
from plusone.graphs.layout import Block, Columns
from plusone.graphs.runner import Answer, OnnxRunner

datasets: Any = sklearn_datasets

SEVERAL: dict[str, Any] = {
    "tree": DecisionTreeRegressor(random_state=0),
    "forest": RandomForestRegressor(6, random_state=0),
    "extra trees": ExtraTreesRegressor(6, random_state=0),
    "linear": LinearRegression(),
    "ridge": make_pipeline(StandardScaler(), Ridge()),
    "lasso": MultiTaskLasso(0.1),
    "one each": MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=5)),
    "chain": RegressorChain(RandomForestRegressor(4, random_state=0), order=[2, 0, 1]),
    "network": make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=9000, tol=1.0, random_state=0)
    ),
}


class Named:
    """A field, as far as a graph wants to know it."""

    def __init__(self, name: str) -> None:
        self.name = name


def answered(model: Any, matrix: Any) -> Answer:
    """What the compiled model answers to a matrix."""
    names = tuple(f"x{place}" for place in range(matrix.shape[1]))
    fields: Any = [Named(name) for name in names]
    compiled = compile_with(estimate, model, fields, (Block("numbers", "float64", names),))
    runner = OnnxRunner(compiled.graph, compiled.output, tuple(range(9)))
    return runner.run(Columns(len(matrix), {"numbers": np.asarray(matrix, dtype=np.float64)}))


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_several_targets_are_a_vector(name: str) -> None:
    matrix, first = datasets.load_diabetes(return_X_y=True)
    targets = np.column_stack([first, matrix[:, 2] * 50 - first, np.arange(len(first)) / 9])
    model = SEVERAL[name].fit(matrix, targets)
    found = answered(model, matrix)
    assert found.numbers.shape == targets.shape
    close = 1e-4 if name == "network" else 1e-9  # a network is skl2onnx's
    np.testing.assert_allclose(found.numbers, model.predict(matrix), rtol=close)
    np.testing.assert_allclose(answered(model, matrix[:1]).numbers, model.predict(matrix[:1]), rtol=close)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber", "hinge"])
@pytest.mark.parametrize("classes", [2, 3])
def test_stochastic_classifiers(loss: Any, classes: int) -> None:
    matrix, target = datasets.load_iris(return_X_y=True)
    matrix, target = matrix[target < classes], target[target < classes]
    model = make_pipeline(StandardScaler(), SGDClassifier(loss=loss, random_state=0)).fit(matrix, target)
    rows = np.concatenate([matrix, matrix * -20.0])
    found = answered(model, rows)
    clear = np.ones(len(rows), dtype=bool)
    if loss != "hinge":
        expected = model.predict_proba(rows)
        np.testing.assert_allclose(found.probabilities, expected, atol=1e-9)
        clear = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1).ravel() > 1e-9  # a tie is decided by the sums there
    assert clear.mean() > 0.3
    assert found.labels.ravel()[clear].tolist() == model.predict(rows)[clear].tolist()
