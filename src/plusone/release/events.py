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
    "expect_newest",
    "get_rollout",
    "list_looks",
    "list_rollouts",
    "newest_rollout",
    "newest_seq",
    "open_rollout",
    "open_rollouts",
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


def newest_seq(db: Database | Transaction, rollout_id: str) -> int:
    """Return the place of the newest event of a rollout."""
    row = db.one("rollout_event_newest", rollout=rollout_id)
    return int(row["seq"]) if row else 0


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
    seq = newest_seq(tx, rollout.id) + 1
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
    seq = add_event(tx, rollout, "look", by="plusone", reason="; ".join(look.reasons), step=look.step, figures=figures)
    tx.execute("rollout_state_set", rollout=rollout.id, seq=seq, state=state)
    return seq


def expect_newest(tx: Transaction, rollout_id: str, seen: int) -> Rollout:
    """Return the rollout if it is under way and its newest event is the one that the caller saw.

    Raises:
        Conflict: when somebody moved it since: what was concluded from what was seen then is void.
    """
    rollout = get_rollout(tx, rollout_id)
    newest = newest_seq(tx, rollout_id)
    if newest != seen or rollout.ended_at is not None:
        raise Conflict(
            f"The rollout {rollout_id} has moved on: its newest event is {newest}, and {seen} was seen.",
            mend=f"plusone rollout {rollout.model}",
        )
    return rollout


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
    paused = held = False
    for event in events:
        if event.kind in ENDS:
            return msgspec.convert(event.kind, RolloutStatus)
        if event.kind == "paused":
            paused = True
        elif event.kind == "resumed":
            paused = held = False
        elif event.kind in ("held", "went on"):
            held = event.kind == "held"
    return "paused" if paused else "held" if held else "running"


def _look(row: dict[str, Any]) -> Look:
    told = msgspec.json.decode(row["figures"])
    return msgspec.convert({**told, "seq": row["seq"], "at": row["at"], "step": row["step"]}, Look)
