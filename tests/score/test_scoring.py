"""The score: the smallest of four sums, every point on a record, and never more for less."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.score.evidence import Case
from plusone.score.scoring import TESTS, score_of
from tests.score.made import AT, built_in, case, note, recorded, whole

LISTS = ("checks", "runs", "trainings", "took", "decisions", "rollouts", "signatures", "notes")


def points(found: Case) -> dict[str, float]:
    return {one.test: one.points for one in score_of(found).points}


def test_no_evidence_no_point():
    found = score_of(Case(model="m", release=None, at=AT))
    assert found.score == 0
    assert {one.points for one in found.points} == {0}
    assert all(one.evidence == () and one.step for one in found.points)
    assert found.means == "a research project rather than a system in production"


def test_there_are_four_sections_of_seven_and_the_score_is_the_smallest_sum():
    found = score_of(whole())
    assert len(found.points) == 28
    assert [one.test for one in found.points] == list(TESTS)
    sums = {one.section: one.points for one in found.sections}
    assert sums == {
        section: sum(one.points for one in found.points if one.section == section) for section in sums
    }  # fmt: skip
    assert len(sums) == 4
    assert found.score == min(sums.values()) > 0


def test_every_point_has_a_record_and_every_record_is_there():
    full = whole()
    ids = {check.test for check in full.checks} | {one.id for one in (*full.runs, *full.notes, *full.decisions)}
    ids |= {one.id for one in full.rollouts} | {one.key for one in full.signatures} | {"m@3", "m@2", "m"}
    for one in score_of(full).points:
        assert bool(one.evidence) == (one.points > 0)
        assert {found.id for found in one.evidence} <= ids


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_taking_evidence_away_never_raises_anything(data: Any):
    """Any part of the evidence, and then any less of it: no test, no section and no score goes up."""
    more = _without(whole(), data)
    less = _without(more, data)
    above, below = score_of(more), score_of(less)
    assert below.score <= above.score
    for one, other in zip(below.sections, above.sections, strict=True):
        assert one.points <= other.points
    for one, other in zip(below.points, above.points, strict=True):
        assert one.points <= other.points, one.test


def _without(found: Case, data: Any) -> Case:
    changes: dict[str, Any] = {}
    for name in LISTS:
        kept = data.draw(st.sets(st.sampled_from(range(len(getattr(found, name)) or 1))), label=name)
        changes[name] = tuple(one for place, one in enumerate(getattr(found, name)) if place in kept)
    if data.draw(st.booleans()):
        changes |= {"proof": {}}
    if data.draw(st.booleans()):
        changes |= {"labelled": False, "predictions": 0}
    return msgspec.structs.replace(found, **changes)


def test_each_single_record_taken_away_never_raises_the_score():
    full = whole()
    score = score_of(full).score
    for name in LISTS:
        for place in range(len(getattr(full, name))):
            rest = tuple(one for n, one in enumerate(getattr(full, name)) if n != place)
            assert score_of(msgspec.structs.replace(full, **{name: rest})).score <= score


def test_a_test_done_by_hand_is_half_a_point_for_180_days():
    assert points(case(notes=(note("data-5"),)))["data-5"] == 0.5
    assert points(case(notes=(note("data-5"), note("data-5", id="again"))))["data-5"] == 0.5
    assert points(case(notes=(note("data-5", at="2025-12-04T00:00:00.000000Z"),)))["data-5"] == 0.5  # 179 days
    assert points(case(notes=(note("data-5", at="2025-12-02T00:00:00.000000Z"),)))["data-5"] == 0  # 181 days


def test_a_check_that_is_named_is_a_whole_point_while_it_passes():
    told = note("data-4", checked_by="tests/test_data.py::test_rules")
    passing = recorded("", test="tests/test_data.py::test_rules", subject="data")
    assert points(case(notes=(told,)))["data-4"] == 0
    assert points(case(checks=(passing,)))["data-4"] == 0
    assert points(case(notes=(told,), checks=(passing,)))["data-4"] == 1
    failing = msgspec.structs.replace(passing, outcome="failed")
    assert points(case(notes=(told,), checks=(failing,)))["data-4"] == 0
    with_parameter = msgspec.structs.replace(passing, test="tests/test_data.py::test_rules[a]")
    assert points(case(notes=(told,), checks=(with_parameter,)))["data-4"] == 1
    ours = msgspec.structs.replace(passing, test="plusone::constant[t]")
    named = note("data-4", checked_by="plusone::constant[t]")
    assert points(case(notes=(named,), checks=(ours,)))["data-4"] == 0, "plusone's own count where they speak for it"
    old = note("data-4", checked_by=told.checked_by, at="2020-01-01T00:00:00.000000Z")
    assert points(case(notes=(old,), checks=(passing,)))["data-4"] == 1, "the check is done each time"


def test_the_next_step_is_the_cheapest_of_the_weakest_section():
    found = score_of(case())
    assert found.next_test == "data-1"
    assert found.next_step.startswith("data-1: leave plusone's own checks on")
    notes = tuple(note(test) for test in TESTS if not test.startswith("monitoring"))
    found = score_of(case(notes=notes))
    assert found.next_test.startswith("monitoring-")
    step = next(one for one in found.points if one.test == found.next_test)
    assert step.effort == min(one.effort for one in found.points if one.section == "monitoring")


def test_following_the_next_step_raises_the_sum_of_its_section():
    checks = (built_in("columns[t]"),)
    before, after = score_of(case()), score_of(case(checks=checks))
    assert after.sections[0].points > before.sections[0].points


@pytest.mark.parametrize(
    ("count", "means"),
    [
        (0, "research project"),
        (1, "serious holes"),
        (3, "first pass"),
        (5, "reasonably tested"),
        (7, "strongly tested"),
    ],
)
def test_what_a_score_means(count: int, means: str):
    """By table V: 0; more than 0 up to 1; up to 2; up to 3; up to 5."""
    notes = tuple(note(test) for test in TESTS if int(test[-1]) <= count)
    found = score_of(case(notes=notes))
    assert found.score == count / 2
    assert means in found.means


def test_the_same_evidence_gives_the_same_score():
    assert score_of(whole()) == score_of(whole())
