"""What is recorded of rollouts: events that are only added. What a rollout is at any moment follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..base import clock
from ..base.errors import Conflict, NotFound
from ..base.ids import canonical_json
from ..base.records import Decision
from ..base.rollouts import Look, Rollout, RolloutEvent, RolloutStatus
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row

__all__ = [
    "ENDS",
    "add_event",
    "add_look",
    "add_rollout",
    "expect_unmoved",
    "get_rollout",
    "held_for",
    "is_accepted",
    "list_looks",
    "list_rollouts",
    "newest_rollout",
    "open_rollout",
    "open_rollouts",
    "read_state",
]

ENDS = ("promoted", "rolled back", "aborted", "superseded")
_LAST = 2**62
_MOST_LOOKS = 1000


def list_rollouts(db: Database | Transaction, model: str | None = None, *, count: int = 1000) -> list[Rollout]:
    """Return the rollouts of a model, or of all, the newest first."""
    return [_read(db, row) for row in db.all("rollout_list", model=model, count=count)]


def get_rollout(db: Database | Transaction, rollout_id: str) -> Rollout:
    """Return one rollout by its id. Raises NotFound."""
    row = db.one("rollout_get", id=rollout_id)
    if row is None:
        raise NotFound(f"There is no rollout {rollout_id[:100]!r}.", mend="plusone rollout")
    return _read(db, row)


def newest_rollout(db: Database | Transaction, model: str) -> Rollout | None:
    """Return the newest rollout of a model, under way or ended; None when it never had one."""
    row = db.one("rollout_list", model=model, count=1)
    return _read(db, row) if row else None


def open_rollouts(db: Database | Transaction) -> list[Rollout]:
    """Return the rollouts under way, of every model."""
    return [_read(db, row) for row in db.all("rollout_open", model=None)]


def open_rollout(db: Database | Transaction, model: str) -> Rollout | None:
    """Return the rollout of a model that is under way, or None; there is at most one."""
    row = db.one("rollout_open", model=model)
    return _read(db, row) if row else None


def held_for(rollout: Rollout) -> str:
    """Return why the rollout is held, paused or not: `judge`, `requests` or `gate`; empty: it is not."""
    return _held(rollout.events)


def is_accepted(rollout: Rollout, why: str) -> bool:
    """Say whether a person let it go on despite that: of the judge once for all, of wanting requests in the step."""
    steps = [event.step for event in rollout.events if event.kind == "accepted" and event.figures.get("why") == why]
    return bool(steps) if why == "judge" else rollout.step in steps


def read_state(db: Database | Transaction, rollout: Rollout) -> str | None:
    """Return what was kept with the newest look of the rollout; None when that is not the look that the rollout has."""
    row = db.one("rollout_state_get", rollout=rollout.id)
    seq = rollout.look.seq if rollout.look else 0
    return None if (row["seq"] if row else 0) != seq else row["state"] if row else ""


def list_looks(
    db: Database | Transaction, rollout_id: str, *, before: int | None = None, count: int = 100
) -> list[Look]:
    """Return up to `count` looks (at most 1,000) of a rollout, the newest first, older than `before`."""
    rows = db.all(
        "rollout_look_list",
        rollout=rollout_id,
        before=_LAST if before is None else max(0, min(before, _LAST)),
        count=max(1, min(count, _MOST_LOOKS)),
    )
    return [_look(row) for row in rows]


def add_rollout(tx: Transaction, rollout: Rollout, decision: Decision) -> None:
    """Add a rollout and the event with which it begins."""
    row = to_row(rollout)
    derived = ("status", "step", "ended_at", "look", "looks", "events")
    tx.execute("rollout_add", **{key: value for key, value in row.items() if key not in derived})
    add_event(tx, rollout, "began", step=1, by=rollout.by, reason=rollout.reason, decision=decision.id)


def add_event(
    tx: Transaction,
    rollout: Rollout,
    kind: str,
    *,
    by: str,
    reason: str,
    step: int | None = None,
    figures: dict[str, Any] | None = None,
    decision: str = "",
) -> int:
    """Add an event behind the newest one and return its place; `step` is by default that of the rollout."""
    newest = tx.one("rollout_event_newest", rollout=rollout.id)
    seq = (newest["seq"] if newest else 0) + 1
    tx.execute(
        "rollout_event_add",
        rollout=rollout.id,
        seq=seq,
        at=clock.now(),
        kind=kind,
        step=rollout.step if step is None else step,
        by=by,
        reason=reason,
        figures=canonical_json(figures or {}).decode(),
        decision=decision,
    )
    return seq


def add_look(tx: Transaction, rollout: Rollout, look: Look, state: str) -> int:
    """Add a look, and what is to be known at the next one; return its place. Its `seq` and `at` are set here."""
    told = {"action": look.action, "reasons": look.reasons, "served_s": look.served_s, "requests": look.requests}
    figures = {**told, "figures": look.figures}
    seq = add_event(tx, rollout, "look", by="plusone", reason="", step=look.step, figures=figures)
    tx.execute("rollout_state_set", rollout=rollout.id, seq=seq, state=state)
    return seq


def expect_unmoved(tx: Transaction, seen: Rollout) -> None:
    """Check that the rollout is as the caller saw it, and under way.

    Raises:
        Conflict: when there is an event that the caller did not see: what was concluded without it is void.
    """
    if seen.ended_at is not None or get_rollout(tx, seen.id) != seen:
        raise Conflict(f"The rollout {seen.id} has moved on.", mend=f"plusone rollout {seen.model}")


def _read(db: Database | Transaction, row: dict[str, Any]) -> Rollout:
    events = tuple(from_row(RolloutEvent, one) for one in db.all("rollout_event_list", rollout=row["id"]))
    looks = list_looks(db, row["id"], count=1)
    counted = db.one("rollout_look_count", rollout=row["id"])
    return msgspec.structs.replace(
        from_row(Rollout, row),
        status=_status(events),
        step=events[-1].step if events else 1,
        ended_at=events[-1].at if events and events[-1].kind in ENDS else None,
        look=looks[0] if looks else None,
        looks=int(counted["count"]) if counted else 0,
        events=events,
    )


def _status(events: Sequence[RolloutEvent]) -> RolloutStatus:
    if events and events[-1].kind in ENDS:
        return msgspec.convert(events[-1].kind, RolloutStatus)
    pauses = [event.kind for event in events if event.kind in ("paused", "resumed")]
    return "paused" if pauses[-1:] == ["paused"] else "held" if _held(events) else "running"


def _held(events: Sequence[RolloutEvent]) -> str:
    newest = next((one for one in reversed(events) if one.kind in ("held", "went on", "accepted", "step")), None)
    return str(newest.figures.get("why", "")) if newest is not None and newest.kind == "held" else ""


def _look(row: dict[str, Any]) -> Look:
    told = msgspec.json.decode(row["figures"])
    return msgspec.convert({**told, "seq": row["seq"], "at": row["at"], "step": row["step"]}, Look)
