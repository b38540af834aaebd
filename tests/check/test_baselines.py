from __future__ import annotations

import numpy as np
import pytest

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording
from tests.check.models import classes, number, ranking, vector
from tests.check.people import GOOD, NUMBER, people

TRAIN, ROWS = people(1500, 2), people(1500, 3)


@pytest.mark.parametrize("metric", ["brier", "accuracy", "roc_auc"])
def test_a_good_model_is_no_worse_than_simple_ones(metric: str):
    with recording() as measured:
        check.simpler_is_not_better(GOOD, ROWS, train=TRAIN, metric=metric, margin=0.02)
    assert {"candidate", "constant", "linear"} <= set(measured[0])
    assert (measured[0]["better"], measured[0]["outcome"]) == ([], "passed")


def test_a_model_that_learned_little_is_found_out():
    lazy = classes(lambda f: np.where(f["x"] > 1.5, 0.7, 0.5))
    with recording() as measured, pytest.raises(CheckFailed, match="of a linear one"):
        check.simpler_is_not_better(lazy, ROWS, train=TRAIN)
    assert measured[0]["better"] == ["linear"]
    with pytest.raises(CheckFailed):
        check.simpler_is_not_better(classes(lambda f: f["x"] * 0 + 0.95), ROWS, train=TRAIN)


def test_numbers_vectors_labels_and_rankings():
    check.simpler_is_not_better(NUMBER, ROWS, train=TRAIN, margin=0.02)
    with pytest.raises(CheckFailed):
        check.simpler_is_not_better(number(lambda f: f["x"] * 0), ROWS, train=TRAIN)
    two = vector(lambda f: np.stack([f["x"], 3 * f["x"]], axis=1))
    train, rows = (frame.assign(a=frame["x"] + frame["delay"] * 0, b=frame["delay"]) for frame in (TRAIN, ROWS))
    check.simpler_is_not_better(two, rows, train=train, margin=0.05)
    labels = classes(lambda f: (f["x"] > 0).astype(int), probabilities=False)
    check.simpler_is_not_better(labels, ROWS, train=TRAIN, margin=0.03)
    films = [frame.assign(film=np.where(frame["x"] > 0, "p", "q")) for frame in (TRAIN, ROWS)]
    knows = ranking(lambda f: np.where(f["x"] > 0, 0, 1)[:, None], ("p", "q"), 1)
    check.simpler_is_not_better(knows, films[1], train=films[0])
    never = ranking(lambda f: np.where(f["x"] > 0, 1, 0)[:, None], ("p", "q"), 1)
    with pytest.raises(CheckFailed):
        check.simpler_is_not_better(never, films[1], train=films[0])


def test_few_rows_can_not_tell():
    with pytest.raises(Inconclusive):
        check.simpler_is_not_better(GOOD, ROWS.head(40), train=TRAIN)


def test_what_can_not_be_used_is_refused():
    with pytest.raises(UsageError, match="margin = -1"):
        check.simpler_is_not_better(GOOD, ROWS, train=TRAIN, margin=-1)
    with pytest.raises(UsageError, match="no column 'late'"):
        check.simpler_is_not_better(GOOD, ROWS, train=TRAIN.drop(columns="late"))
