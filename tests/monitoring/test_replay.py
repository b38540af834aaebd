"""How answers differ, by values computed by hand and by properties of made-up answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from plusone.base.records import Output
from plusone.graphs.runner import Answer, class_array
from plusone.monitoring.replay import FAR, comparable, compare, compare_labels, describe_change, slices_of

NUMBER = Output(name="y", kind="number")


def classes(*labels: Any, probabilities: bool = True) -> Output:
    return Output(name="y", kind="classes", classes=labels, probabilities=probabilities)


def labelled(output: Output, labels: list[Any], probabilities: list[list[float]] | None = None) -> Answer:
    codes = np.array([output.classes.index(one) for one in labels])
    known = None if probabilities is None else np.array(probabilities)
    return Answer(class_array(output.classes), codes, known, None)


def numbers(*values: Any) -> Answer:
    return Answer(class_array(()), None, None, np.array(values, dtype=np.float64))


def ranked(output: Output, rows: list[list[Any]]) -> Answer:
    codes = np.array([[-1 if item is None else output.classes.index(item) for item in row] for row in rows])
    return Answer(class_array(output.classes), codes, None, None, np.zeros(codes.shape))


def test_one_label_of_three_is_another_one():
    output = classes("a", "b")
    found = compare(output, labelled(output, ["a", "b", "b"]), output, labelled(output, ["a", "a", "b"]))
    assert found.changed.tolist() == [False, True, False]
    assert describe_change(found, ()).share == pytest.approx(1 / 3)


def test_probabilities_are_compared_class_by_class_whatever_their_order():
    ours, theirs = classes("b", "a", "c"), classes("a", "b")
    found = compare(
        ours, labelled(ours, ["a", "c"], [[0.3, 0.7, 0.0], [0.1, 0.2, 0.7]]),
        theirs, labelled(theirs, ["a", "a"], [[0.6, 0.4], [0.9, 0.1]]),
    )  # fmt: skip
    assert found.changed.tolist() == [False, True]
    assert found.size.tolist() == pytest.approx([0.1, 0.7])
    assert found.measured["probability_difference"] == pytest.approx(0.4)


def test_true_and_1_are_two_labels():
    ours, theirs = classes(0, 1), classes(False, True)
    found = compare(ours, labelled(ours, [1, 0]), theirs, labelled(theirs, [True, False]))
    assert found.changed.all()


def test_probabilities_that_are_no_numbers_are_no_answer():
    output = classes("a", "b")
    nan = [float("nan")] * 2
    ours = labelled(output, ["a", "a", "b"], [nan, nan, [0.4, 0.6]])
    theirs = labelled(output, ["a", "b", "b"], [[0.9, 0.1], nan, [0.4, 0.6]])
    assert compare(output, ours, output, theirs).changed.tolist() == [True, False, False]


def test_a_number_is_another_one_beyond_half_a_standard_deviation():
    # The standard deviation of 0, 0, 10, 10 is 5, so the tolerance is 2.5.
    found = compare(NUMBER, numbers(2.4, 2.6, 10, 7.0), NUMBER, numbers(0, 0, 10, 10))
    assert found.changed.tolist() == [False, True, False, True]
    assert found.measured["tolerance"] == pytest.approx(FAR * 5.0)
    assert found.measured["mean_absolute_difference"] == pytest.approx(2.0)
    assert found.size.tolist() == pytest.approx([0.48, 0.52, 0.0, 0.6])


def test_answers_that_do_not_vary_are_the_same_but_for_rounding():
    assert not compare(NUMBER, numbers(3.0, 3.0 + 1e-12), NUMBER, numbers(3.0, 3.0)).changed.any()
    assert compare(NUMBER, numbers(3.0, 3.1), NUMBER, numbers(3.0, 3.0)).changed.tolist() == [False, True]
    assert compare(NUMBER, numbers(0.0, np.nan), NUMBER, numbers(np.nan, np.nan)).changed.tolist() == [True, False]


def test_several_numbers_are_taken_by_their_names():
    ours, theirs = (Output(name="y", kind="vector", names=names, width=2) for names in (("b", "a"), ("a", "b")))
    found = compare(ours, numbers([20, 1], [40, 2]), theirs, numbers([1, 20], [2, 40]))
    assert not found.changed.any()
    assert found.judged
    assert not comparable(ours, theirs)
    embedding = Output(name="y", kind="vector", width=2)
    assert not compare(embedding, numbers([1, 2], [0, 0]), embedding, numbers([3, 4], [1, 1])).judged


def several(names: tuple[str, str], rows: list[tuple[Any, Any, float, float]]) -> tuple[Output, Answer]:
    """Return answers with two labels: the code of each among no and yes, and how sure that is."""
    output = Output(
        name=",".join(names),
        kind="labels",
        classes=("no", "yes") * 2,
        probabilities=True,
        names=names,
        width=2,
        sizes=(2, 2),
    )
    shares = np.array([[1 - sure, sure, 1 - surer, surer] for _, _, sure, surer in rows])
    codes = np.array([[first, 2 + second] for first, second, _, _ in rows])
    return output, Answer(np.array(output.classes, dtype=object), codes, shares, None)


def test_of_several_labels_one_that_is_another_makes_another_answer():
    ours = several(("b", "a"), [(1, 1, 0.9, 0.8), (0, 1, 0.4, 0.8), (1, 1, 0.9, 0.8)])
    theirs = several(("a", "b"), [(1, 1, 0.8, 0.9), (1, 1, 0.8, 0.6), (0, 0, 0.3, 0.1)])
    found = compare(*ours, *theirs)
    assert found.changed.tolist() == [False, True, True]
    assert found.size == pytest.approx([0.0, 0.2, 0.8])
    assert found.measured["changed:a"] == pytest.approx(1 / 3)
    assert found.measured["changed:b"] == pytest.approx(2 / 3)
    other = several(("a", "c"), [(1, 1, 0.8, 0.9)])
    assert "answers b, a, the live release a, c" in comparable(ours[0], other[0])


def test_several_labels_are_right_when_all_of_them_are():
    ours = several(("b", "a"), [(1, 1, 0.9, 0.8), (0, 1, 0.4, 0.8), (1, 1, 0.9, 0.8)])
    theirs = several(("a", "b"), [(1, 1, 0.8, 0.9), (1, 1, 0.8, 0.6), (0, 0, 0.3, 0.1)])
    truths = [{"a": "yes", "b": "yes"}, {"a": "yes", "b": "yes"}, {"a": "no", "b": "no"}]
    found = compare_labels(*ours, *theirs, truths, margin=0.1)
    assert (found.metric, found.candidate, found.live) == ("accuracy", pytest.approx(1 / 3), 1.0)
    assert (found.only_candidate, found.only_live) == (0, 2)


def test_a_ranking_is_another_one_when_less_than_a_quarter_of_it_is_there():
    output = Output(name="y", kind="ranking", classes=(1, 2, 3, 4), width=2)
    found = compare(
        output, ranked(output, [[1, 2], [2, 1], [1, 3], [3, 4], [None, None], [1, None]]),
        output, ranked(output, [[1, 2], [1, 2], [1, 2], [1, 2], [None, None], [None, None]]),
    )  # fmt: skip
    assert found.changed.tolist() == [False, False, False, True, False, True]
    assert found.size.tolist() == [0.0, 0.0, 0.5, 1.0, 0.0, 1.0]
    assert found.measured == {"top_1_the_same": pytest.approx(3 / 6), "overlap_at_2": pytest.approx(3.5 / 6)}


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        (NUMBER, classes("a", "b"), "answers a number, the live release classes"),
        (
            Output(name="y", kind="vector", names=("a",), width=1),
            Output(name="y", kind="vector", names=("a", "b"), width=2),
            "answers a, the live release a, b",
        ),
        (NUMBER, NUMBER, ""),
    ],
)
def test_answers_of_other_kinds_can_not_be_compared(ours: Output, theirs: Output, says: str):
    assert says in comparable(ours, theirs)
    assert bool(comparable(ours, theirs)) == bool(says)


def test_the_rows_that_changed_are_found_by_value_and_by_range():
    count = 4000
    place = np.arange(count)
    distance = place / count
    carrier = np.array(["UA", "B6", "", "rare"], dtype=object)[np.where(place % 997 == 0, 3, place % 3)]
    changed = (carrier == "B6") | (distance > 0.9)
    found = slices_of(changed, {"carrier": carrier, "distance": distance, "constant": np.ones(count)})
    assert (found[0].field, found[0].values, found[0].share) == ("carrier", "B6", 1.0)
    assert (found[1].field, found[1].values) == ("distance", "0.7998 to 0.9998")
    assert {one.values for one in found if one.field == "carrier"} == {"B6", "UA", "(missing)"}, "the rare one has few"
    assert not [one for one in found if one.field == "constant"]
    assert [one.more for one in found[:2]] == [True, True]
    assert not [one for one in found[3:] if one.more and one.share <= changed.mean()]


def test_a_number_that_is_missing_is_a_slice_and_few_values_are_each():
    values = np.where(np.arange(600) % 3 == 0, np.nan, np.arange(600) % 2).astype(np.float64)
    found = slices_of(np.isnan(values), {"gust": values})
    assert [(one.values, one.share) for one in found] == [("(missing)", 1.0), ("0", 0.0), ("1", 0.0)]


@pytest.mark.slow
def test_where_nothing_is_different_at_most_5_in_100_runs_say_so():
    dice = np.random.default_rng(11)
    false = 0
    for _ in range(300):
        fields = {f"f{place}": dice.normal(size=2000) for place in range(6)}
        false += any(one.more for one in slices_of(dice.random(2000) < 0.2, fields))
    assert false <= 15


def test_labels_decide_by_rows_that_only_one_had_right():
    output = classes("a", "b")
    truths = ["a"] * 60 + ["b"] * 40
    ours = labelled(output, ["a"] * 60 + ["a"] * 40)
    theirs = labelled(output, ["a"] * 50 + ["b"] * 50)
    found = compare_labels(output, ours, output, theirs, truths, margin=0.02)
    assert (found.metric, found.candidate, found.live) == ("accuracy", pytest.approx(0.6), pytest.approx(0.9))
    assert (found.only_candidate, found.only_live) == (10, 40)
    assert found.difference == pytest.approx(-0.3)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.3 < found.high < -0.1
    assert found.p_value is not None
    assert found.p_value < 1e-4


def test_few_labels_have_no_interval():
    output = classes("a", "b")
    found = compare_labels(output, labelled(output, ["a"]), output, labelled(output, ["b"]), ["b"], margin=0.0)
    assert (found.rows, found.candidate, found.live, found.low, found.difference) == (1, 0.0, 1.0, None, None)


def test_numbers_are_judged_by_their_error_and_the_margin_is_a_share_of_it():
    truths = [float(one) for one in range(100)]
    ours = numbers(*[one + 3.0 for one in truths])
    theirs = numbers(*[one - 2.0 for one in truths])
    found = compare_labels(NUMBER, ours, NUMBER, theirs, truths, margin=0.1)
    assert (found.metric, found.candidate, found.live) == ("mae", pytest.approx(3.0), pytest.approx(2.0))
    assert (found.difference, found.allowed) == (pytest.approx(-1.0), pytest.approx(0.2))
    assert found.p_value is None


def test_a_named_vector_is_judged_in_the_order_of_the_live_release():
    ours, theirs = (Output(name="y", kind="vector", names=names, width=2) for names in (("b", "a"), ("a", "b")))
    truths = [[1.0, 20.0]] * 60
    found = compare_labels(ours, numbers(*[[20.0, 1.0]] * 60), theirs, numbers(*[[1.0, 22.0]] * 60), truths, margin=0.0)
    assert (found.candidate, found.live) == (0.0, 1.0)


def test_a_ranking_is_right_with_any_item_of_the_label():
    output = Output(name="y", kind="ranking", classes=(1, 2, 3), width=2)
    ours, theirs = ranked(output, [[1, 2]] * 2), ranked(output, [[2, 3]] * 2)
    found = compare_labels(output, ours, output, theirs, [[1], [3, 9]], margin=0.0)
    assert (found.metric, found.candidate, found.live) == ("hit_rate@2", 0.5, 0.5)


_ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=60)
@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=_ANY))
def test_any_numbers_can_be_compared_and_equal_ones_have_not_changed(values: Any):
    theirs = values[:, 1]
    found = compare(NUMBER, numbers(*values[:, 0]), NUMBER, numbers(*theirs))
    assert np.isfinite(found.size).all()
    assert all(np.isfinite(one) for one in describe_change(found, ()).measured.values())
    assert not compare(NUMBER, numbers(*theirs), NUMBER, numbers(*theirs)).changed.any()
    judged = compare_labels(NUMBER, numbers(*values[:, 0]), NUMBER, numbers(*theirs), [0.0] * len(values), margin=0.1)
    assert np.isfinite([judged.candidate, judged.live]).all()


@settings(max_examples=60)
@given(arrays.arrays(np.float64, st.integers(0, 200), elements=_ANY), st.integers(0, 5))
def test_slices_of_any_values_are_shares_with_their_intervals(values: Any, every: int):
    changed = np.arange(len(values)) % (every + 1) == 0
    texts = np.array([str(one)[:2] for one in values], dtype=object)
    for one in slices_of(changed, {"a": values, "b": texts, "c": np.arange(len(values)) % 2 * 1.0}):
        assert 0.0 <= one.low <= one.share <= one.high <= 1.0
        assert one.rows >= 50


def test_rows_that_were_all_answered_alike_leave_room_for_those_that_were_not_seen():
    output = classes("a", "b")
    same = labelled(output, ["a"] * 50)
    found = compare_labels(output, same, output, same, ["a"] * 50, margin=0.02)
    # 3.8415 / 53.8415, as `proportions.tango` has it by hand; resampling said 0 to 0.
    assert (found.low, found.high) == (pytest.approx(-0.0713, abs=1e-4), pytest.approx(0.0713, abs=1e-4))
