"""What each record is worth, test by test."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from plusone.base.records import Check, Code
from plusone.base.rollouts import RolloutEvent
from plusone.base.trusted import ReleaseSignature
from plusone.score import finders
from plusone.score.evidence import Case, Taken, Training
from tests.score.made import AT, built_in, case, decision, recorded, rollout, run


def worth(find: Any, **evidence: Any) -> float:
    return max((points for points, _ in find(case(**evidence))), default=0)


@pytest.mark.parametrize(
    ("find", "check", "points"),
    [
        (finders.expectations, built_in("columns[train_set]"), 1),
        (finders.expectations, built_in("columns[train_set]", "not applicable"), 0),
        (finders.expectations, built_in("columns[train_set]", "failed"), 0),
        (finders.expectations, built_in("columnsome"), 0),
        (finders.expectations, recorded("columns", subject="data"), 1),
        (finders.expectations, recorded("between", subject="data"), 1),
        (finders.expectations, recorded("rows", subject="data"), 0),
        (finders.expectations, recorded("", test="columns", subject="data"), 0),
        (finders.tests_on_data, recorded("", subject="data"), 0.5),
        (finders.tests_on_data, built_in("rows[t]"), 0),
        (finders.staleness, recorded("no_worse", live=0.7), 0.5),
        (finders.staleness, recorded("no_worse", live=None), 0),
        (finders.staleness, recorded("fresh"), 0),
        (finders.simpler, recorded("simpler_is_not_better"), 1),
        (finders.simpler, built_in("baseline"), 1),
        (finders.slices, recorded("slices"), 1),
        (finders.slices, recorded("slices", outcome="inconclusive"), 0),
        (finders.fair, recorded("fair"), 1),
        (finders.unit_tested, recorded("directional"), 1),
        (finders.unit_tested, built_in("answers"), 1),
        (finders.quality, recorded("at_least"), 1),
        (finders.requests_checked, built_in("replay[answers]"), 0.5),
        (finders.age, recorded("fresh"), 0.5),
        (finders.numbers, recorded("stable"), 0.5),
        (finders.speed, built_in("fast"), 0.5),
        (finders.quality_served, built_in("replay[labels]"), 0.5),
        (finders.quality_served, built_in("replay[answers]"), 0),
        (finders.useful, recorded("features", unused=[]), 1),
        (finders.useful, recorded("features", unused=["a"]), 0.5),
        (finders.useful, recorded("features", outcome="failed", unused=[]), 0),
        (finders.useful, recorded("features", unused=None), 0),
    ],
)
def test_checks(find: Any, check: Check, points: float):
    assert worth(find, checks=(check,)) == points


def test_a_measurement_that_is_inconclusive_in_a_test_that_passed_is_no_evidence():
    check = recorded("slices")
    allowed = msgspec.structs.replace(check, measured=({"check": "slices", "outcome": "inconclusive"},))
    assert worth(finders.slices, checks=(allowed,)) == 0


def test_a_new_field_counts_when_a_later_release_took_it():
    one, other = Taken(release=1, fields=("a",)), Taken(release=2, fields=("a", "b"))
    assert worth(finders.new_feature, took=(one, other)) == 0.5
    assert worth(finders.new_feature, took=(one,)) == 0
    assert worth(finders.new_feature, took=(Taken(release=1, fields=("a", "b")), Taken(release=2, fields=("a",)))) == 0


def test_a_clean_commit_is_half_and_a_second_persons_signature_the_other_half():
    signed = ReleaseSignature(model="m", release=3, digest="d" * 64, key="k", signature="s", by="ann", at=AT)
    assert worth(finders.reviewed, runs=(run(3),)) == 0.5
    assert worth(finders.reviewed, runs=(run(3),), signatures=(signed,)) == 1
    assert worth(finders.reviewed, runs=(run(3),), signatures=(msgspec.structs.replace(signed, by="bob"),)) == 0.5
    assert worth(finders.reviewed, runs=(run(2),)) == 0, "the run of another release"
    for code in (Code(), Code(commit="c", dirty=True)):
        assert worth(finders.reviewed, runs=(run(3, code=code),), signatures=(signed,)) == 0


def test_a_setting_is_tuned_when_it_had_three_values():
    three = tuple(run(number) for number in (1, 2, 3))
    assert worth(finders.tuned, runs=three) == 1
    assert worth(finders.tuned, runs=three[:2]) == 0
    one = tuple(run(number, settings={"max_iter": number, "rate": 0.1}) for number in (1, 2, 3))
    assert worth(finders.tuned, runs=one) == 0.5
    assert worth(finders.tuned, runs=tuple(run(n, status="running") for n in (1, 2, 3))) == 0
    failed = tuple(run(n, status="failed") for n in (1, 2, 3))
    trained = tuple(Training(run_id=f"r{n}", fingerprint=f"f{n}", package=f"p{n}") for n in (1, 2, 3))
    assert worth(finders.tuned, runs=failed) == 0, "three values that break are no search"
    assert worth(finders.tuned, runs=failed, trainings=trained[:2]) == 0
    assert worth(finders.tuned, runs=failed, trainings=trained) == 1, "a closed gate says what a value is worth"
    assert worth(finders.tuned, runs=tuple(run(n, settings={"max_iter": [n], "rate": {}}) for n in (1, 2, 3))) == 0.5


def test_what_an_old_model_costs_is_known_with_a_bound_on_age_and_the_live_release_on_new_data():
    assert worth(finders.staleness, checks=(recorded("no_worse", live=0.7), recorded("fresh"))) == 1


def test_training_is_reproducible_when_two_trainings_gave_one_package():
    def made(run_id: str, fingerprint: str = "f", package: str = "p") -> Training:
        return Training(run_id=run_id, fingerprint=fingerprint, package=package)

    assert worth(finders.reproducible, trainings=(made("a"), made("b"))) == 1
    assert worth(finders.reproducible, trainings=(made("a"), made("a"))) == 0
    assert worth(finders.reproducible, trainings=(made("a"), made("b", package="q"))) == 0
    assert worth(finders.reproducible, trainings=(made("a"), made("b", fingerprint="g"))) == 0


def test_the_pipeline_is_tested_together_with_a_test_on_both_ends():
    data, model = recorded("", test="a", subject="data"), recorded("", test="b")
    assert worth(finders.integrated, checks=(data, model)) == 1
    assert worth(finders.integrated, checks=(data,)) == 0
    assert worth(finders.integrated, checks=(built_in("columns"), model)) == 0


def test_a_canary_of_this_release_is_a_point_and_of_another_half():
    assert worth(finders.canary, rollouts=(rollout(3),)) == 1
    assert worth(finders.canary, rollouts=(rollout(2),)) == 0.5
    assert worth(finders.canary, rollouts=(rollout(3, looks=0),)) == 0
    look = rollout(3).look
    assert look is not None
    for figures in ({}, {"errors": {"live": {"requests": 9}, "candidate": {"requests": 0}}}):
        quiet = msgspec.structs.replace(look, figures=figures)
        assert worth(finders.canary, rollouts=(rollout(3, look=quiet),)) == 0, "nobody asked it anything"


def test_a_rollback_by_hand_is_half_and_by_the_judge_a_point():
    assert worth(finders.rollback, decisions=(decision(),)) == 0.5
    assert worth(finders.rollback, decisions=(decision("live"),)) == 0
    assert worth(finders.rollback, rollouts=(rollout(2),)) == 1
    by_hand = RolloutEvent(seq=1, at=AT, kind="rolled back", step=1, by="ann", reason="")
    assert worth(finders.rollback, rollouts=(rollout(2, events=(by_hand,)),)) == 0


def test_features_are_the_same_where_the_package_was_proven_and_requests_answered_again():
    assert worth(finders.same_features, proof={"rows": 10}) == 0.5
    assert worth(finders.same_features, proof={"rows": 10}, checks=(built_in("replay[answers]"),)) == 1
    for proof in ({}, {"rows": 0}, {"rows": "many"}, {"rows": None}):
        assert worth(finders.same_features, proof=proof, checks=(built_in("replay[answers]"),)) == 0


def test_what_the_judge_compared_counts_only_with_counts_of_both():
    for find in (finders.numbers, finders.speed, finders.quality_served, finders.labels_judged):
        assert worth(find, rollouts=(rollout(2),)) == 0.5
        assert worth(find, rollouts=(rollout(2, look=None),)) == 0
    look = rollout(2).look
    assert look is not None
    for figures in ({}, {"labels": 3}, {"labels": {"live": {"counted": 9}, "candidate": {"counted": 0}}}):
        odd = rollout(2, look=msgspec.structs.replace(look, figures=figures))
        assert worth(finders.labels_judged, rollouts=(odd,)) == 0


def test_labels_count_with_predictions():
    assert worth(finders.quality_served, predictions=10, labelled=True) == 0.5
    assert worth(finders.quality_served, predictions=10) == 0
    assert worth(finders.quality_served, labelled=True) == 0


def test_without_a_release_nothing_is_found_and_nothing_breaks():
    bare = Case(model="m", release=None, at=AT, proof={"rows": 1}, runs=(run(1),), rollouts=(rollout(2),))
    for find in (finders.reviewed, finders.tuned, finders.same_features, finders.nothing):
        assert list(find(bare)) == []
    assert [points for points, _ in finders.canary(bare)] == [0.5]
