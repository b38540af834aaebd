"""Law 1, in one function: no release takes traffic unless its checks passed on that exact digest.

`write_route` is the only caller of the query `route_add`; the command line, the HTTP API and the control process all
come through it, and it judges inside of the transaction that writes the route.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from ..base import clock
from ..base.errors import Conflict, GateClosed
from ..base.records import Check, Decision, Release, Route, Session, Share
from ..checks.verdict import problems_of
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row

__all__ = ["gate_problems", "may_take_traffic", "newest_session", "sessions_of", "write_route"]

_ROUNDING = 1e-9


def newest_session(db: Database | Transaction, digest: str) -> Session | None:
    """Return the newest session of checks on this release digest, or None."""
    row = db.one("session_newest", release=digest)
    return _session(db, row) if row else None


def sessions_of(db: Database | Transaction, *, digest: str | None = None, run_id: str | None = None) -> list[Session]:
    """Return the sessions of a release or of a run, the oldest first."""
    return [_session(db, row) for row in db.all("session_list", release=digest, run_id=run_id)]


def gate_problems(db: Database | Transaction, digest: str) -> list[str]:
    """Return why the gate is closed for this digest; empty: it is open. Overrides are not looked at."""
    session = newest_session(db, digest)
    if session is None:
        return ["it has no session of checks"]
    return problems_of(session)


def write_route(
    tx: Transaction,
    model: str,
    shares: Sequence[tuple[Release, float]],
    *,
    previous: Release | None,
    decision: Decision,
    shadow: tuple[Release, float] | None = None,
) -> Route:
    """Judge every release that gets requests, and write the next version of the model's route; return it.

    Args:
        shares: what takes the model's traffic and how much of it, the live release first; more than 0 each, 1 together;
            an empty one takes the model off the servers.
        previous: what stays warm for a rollback.
        decision: why; it was added in this same transaction.
        shadow: what gets copies of requests, and of what share of them.

    Raises:
        GateClosed: when a release's newest session does not open the gate and nobody has overridden that, by name
            and with a reason, for this digest. The transaction must be undone.
        Conflict: when gc has freed a release's files. The transaction must be undone.
        ValueError: when the shares are none.
    """
    _check_shares(shares, shadow)
    for release, _ in (*shares, *([shadow] if shadow else [])):
        _check_gate(tx, release)
    newest = tx.one("route_newest", model=model)
    route = Route(
        model=model,
        version=(newest["version"] if newest else 0) + 1,
        shares=tuple(_share(release, share) for release, share in shares),
        previous=_share(previous, 0.0) if previous else None,
        shadow=_share(*shadow) if shadow else None,
        decision=decision.id,
        at=clock.now(),
    )
    tx.execute("route_add", **to_row(route))
    return route


def _share(release: Release, share: float) -> Share:
    return Share(release=release.number, digest=release.digest, share=share)


def _check_shares(shares: Sequence[tuple[Release, float]], shadow: tuple[Release, float] | None) -> None:
    numbers = [release.number for release, _ in (*shares, *([shadow] if shadow else []))]
    sizes = [share for _, share in shares]
    whole = not shares or abs(math.fsum(sizes) - 1.0) < _ROUNDING
    if len(set(numbers)) != len(numbers) or not whole or not all(share > 0.0 for share in sizes):
        raise ValueError(f"shares that are none: {sizes} of {numbers}")
    if shadow is not None and not (shares and 0.0 < shadow[1] <= 1.0):
        raise ValueError(f"a shadow of {shadow[1]} beside {sizes}")


def _check_gate(tx: Transaction, release: Release) -> None:
    # The decision is in the store already: an override of now is found there, as one of the past is.
    name = f"{release.model}@{release.number}"
    if freed_at := _freed_at(tx, release):
        raise Conflict(
            f"{name} may not go live: plusone gc freed its files on {freed_at[:10]}.",
            mend="plusone release --again  (makes the next one)",
        )
    problems = gate_problems(tx, release.digest)
    if problems and not _overridden(tx, release):
        raise GateClosed(
            f"{name} may not go live: {'; '.join(problems[:3])}"
            + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
            + ".",
            mend=f"plusone checks {name}  (shows what was measured)",
            problems=problems,
        )


def may_take_traffic(tx: Transaction, release: Release) -> bool:
    """Say whether `write_route` would let this release through: its gate is open, or was overridden for its digest."""
    return not _freed_at(tx, release) and (not gate_problems(tx, release.digest) or _overridden(tx, release))


def _freed_at(tx: Transaction, release: Release) -> str:
    row = tx.one("freed_get", package=release.package)
    return row["at"] if row else ""


def _overridden(tx: Transaction, release: Release) -> bool:
    # An override holds for the digest: a release that went live by one can be rolled back to.
    rows = tx.all("decision_list", model=release.model, release=release.number)
    return any(row["override"] and row["digest"] == release.digest for row in rows)


def _session(db: Database | Transaction, row: dict[str, Any]) -> Session:
    bare = from_row(Session, {**row, "checks": "[]"})
    checks = tuple(from_row(Check, part) for part in db.all("check_list", session_id=bare.id))
    return msgspec.structs.replace(bare, checks=checks)
