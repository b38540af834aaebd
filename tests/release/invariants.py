"""What must hold of releases, decisions and routes after any move, read from the records alone."""

from __future__ import annotations

from typing import Any

from plusone.base.records import Decision, Release, Route
from plusone.release.lifecycle import list_releases
from plusone.store import Store
from plusone.store.rows import from_row

__all__ = ["check_invariants", "history"]

Row = dict[str, Any]


def history(store: Store) -> dict[str, list[Row]]:
    """Return all that may only grow: releases (without their stage), decisions and routes, in the order of adding."""
    releases = [{k: v for k, v in row.items() if k != "stage"} for row in store.db.all("release_list", model=None)]
    models = [row["model"] for row in store.db.all("model_list")]
    return {
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
        for share in (*route.shares, *([route.previous] if route.previous else [])):
            assert digests[share.release] == share.digest
    stage = {release.stage: release.number for release in releases}
    shares = routes[-1].shares if routes else ()
    assert stage.get("live") == (shares[0].release if shares else None), "the newest route names the live release"
    if shares:
        previous = routes[-1].previous
        assert stage.get("previous") == (previous.release if previous else None)
        assert sum(share.share for share in shares) == 1.0
