from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from plusone.base.records import Field, Output
from plusone.statistics.learners import constant, linear, popular

RANDOM = np.random.default_rng(1)
ROWS = 1500
X = RANDOM.normal(size=(ROWS, 2))
FIELDS = (Field(name="a", dtype="float64"), Field(name="b", dtype="float64"))
TABLE = pa.table({"a": X[:, 0], "b": X[:, 1]})
NUMBER = Output(name="y", kind="number")


def classes(count: int) -> Output:
    return Output(name="y", kind="classes", classes=tuple(range(count)), probabilities=True)


def test_what_always_answers_the_same():
    said = constant(np.array([0, 0, 0, 1]), classes(2))(TABLE)
    assert said.shape == (ROWS, 2)
    assert said[7].tolist() == [0.75, 0.25]
    assert constant(np.array([1.0, 3.0]), NUMBER)(TABLE)[0] == 2
    assert popular([{"a"}, {"b", "a"}, {"c"}, {"c"}], 2) == ["a", "c"]


def test_numbers_are_ridge_regression():
    goal = 2 * X[:, 0] - X[:, 1] + 5 + RANDOM.normal(size=ROWS)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    wanted = Ridge(alpha=1.0).fit(scaled, goal).predict(scaled)
    found = linear(TABLE, goal, FIELDS, NUMBER)
    assert found is not None
    assert found(TABLE) == pytest.approx(wanted, abs=1e-3)
    two = linear(TABLE, np.stack([goal, -goal], axis=1), FIELDS, Output(name="y", kind="vector", width=2))
    assert two is not None
    assert two(TABLE)[:, 1] == pytest.approx(-wanted, abs=1e-3)


def test_two_classes_are_logistic_regression():
    truth = (X[:, 0] + RANDOM.normal(size=ROWS) > 0.5).astype(int)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    wanted = LogisticRegression(C=1.0, tol=1e-8).fit(scaled, truth).predict_proba(scaled)
    found = linear(TABLE, truth, FIELDS, classes(2))
    assert found is not None
    assert found(TABLE) == pytest.approx(wanted, abs=1e-3)


def test_more_classes_words_and_holes():
    words = RANDOM.choice(["p", "q", "r"], ROWS)
    holes = [None if place % 7 == 0 else value for place, value in enumerate(X[:, 0].tolist())]
    table = pa.table({"w": words, "a": holes, "t": [[1.0, 2.0]] * ROWS})
    fields = (
        Field(name="w", dtype="string"), Field(name="a", dtype="float64"), Field(name="t", dtype="float32", shape=(2,)),
        Field(name="gone", dtype="float64"),
    )  # fmt: skip
    truth = np.array(["pqr".index(word) for word in words])
    found = linear(table, truth, fields, classes(3))
    assert found is not None
    said = found(table)
    assert said.sum(axis=1) == pytest.approx(np.ones(ROWS))
    assert (said.argmax(axis=1) == truth).all()
    unseen = found(pa.table({"w": ["new", None], "a": [None, 1e300], "t": [[1.0, 2.0]] * 2}))
    assert np.isfinite(unseen).all()


def test_where_no_line_can_be_learned():
    assert linear(TABLE, np.zeros(ROWS, int), (), classes(2)) is None
    assert linear(TABLE, np.zeros(ROWS, int), FIELDS, classes(21)) is None
    same = pa.table({"a": [1.0] * 60, "b": [float("nan")] * 60})
    found = linear(same, np.arange(60.0), FIELDS, NUMBER)
    assert found is not None
    assert found(same) == pytest.approx(np.full(60, 29.5))
