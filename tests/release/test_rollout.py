"""Moves of a rollout, one by one: what they write, and what they refuse. In any order: test_lifecycle.py."""

from __future__ import annotations

import pytest

from plusone.base.errors import Conflict, GateClosed, NotFound, UsageError
from plusone.base.plans import parse_plan
from plusone.base.records import Release
from plusone.base.rollouts import Look, Rollout
from plusone.release import lifecycle, rollout
from plusone.release.events import list_looks, newest_rollout, read_state
from tests.release.invariants import check_invariants, history
from tests.release.written import PASSED, Written

PLAN = parse_plan(["shadow 1s", "5% 1s", "50% 1s"], "the plan")


def _begun(project: Written) -> tuple[Release, Release]:
    """Begin to roll out m@2 beside m@1."""
    live, candidate = project.release(live=True), project.release()
    rollout.begin(project.store, "m@2", PLAN, by="ann", reason="better")
    return live, candidate


def _now(project: Written) -> Rollout:
    found = newest_rollout(project.store.db, "m")
    assert found is not None
    return found


def _look(project: Written, then: str = "", *, why: str = "", reason: str = "", state: str = "{}") -> lifecycle.Move:
    now = _now(project)
    reasons = (reason,) if reason else ()
    look = Look(seq=0, at="", step=now.step, action="go on", reasons=reasons, figures={"errors": 3})
    return rollout.record(project.store, now, look, state, then, why)


def _route(project: Written) -> tuple[dict[int, float], dict[int, float]]:
    """Who takes which share of the traffic, and who gets which share of copies."""
    route = lifecycle.current_route(project.store.db, "m")
    assert route is not None
    shadow = {route.shadow.release: route.shadow.share} if route.shadow else {}
    return {share.release: share.share for share in route.shares}, shadow


def test_a_rollout_goes_through_its_steps_and_ends_live(project: Written):
    _begun(project)
    seen = [(_route(project), project.stages()[2])]
    for _ in PLAN:
        _look(project, "advance")
        check_invariants(project.store)
        seen.append((_route(project), project.stages()[2]))
    assert seen == [
        (({1: 1.0}, {2: 1.0}), "shadow"),
        (({1: 0.95, 2: 0.05}, {}), "canary"),
        (({1: 0.5, 2: 0.5}, {}), "canary"),
        (({2: 1.0}, {}), "live"),
    ]
    assert project.stages()[1] == "previous"
    done = _now(project)
    assert (done.status, done.by, done.reason, done.live, done.looks) == ("promoted", "ann", "better", 1, 3)
    decisions = project.store.db.all("decision_list", model="m", release=2)
    assert [row["after"] for row in decisions] == ["shadow", "canary", "canary", "live"]
    assert all("errors" in row["evidence"] for row in decisions[1:]), "every decision has the judge's numbers"


def test_each_step_keeps_the_previous_release_warm(project: Written):
    project.release(live=True)
    project.release(live=True)
    project.release()
    rollout.begin(project.store, "m@3", PLAN, by="ann")
    _look(project, "advance")
    route = lifecycle.current_route(project.store.db, "m")
    assert route is not None
    assert route.previous is not None
    assert route.previous.release == 1


def test_the_gate_is_asked_for_the_candidate_and_for_the_live_release(project: Written):
    live, candidate = project.release(live=True), project.release(checks=[*PASSED, ("model", "failed")])
    before = history(project.store)
    with pytest.raises(GateClosed, match="m@2"):
        rollout.begin(project.store, "m@2", PLAN, by="ann")
    assert history(project.store) == before
    project.session(candidate, PASSED)
    project.session(live, [*PASSED, ("model", "failed")])
    with pytest.raises(GateClosed, match="m@1"):
        rollout.begin(project.store, "m@2", PLAN, by="ann")


@pytest.mark.parametrize("then", ["advance", "roll back"])
def test_a_gate_that_closed_meanwhile_stops_the_move_and_not_the_rollout(project: Written, then: str):
    live, _ = _begun(project)
    project.session(live, [*PASSED, ("data", "failed")])
    before = _now(project)
    with pytest.raises(GateClosed):
        _look(project, then)
    assert _now(project) == before


def test_what_may_not_be_rolled_out_is_refused_and_why(project: Written):
    project.release()
    with pytest.raises(Conflict, match="No release of m is live"):
        rollout.begin(project.store, "m@1", PLAN, by="ann")
    for _ in range(3):
        project.release(live=True)
    lifecycle.roll_back(project.store, "m", by="ann")
    project.release()
    lifecycle.reject(project.store, "m@5", by="ann", reason="no")
    project.release()
    before = history(project.store)
    for number, why in ((3, "live already"), (2, "was live before"), (4, "rolled back"), (5, "rejected")):
        with pytest.raises(Conflict, match=why):
            rollout.begin(project.store, f"m@{number}", PLAN, by="ann")
    with pytest.raises(UsageError, match="no plan"):
        rollout.begin(project.store, "m@6", [], by="ann")
    with pytest.raises(NotFound):
        rollout.begin(project.store, "m@9", PLAN, by="ann")
    assert history(project.store) == before
    rollout.begin(project.store, "m@6", PLAN, by="ann")
    with pytest.raises(Conflict, match="being rolled out already"):
        rollout.begin(project.store, "m@6", PLAN, by="ann")


def test_a_newer_rollout_supersedes_the_one_under_way(project: Written):
    _begun(project)
    _look(project, "advance")
    project.release()
    move = rollout.begin(project.store, "m@3", PLAN, by="ann")
    assert project.stages() == {1: "live", 2: "passed", 3: "shadow"}
    assert _route(project) == ({1: 1.0}, {3: 1.0})
    assert [(one.release, one.after) for one in move.decisions] == [(2, "passed"), (3, "shadow")]
    assert "m@3 began" in move.decisions[0].reason
    check_invariants(project.store)


def test_what_goes_live_supersedes_the_rollout_of_another(project: Written):
    _begun(project)
    project.promote(project.release())
    assert project.stages() == {1: "previous", 2: "passed", 3: "live"}
    assert _now(project).status == "superseded"
    check_invariants(project.store)


def test_to_promote_what_is_being_rolled_out_ends_its_rollout(project: Written):
    _, candidate = _begun(project)
    project.promote(candidate)
    assert _now(project).status == "promoted"
    check_invariants(project.store)
    project.release()
    rollout.begin(project.store, "m@3", PLAN, by="ann")
    rollout.promote(project.store, "m", by="bob", reason="sure")
    assert (_now(project).status, _now(project).events[-1].by) == ("promoted", "bob")
    assert project.stages() == {1: "retired", 2: "previous", 3: "live"}


def test_a_rollback_takes_back_the_candidate_and_the_live_release_goes_on(project: Written):
    project.release(live=True)
    project.release(live=True)
    for target in ("m", "m@2"):
        candidate = project.release()
        rollout.begin(project.store, f"m@{candidate.number}", PLAN, by="ann")
        _look(project, "advance")
        lifecycle.roll_back(project.store, target, by="bob")
        assert project.stages()[candidate.number] == "rolled back"
        assert _route(project) == ({2: 1.0}, {})
        assert (_now(project).status, _now(project).events[-1].by) == ("rolled back", "bob")
        check_invariants(project.store)


@pytest.mark.parametrize("target", ["m@1", "m@previous"])
def test_a_rollback_to_an_older_release_takes_back_both(project: Written, target: str):
    project.release(live=True)
    project.release(live=True)
    project.release()
    rollout.begin(project.store, "m@3", PLAN, by="ann")
    lifecycle.roll_back(project.store, target, by="bob")
    assert project.stages() == {1: "live", 2: "rolled back", 3: "passed"}
    assert _now(project).status == "superseded"
    assert _route(project) == ({1: 1.0}, {})
    check_invariants(project.store)


def test_an_aborted_rollout_leaves_the_candidate_passed_and_it_may_begin_again(project: Written):
    _begun(project)
    rollout.abort(project.store, "m", by="bob", reason="not on a friday")
    assert project.stages() == {1: "live", 2: "passed"}
    assert _route(project) == ({1: 1.0}, {})
    assert (_now(project).status, _now(project).events[-1].reason) == ("aborted", "not on a friday")
    rollout.begin(project.store, "m@2", PLAN, by="ann")
    assert project.stages()[2] == "shadow"
    check_invariants(project.store)


def test_what_is_rejected_while_it_is_rolled_out_takes_no_traffic_any_more(project: Written):
    _begun(project)
    _look(project, "advance")
    lifecycle.reject(project.store, "m@2", by="bob", reason="wrong data")
    assert project.stages() == {1: "live", 2: "rejected"}
    assert _route(project) == ({1: 1.0}, {})
    assert _now(project).status == "aborted"
    check_invariants(project.store)


def test_a_route_version_of_a_rollout_that_can_not_be_loaded_ends_it(project: Written):
    _begun(project)
    _look(project, "advance")
    route = lifecycle.current_route(project.store.db, "m")
    assert route is not None
    assert lifecycle.take_back(project.store, "m", route.version - 1, error="late") is None
    lifecycle.take_back(project.store, "m", route.version, error="damaged")
    assert project.stages() == {1: "live", 2: "rolled back"}
    assert _route(project) == ({1: 1.0}, {})
    assert "damaged" in _now(project).events[-1].reason
    check_invariants(project.store)


def test_a_pause_and_a_hold_are_two_things(project: Written):
    _begun(project)
    _look(project, "hold", why="judge", reason="it answers otherwise")
    assert _now(project).status == "held"
    rollout.pause(project.store, "m", by="bob")
    assert _now(project).status == "paused"
    with pytest.raises(Conflict, match="paused already"):
        rollout.pause(project.store, "m", by="bob")
    rollout.resume(project.store, "m", by="bob")
    assert _now(project).status == "held", "who resumes a pause has not said that the hold is well"
    rollout.resume(project.store, "m", by="bob", reason="that is meant")
    assert _now(project).status == "running"
    with pytest.raises(Conflict, match="neither paused nor held"):
        rollout.resume(project.store, "m", by="bob")
    kinds = [event.kind for event in _now(project).events]
    assert kinds == ["began", "held", "paused", "resumed", "accepted"]


@pytest.mark.parametrize("move", [rollout.pause, rollout.resume, rollout.promote, rollout.abort])
def test_without_a_rollout_under_way_there_is_nothing_to_move(project: Written, move):
    project.release(live=True)
    with pytest.raises(Conflict, match="No rollout of m is under way"):
        move(project.store, "m", by="x")
    with pytest.raises(NotFound):
        move(project.store, "unknown", by="x")


def test_what_was_seen_before_somebody_moved_it_moves_nothing(project: Written):
    _begun(project)
    seen = _now(project)
    look = Look(seq=0, at="", step=1, action="go on")
    rollout.record(project.store, seen, look, '{"state": 1}')
    for then in ("", "hold", "go on", "advance", "roll back"):
        before = history(project.store), _now(project)
        with pytest.raises(Conflict, match="moved on"):
            rollout.record(project.store, seen, look, '{"state": 2}', then)
        assert (history(project.store), _now(project)) == before
    now = _now(project)
    assert read_state(project.store.db, now) == '{"state": 1}'
    rollout.abort(project.store, "m", by="x")
    with pytest.raises(Conflict, match="moved on"):
        rollout.record(project.store, now, look, "{}", "advance")
    with pytest.raises(Conflict, match="moved on"):
        rollout.record(project.store, _now(project), look, "{}", "advance")


def test_looks_are_kept_with_their_figures_and_given_in_pages(project: Written):
    _begun(project)
    for number in range(5):
        _look(project, reason=f"look {number}")
    now = _now(project)
    assert now.look is not None
    assert (now.looks, now.look.reasons, now.look.figures) == (5, ("look 4",), {"errors": 3})
    page = list_looks(project.store.db, now.id, count=2)
    assert [one.reasons[0] for one in page] == ["look 4", "look 3"]
    rest = list_looks(project.store.db, now.id, before=page[-1].seq)
    assert [one.reasons[0] for one in rest] == ["look 2", "look 1", "look 0"]
    assert list_looks(project.store.db, now.id, before=-(2**70), count=-3) == []
