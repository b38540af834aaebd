from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone import check
from plusone.base.errors import PlusoneError, UsageError
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording
from tests.check.models import classes, ranking, vector
from tests.check.people import BAD_AT_JFK, GOOD, NUMBER, people, right

ROWS = people(3000)


def failed(*arguments: Any, **options: Any) -> dict[str, Any]:
    with recording() as measured, pytest.raises(CheckFailed):
        check.slices(*arguments, **options)
    return measured[0]


@pytest.mark.parametrize("options", [{"live": GOOD}, {}, {"live": GOOD, "metric": "accuracy"}, {"metric": "roc_auc"}])
def test_the_slice_that_got_worse_is_named_first(options: dict[str, Any]):
    found = failed(BAD_AT_JFK, ROWS, by=["origin"], margin=0.02, **options)
    assert [one["slice"] for one in found["slices"] if one["bad"]] == ["origin = 'JFK'"]
    assert found["slices"][0]["bad"]
    assert (found["judged"], found["bad"], found["outcome"]) == (3, 1, "failed")
    assert found["figure"]["names"][0] == "origin = 'JFK'"
    one = found["slices"][0]
    assert one["low"] < one["difference"] < one["high"] < -0.02


def test_slices_are_found_and_named_where_none_are_asked_for():
    found = failed(BAD_AT_JFK, ROWS, live=GOOD, margin=0.02)
    assert found["searched"]
    assert found["slices"][0]["slice"] == "origin = 'JFK'"
    with recording() as measured:
        check.slices(GOOD, ROWS, live=GOOD, margin=0.0)
    assert (measured[0]["judged"], measured[0]["outcome"]) == (0, "passed")


def test_a_slice_of_two_columns_is_found():
    worse = classes(lambda f: np.where((f["origin"] == "JFK") & (f["x"] > 0.7), 1 - right(f), right(f)))
    found = failed(worse, ROWS, live=GOOD, margin=0.05)
    assert any("origin = 'JFK', x " in one["slice"] or "x " in one["slice"] for one in found["slices"] if one["bad"])
    named = failed(worse, ROWS, by=[("origin", "day")], live=GOOD, margin=0.01)
    assert named["slices"][0]["slice"].startswith("origin = 'JFK', day = ")


def test_a_number_may_be_asked_for():
    found = failed(BAD_AT_JFK, ROWS, by=["origin"], metric="accuracy", at_least=0.6)
    assert found["slices"][0]["high"] < 0.6 < found["slices"][1]["low"]
    check.slices(NUMBER, ROWS, by=["origin", "day", "x"], metric="mae", at_least=1.2)
    with pytest.raises(CheckFailed, match=r"worse than 0\.5 "):
        check.slices(NUMBER, ROWS, by=["origin"], metric="mae", at_least=0.5)


def test_rows_that_can_not_tell_are_inconclusive():
    few = people(160)
    with pytest.raises(Inconclusive, match="More rows would"):
        check.slices(GOOD, few, by=["origin"], margin=0.0, min_rows=20)
    check.slices(GOOD, few, by=["origin"], margin=0.0, min_rows=20, inconclusive="allowed")


@pytest.mark.parametrize(
    ("model", "frame"),
    [
        (NUMBER, ROWS),
        (vector(lambda f: np.stack([f["x"], f["x"]], axis=1)), ROWS.assign(a=ROWS["x"], b=ROWS["delay"])),
        (ranking(lambda f: np.tile([0, 1], (len(f), 1)), ("p", "q", "r"), 2), ROWS.assign(film="p")),
        (classes(lambda f: (f["x"] > 0).astype(int), probabilities=False), ROWS),
        (
            classes(lambda f: np.stack([right(f) / 2, right(f) / 2, 1 - right(f)], axis=1), labels=("a", "b", "c")),
            ROWS.assign(late=np.where(ROWS["late"], "a", "c")),
        ),
    ],
    ids=["number", "vector", "ranking", "labels", "three classes"],
)
def test_every_kind_of_answer_has_slices(model: Any, frame: pd.DataFrame):
    check.slices(model, frame, live=model, by=["origin"], margin=0.5)
    check.slices(model, frame, live=model, margin=0.5)


def test_slices_with_few_rows_or_one_class_are_left_out_and_counted():
    frame = ROWS.assign(day=np.where(np.arange(len(ROWS)) < 10, 99, ROWS["day"]))
    with recording() as measured:
        check.slices(GOOD, frame, live=GOOD, by=["day"], margin=0)
    assert (measured[0]["judged"], measured[0]["skipped"]) == (7, 1)
    with pytest.raises(UsageError, match="None of the 2 slices has 50 rows, 5 of each class"):
        check.slices(GOOD, ROWS, by=["late"], metric="roc_auc", margin=0.1)


@pytest.mark.parametrize("metric", ["brier", "accuracy", "roc_auc"])
def test_without_a_margin_it_is_a_fifth_of_what_a_constant_loses(metric: str):
    # Of a constant by hand: brier p (1 - p), accuracy the share of the rarer label, roc_auc a half.
    share = float(np.mean(ROWS["late"].to_numpy()))
    lost = {"brier": share * (1 - share), "accuracy": min(share, 1 - share), "roc_auc": 0.5}[metric]
    with recording() as measured:
        check.slices(GOOD, ROWS, by=["origin"], metric=metric)
    assert measured[0]["margin"] == pytest.approx(0.2 * lost)
    assert failed(BAD_AT_JFK, ROWS, by=["origin"], metric=metric)["slices"][0]["slice"] == "origin = 'JFK'"


def test_it_needs_no_more_than_a_model_and_rows():
    check.slices(GOOD, ROWS)
    assert failed(BAD_AT_JFK, ROWS)["slices"][0]["slice"] == "origin = 'JFK'"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at_least": 0.5}, "expected one of them at most"),
        ({"margin": None, "at_least": 0.5, "live": GOOD}, "at_least compares with a number"),
        ({"margin": -1}, "margin = -1"),
        ({"margin": "a"}, "margin = 'a'"),
        ({"by": "origin"}, "by = 'origin': expected a list"),
        ({"by": []}, "by = \\[\\]"),
        ({"by": [3]}, "by has 3"),
        ({"by": ["nowhere"]}, "no column 'nowhere'"),
        ({"metric": "roc_auc"}, "no value for a single row"),
        ({"metric": "rmse"}, "not made for that"),
        ({"min_rows": 1}, "min_rows = 1"),
        ({"min_rows": 2.5}, "min_rows = 2.5"),
        ({"confidence": 95}, "confidence = 95"),
        ({"inconclusive": "x"}, "inconclusive = 'x'"),
        ({"by": ["origin"], "min_rows": 10_000}, "None of the 3 slices has 10000 rows"),
    ],
)
def test_what_can_not_be_used_is_refused(options: dict[str, Any], message: str):
    all_options: dict[str, Any] = {"margin": 0.1, **options}
    with pytest.raises(UsageError, match=message):
        check.slices(GOOD, ROWS, **all_options)


values = st.one_of(st.none(), st.integers(-3, 3), st.floats(), st.text(max_size=2), st.booleans(), st.dates())


@settings(max_examples=25)
@given(st.lists(values, min_size=60, max_size=60), st.booleans())
def test_any_column_gives_slices_or_a_clear_error(column: list[Any], searched: bool):
    frame = pa.Table.from_pandas(ROWS.head(60), preserve_index=False)
    try:
        table = frame.append_column("any", pa.array(column))
    except (pa.ArrowException, OverflowError, TypeError):
        return
    # Whatever else is raised fails this test.
    with contextlib.suppress(PlusoneError, AssertionError):
        check.slices(GOOD, table, live=GOOD, margin=0.1, min_rows=5, by=None if searched else ["any"])


def test_a_slice_of_all_rows_but_one_is_judged():
    frame = ROWS.assign(kind=["other", *["same"] * (len(ROWS) - 1)])
    with recording() as measured:
        check.slices(GOOD, frame, by=["kind"], margin=0.02)
    assert measured[0]["outcome"] == "passed"
    assert measured[0]["slices"][0]["low"] <= 0 <= measured[0]["slices"][0]["high"]


def test_a_slice_whose_truth_does_not_vary_has_no_r2_and_is_left_out():
    frame = ROWS.assign(delay=np.where(ROWS["origin"] == "JFK", 7.0, ROWS["delay"]))
    with recording() as measured:
        check.slices(NUMBER, frame, by=["origin"], metric="r2", at_least=-9.0)
    assert (measured[0]["judged"], measured[0]["skipped"]) == (2, 1)
