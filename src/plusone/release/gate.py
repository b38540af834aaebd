"""Law 1, in one function: no release takes traffic unless its checks passed on that exact digest.

`write_route` is the only caller of the query `route_add`; the command line, the HTTP API and the control process all
come through it, and it judges inside of the transaction that writes the route.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..base import clock
from ..base.errors import Conflict, GateClosed
from ..base.records import Check, Decision, Release, Route, Session, Share
from ..checks.verdict import problems_of
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row

__all__ = ["gate_problems", "may_take_traffic", "newest_session", "sessions_of", "write_route"]


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
    tx: Transaction, model: str, release: Release | None, *, previous: Release | None, decision: Decision
) -> Route:
    """Judge, and write the next version of the model's route; return it.

    Args:
        release: what takes all of the model's traffic; None takes the model off the servers.
        previous: what stays warm for a rollback.
        decision: why; it was added in this same transaction.

    Raises:
        GateClosed: when the release's newest session does not open the gate and nobody has overridden that, by name
            and with a reason, for this digest. The transaction must be undone.
        Conflict: when gc has freed the release's files. The transaction must be undone.
    """
    if release is not None:
        # The decision is in the store already: an override of now is found there, as one of the past is.
        if freed_at := _freed_at(tx, release):
            raise Conflict(
                f"{model}@{release.number} may not go live: plusone gc freed its files on {freed_at[:10]}.",
                mend="plusone release --again  (makes the next one)",
            )
        problems = gate_problems(tx, release.digest)
        if problems and not _overridden(tx, release):
            raise GateClosed(
                f"{model}@{release.number} may not go live: {'; '.join(problems[:3])}"
                + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
                + ".",
                mend=f"plusone checks {model}@{release.number}  (shows what was measured)",
                problems=problems,
            )
    newest = tx.one("route_newest", model=model)
    route = Route(
        model=model,
        version=(newest["version"] if newest else 0) + 1,
        shares=(Share(release=release.number, digest=release.digest, share=1.0),) if release else (),
        previous=Share(release=previous.number, digest=previous.digest, share=0.0) if previous else None,
        decision=decision.id,
        at=clock.now(),
    )
    tx.execute("route_add", **to_row(route))
    return route


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
