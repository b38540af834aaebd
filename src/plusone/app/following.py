"""Waits until the servers follow a route version, by what the control processes write into the store."""

from __future__ import annotations

import datetime as dt
import time

from ..base import clock
from ..base.records import Decision, Route, ServerReport
from ..release.lifecycle import current_route
from ..store import Store
from ..store.rows import from_row
from .views import Served

__all__ = ["current_servers", "follow", "served_now"]

_HEARTBEAT_S = 6.0  # a control process reports every second; one that was silent for longer is gone
_LOOK_S = 0.01


def current_servers(store: Store) -> list[ServerReport]:
    """Return the control processes that reported within the last 6 s."""
    since = clock.parse(clock.now()) - dt.timedelta(seconds=_HEARTBEAT_S)
    rows = store.db.all("server_list", since=since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return [from_row(ServerReport, row) for row in rows]


def served_now(servers: list[ServerReport], route: Route) -> Served:
    """Return whether every registered worker serves `route`, as the servers' last reports say."""
    workers = [worker for server in servers for worker in server.workers]
    if not servers:
        return Served(state="not yet served", message="no server is up: plusone up")
    behind = [worker for worker in workers if worker.versions.get(route.model, 0) < route.version]
    if workers and not behind:
        return Served(state="served", workers=len(workers))
    return Served(
        state="waiting", workers=len(workers), message=f"{len(behind)} of {len(workers)} workers do not serve it yet"
    )


def follow(store: Store, route: Route, *, wait_s: float) -> Served:
    """Wait until every registered worker serves `route` or a later version; return at once when there is no server."""
    began = time.monotonic()
    while True:
        if reason := _taken_back(store, route):
            return Served(state="taken back", waited_s=_since(began), message=reason)
        seen = served_now(current_servers(store), route)
        if seen.state != "waiting" or time.monotonic() - began > wait_s:
            return Served(state=seen.state, workers=seen.workers, waited_s=_since(began), message=seen.message)
        time.sleep(_LOOK_S)


def _taken_back(store: Store, route: Route) -> str:
    """Return why `route` could not be loaded, '' when it could or when that is not known yet.

    A later version alone says nothing: somebody else may have moved the traffic on in the meantime.
    """
    newest = current_route(store.db, route.model)
    if newest is None or newest.version == route.version or not route.shares:
        return ""
    rows = store.db.all("decision_list", model=route.model, release=None)
    places = [place for place, row in enumerate(rows) if row["id"] == route.decision]
    if not places:
        return ""
    moved = rows[places[-1]]["release"]
    later = [from_row(Decision, row) for row in rows[places[-1] + 1 :] if row["release"] == moved]
    return next((one.reason for one in later if one.after == "rolled back" and "error" in one.evidence), "")


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
