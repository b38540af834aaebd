from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plusone.data.tables import to_arrow
from plusone.graphs.runner import Answer
from plusone.measuring.stability import not_finite, unstable
from tests.check.models import classes, number, ranking
from tests.check.people import GOOD, people

ROWS = to_arrow(people(100))


def test_the_largest_distance_is_told():
    near = number(lambda f: f["x"] + 1e-6 * (len(f) == 1))
    problem, apart = unstable(near, ROWS, 5, 1e-4)
    assert problem == ""
    assert apart == pytest.approx(1e-6, rel=0.01)
    problem, apart = unstable(near, ROWS, 5, 1e-7)
    assert problem.startswith("asked alone, row 0 is answered otherwise than among 100")
    assert unstable(GOOD, ROWS, 5, 0.0) == ("", 0.0)


def test_large_numbers_are_compared_by_their_size():
    assert unstable(number(lambda f: 1e9 + f["x"] + 10 * (len(f) == 1)), ROWS, 5, 1e-4)[0] == ""


def test_answers_that_are_not_finite_are_counted():
    answer = number(lambda f: np.where(np.arange(len(f)) > 97, np.inf, 0))
    assert not_finite(answer.run(answer.columns(ROWS))) == "the model answers inf in 2 of 100 rows, first in row 98"
    labels = classes(lambda f: (f["x"] > 0).astype(int), probabilities=False)
    assert not_finite(labels.run(labels.columns(ROWS))) == ""


def test_places_without_an_item_are_no_fault():
    short = ranking(lambda f: np.tile([0, -1], (len(f), 1)), ("p",), 2)
    assert unstable(short, ROWS, 3, 1e-4) == ("", 0.0)


@pytest.mark.parametrize(("moved", "says"), [(0.0, ""), (0.4, "answered otherwise")])
def test_one_of_several_labels_that_is_another_is_told(moved: float, says: str):
    def answer(frame: Any) -> Answer:
        rows = len(frame)
        shares = np.tile([0.5, 0.5, 0.8 - moved * (rows == 1), 0.2 + moved * (rows == 1)], (rows, 1))
        codes = np.stack([np.full(rows, int(rows == 1)), shares[:, 2:].argmax(axis=1) + 2], axis=1)
        return Answer(np.array(["no", "yes", "A", "B"], dtype=object), codes, shares, None)

    model = classes(lambda f: f["x"])
    model.run = answer
    problem, _ = unstable(model, ROWS, 5, 1e-4)  # labels that are as likely may change places
    assert says in problem
    assert bool(problem) == bool(says)
