from __future__ import annotations

import numpy as np
import pytest

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording
from tests.check.models import classes
from tests.check.people import GOOD, NUMBER, people, right

ROWS = people(4000)
SURE = classes(lambda f: np.where(f["x"] > 0, 0.99, 0.01))


def test_probabilities_that_are_what_they_say_pass():
    with recording() as measured:
        check.calibrated(GOOD, ROWS)
    one = measured[0]
    assert one["low"] <= one["error"] <= one["high"] <= 0.05
    assert one["figure"]["diagonal"]
    assert len(one["figure"]["series"][0]["x"]) == 10


def test_a_model_that_is_too_sure_fails():
    with pytest.raises(CheckFailed, match=r"calibration error is 0\.\d+ \(95% interval .*Furthest off: of [\d,]+ rows"):
        check.calibrated(SURE, ROWS)


def test_few_rows_can_not_tell():
    with pytest.raises(Inconclusive, match="More rows"):
        check.calibrated(GOOD, people(120), at_most=0.02)
    check.calibrated(GOOD, people(120), at_most=0.02, inconclusive="allowed")


def test_of_more_classes_the_likeliest_counts():
    three = classes(lambda f: np.stack([right(f) * 0.9, 1 - right(f), right(f) * 0.1], axis=1), labels=("a", "b", "c"))
    late = np.where(ROWS["late"], np.where(np.random.default_rng(1).random(4000) < 0.1, "c", "a"), "b")
    check.calibrated(three, ROWS.assign(late=late))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (NUMBER, {}, "answers a number, and no probabilities"),
        (classes(lambda f: (f["x"] > 0).astype(int), probabilities=False), {}, "answers labels only"),
        (GOOD, {"at_most": 5}, "at_most = 5"),
        (GOOD, {"confidence": 0}, "confidence = 0"),
        (GOOD, {"at_most": float("nan")}, "at_most = nan"),
    ],
)
def test_what_can_not_be_used_is_refused(model, options, message):
    with pytest.raises(UsageError, match=message):
        check.calibrated(model, ROWS, **options)
