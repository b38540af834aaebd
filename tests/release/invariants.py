"""What must hold of releases, decisions and routes after any move, read from the records alone."""

from __future__ import annotations

from typing import Any

from plusone.base.records import Decision, Release, Route
from plusone.base.rollouts import Rollout
from plusone.release.events import ENDS, list_looks, list_rollouts
from plusone.release.lifecycle import list_releases
from plusone.store import Store
from plusone.store.rows import from_row

__all__ = ["check_invariants", "history"]

Row = dict[str, Any]


def history(store: Store) -> dict[str, list[Row]]:
    """Return all that may only grow: releases (without their stage), decisions and routes, in the order of adding."""
    releases = [{k: v for k, v in row.items() if k != "stage"} for row in store.db.all("release_list", model=None)]
    models = [row["model"] for row in store.db.all("model_list")]
    rollouts = [one.id for one in list_rollouts(store.db)]
    return {
        "rollouts": [row for one in reversed(rollouts) if (row := store.db.one("rollout_get", id=one))],
        "releases": sorted(releases, key=lambda row: row["created_at"]),
        "decisions": store.db.all("decision_list", model=None, release=None),
        "routes": [row for model in models for row in store.db.all("route_list", model=model)],
    }


def check_invariants(store: Store) -> None:
    """Assert what holds of every model at every moment."""
    for model in [row["model"] for row in store.db.all("model_list")]:
        releases = list_releases(store.db, model)
        decisions = [from_row(Decision, row) for row in store.db.all("decision_list", model=model, release=None)]
        routes = [from_row(Route, row) for row in store.db.all("route_list", model=model)]
        _stages(releases, decisions)
        _routes(releases, decisions, routes)
        rollouts = list_rollouts(store.db, model)
        _rollouts(releases, decisions, rollouts)
        for one in rollouts:
            _events(store, one)
        _under_way(releases, routes, [one for one in rollouts if one.ended_at is None])


def _stages(releases: list[Release], decisions: list[Decision]) -> None:
    stage = {release.number: "candidate" for release in releases}
    for decision in decisions:
        assert decision.before == stage[decision.release], "a decision starts where the one before it ended"
        stage[decision.release] = decision.after
    assert {release.number: release.stage for release in releases} == stage, "the last decision gives the stage"
    assert list(stage.values()).count("live") <= 1
    assert list(stage.values()).count("previous") <= 1
    previous = next((number for number, word in stage.items() if word == "previous"), None)
    assert previous == _live_before(releases, decisions)


def _live_before(releases: list[Release], decisions: list[Decision]) -> int | None:
    """Return the release that was live last, is not live now, and was not rolled back since."""
    now = {release.number: release.stage for release in releases}
    last_live = [d.release for d in decisions if d.after == "live" and now[d.release] in ("previous", "retired")]
    return last_live[-1] if last_live else None


def _routes(releases: list[Release], decisions: list[Decision], routes: list[Route]) -> None:
    assert [route.version for route in routes] == list(range(1, len(routes) + 1)), "versions without a gap"
    digests = {release.number: release.digest for release in releases}
    ids = {decision.id for decision in decisions}
    for route in routes:
        assert route.decision in ids
        for share in (*route.shares, *(one for one in (route.previous, route.shadow) if one)):
            assert digests[share.release] == share.digest
        assert not route.shares or abs(sum(share.share for share in route.shares) - 1.0) < 1e-9
        assert all(share.share > 0.0 for share in route.shares)
    stage = {release.stage: release.number for release in releases}
    shares = routes[-1].shares if routes else ()
    assert stage.get("live") == (shares[0].release if shares else None), "the newest route names the live release"
    if shares:
        previous = routes[-1].previous
        assert stage.get("previous") == (previous.release if previous else None)


def _rollouts(releases: list[Release], decisions: list[Decision], rollouts: list[Rollout]) -> None:
    ids = {decision.id: decision for decision in decisions}
    stage_of_end = {"promoted": "live", "rolled back": "rolled back", "superseded": "passed"}
    for one in rollouts:
        kinds = [event.kind for event in one.events]
        assert kinds[0] == "began"
        assert [kind for kind in kinds if kind in ENDS] == ([one.status] if one.ended_at else [])
        assert 1 <= one.step <= len(one.plan)
        moves = [ids[event.decision] for event in one.events if event.decision]
        assert all((move.release, move.digest) == (one.release, one.digest) for move in moves)
        steps = [one.plan[event.step - 1].kind for event in one.events if event.kind in ("began", "step")]
        assert [move.after for move in moves][: len(steps)] == steps
        if one.ended_at:
            assert moves[-1].after in (stage_of_end.get(one.status, "passed"), "rejected")


def _events(store: Store, rollout: Rollout) -> None:
    looks = [look.seq for look in list_looks(store.db, rollout.id, count=1000)]
    assert sorted([*looks, *(event.seq for event in rollout.events)]) == list(
        range(1, len(looks) + len(rollout.events) + 1)
    ), "events without a gap"
    assert rollout.looks == len(looks)
    assert (rollout.look.seq if rollout.look else None) == (looks[0] if looks else None)


def _under_way(releases: list[Release], routes: list[Route], rollouts: list[Rollout]) -> None:
    """What is being rolled out has a stage that says so, and what the route gives it is what its step says."""
    on_the_way = [(one.number, one.stage) for one in releases if one.stage in ("shadow", "canary")]
    assert on_the_way == [(one.release, one.plan[one.step - 1].kind) for one in rollouts]
    if not rollouts:
        if routes:
            assert routes[-1].shadow is None
            assert len(routes[-1].shares) <= 1
        return
    (rollout,) = rollouts
    step, route = rollout.plan[rollout.step - 1], routes[-1]
    assert route.shares[0].release == rollout.live, "it is compared with what is live"
    canary = {share.release: share.share for share in route.shares[1:]}
    assert canary == ({rollout.release: step.share} if step.kind == "canary" else {})
    shadow = {route.shadow.release: route.shadow.share} if route.shadow else {}
    assert shadow == ({rollout.release: step.share} if step.kind == "shadow" else {})
