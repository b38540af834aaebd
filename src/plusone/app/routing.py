"""A model's route as people ask for it: which releases take which share, why, and who serves it so."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.records import Decision, Release, Route
from ..release import lifecycle
from ..store import Store
from ..store.rows import from_row
from .following import current_servers, served_now
from .views import Routed, RouteDetail

__all__ = ["describe_route", "routed"]


def describe_route(store: Store, model: str | None) -> RouteDetail:
    """Return where the model's requests go now, and which servers serve it so.

    Raises:
        NotFound: when there is no such model.
        UsageError: when no model was named and there are several.
    """
    name = lifecycle.pick_model(store.db, model)
    route = lifecycle.current_route(store.db, name)
    servers = tuple(current_servers(store))
    return RouteDetail(
        model=name,
        route=route,
        releases=routed(route, lifecycle.list_releases(store.db, name)),
        decision=_decision(store, route) if route else None,
        served=served_now(list(servers), route) if route and route.shares else None,
        servers=servers,
    )


def routed(route: Route | None, releases: Sequence[Release]) -> tuple[Routed, ...]:
    """Return the releases that a route names: what takes traffic first, the largest share at the top."""
    if route is None:
        return ()
    by_number = {one.number: one for one in releases}
    answering = sorted(route.shares, key=lambda one: -one.share)
    shares = {one.release: one.share for one in answering}
    copied = {one.release: one.share for one in (route.shadow,) if one}
    kept = [one.release for one in (route.previous,) if one]
    return tuple(
        Routed(
            release=number,
            digest=by_number[number].digest,
            stage=by_number[number].stage,
            share=shares.get(number, 0.0),
            shadow=copied.get(number, 0.0),
            made_at=by_number[number].created_at,
        )
        for number in dict.fromkeys([*shares, *copied, *kept])
    )


def _decision(store: Store, route: Route) -> Decision | None:
    rows = store.db.all("decision_list", model=route.model, release=None)
    return next((from_row(Decision, row) for row in reversed(rows) if row["id"] == route.decision), None)
