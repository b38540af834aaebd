from __future__ import annotations

import numpy as np
import pytest

from plusone import check
from plusone.base.errors import UsageError
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording
from tests.check.models import classes
from tests.check.people import GOOD, NUMBER, people, right

ROWS = people(6000)
STRICT_AT_JFK = classes(lambda f: np.where((f["origin"] == "JFK") & (f["x"] < 0.5), 0.2, right(f)))


def test_groups_that_are_treated_alike_pass():
    with recording() as measured:
        check.fair(GOOD, ROWS, "origin")
    one = measured[0]
    assert one["outcome"] == "passed"
    assert set(one["rates"]) == {"origin = 'EWR'", "origin = 'JFK'", "origin = 'LGA'"}
    by_hand = (GOOD.run(GOOD.columns(ROWS[ROWS["origin"] == "JFK"])).codes == 1).mean()
    assert one["rates"]["origin = 'JFK'"] == pytest.approx(by_hand)


@pytest.mark.parametrize("kind", ["demographic_parity", "equal_opportunity"])
def test_a_group_that_is_treated_otherwise_fails(kind):
    with recording() as measured, pytest.raises(CheckFailed, match=r"origin = 'JFK' .* apart"):
        check.fair(STRICT_AT_JFK, ROWS, "origin", kind=kind)
    assert measured[0]["difference"] > 0.1
    assert measured[0]["figure"]["names"][1] == "origin = 'JFK'"


def test_equal_opportunity_is_the_share_of_the_true_that_is_found():
    with recording() as measured:
        check.fair(GOOD, ROWS, "origin", kind="equal_opportunity")
    late = ROWS[ROWS["late"] & (ROWS["origin"] == "LGA")]
    assert measured[0]["rates"]["origin = 'LGA'"] == pytest.approx((right(late) > 0.5).mean())
    check.fair(GOOD, ROWS, "origin", kind="accuracy")


def test_accuracy_of_many_classes_needs_no_positive_label():
    model = classes(lambda f: np.eye(3)[(f["x"] * 3).clip(0, 2).astype(int)], labels=("a", "b", "c"))
    rows = people(3000)
    rows["late"] = np.array(["a", "b", "c"])[(rows["x"] * 3).clip(0, 2).astype(int)]
    check.fair(model, rows, "origin", kind="accuracy")
    with pytest.raises(UsageError, match="positive = None: expected one of the classes 'a', 'b', 'c'"):
        check.fair(model, rows, "origin")


def test_few_rows_can_not_tell_and_small_groups_are_named():
    with pytest.raises(Inconclusive, match="More rows"):
        check.fair(GOOD, people(200), "origin")
    frame = ROWS.assign(origin=np.where(np.arange(6000) < 5, "ZRH", ROWS["origin"]))
    with recording() as measured:
        check.fair(GOOD, frame, "origin")
    assert measured[0]["left_out"] == ["origin = 'ZRH'"]


@pytest.mark.parametrize(
    ("model", "group", "options", "message"),
    [
        (NUMBER, "origin", {}, "answers a number: fair"),
        (GOOD, "nowhere", {}, "no column 'nowhere'"),
        (GOOD, "origin", {"kind": "justice"}, "kind = 'justice'"),
        (GOOD, "origin", {"positive": "yes"}, "positive = 'yes'"),
        (GOOD, "origin", {"at_most": 2}, "at_most = 2"),
        (GOOD, "origin", {"min_rows": 100_000}, "has 0 groups of 100000 rows"),
    ],
)
def test_what_can_not_be_used_is_refused(model, group, options, message):
    with pytest.raises(UsageError, match=message):
        check.fair(model, ROWS, group, **options)


@pytest.mark.parametrize(
    ("rows", "mend"),
    [
        (ROWS.head(1), r"plusone\.check\.rows\(table\)"),
        (ROWS.head(50).assign(late="maybe"), r"data\[data\['late'\]\.isin\(\[False, True\]\)\]"),
    ],
)
def test_rows_that_can_not_be_measured_say_what_mends_them(rows, mend):
    with pytest.raises(UsageError, match=rf"(?s)to mend it: .*{mend}"):
        check.at_least(GOOD, rows, metric="accuracy", value=0.5)
