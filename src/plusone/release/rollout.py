"""A release takes its model's traffic step by step: every move of a rollout is one transaction of events, decisions and
a route version.

What is judged, and when a step is over, is in `control/rolling.py`; this module carries out what was concluded, and
what a person says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.ids import new_id
from ..base.plans import step_text
from ..base.records import Decision, Release
from ..base.rollouts import Look, Rollout, RolloutStep
from ..store import Store
from ..store.database import Transaction
from . import lifecycle
from .events import add_event, add_look, add_rollout, expect_unmoved, held_for, open_rollout
from .gate import write_route
from .lifecycle import Move, decide, find_release, list_releases, only_live, pick_model

__all__ = ["abort", "begin", "begin_in", "pause", "promote", "record", "resume"]


def begin(store: Store, target: str, plan: Sequence[RolloutStep], *, by: str, reason: str = "") -> Move:
    """Begin to roll out a release.

    Raises:
        GateClosed: when its checks do not open the gate.
        Conflict: when no release is live, or this one is, was, is being rolled out, was rolled back or rejected.
        UsageError: when the plan has no step.
    """
    with store.db.write() as tx:
        return begin_in(tx, find_release(tx, target), plan, by=by, reason=reason)


def begin_in(
    tx: Transaction,
    release: Release,
    plan: Sequence[RolloutStep],
    *,
    by: str,
    reason: str = "",
    evidence: dict[str, Any] | None = None,
) -> Move:
    """Begin to roll out `release` in the transaction `tx`; a rollout of another release of the model is superseded."""
    name = f"{release.model}@{release.number}"
    if not plan:
        raise UsageError(
            f"There is no plan for a rollout of {name}: it has no step.",
            mend='[tool.plusone] rollout = ["shadow 2m", "5% 5m", "50% 5m"] in pyproject.toml, or --plan',
        )
    _check_stage(release)
    live = next((one for one in list_releases(tx, release.model) if one.stage == "live"), None)
    if live is None:
        raise Conflict(
            f"No release of {release.model} is live: there is nothing to compare {name} with.",
            mend=f"plusone promote {name}",
        )
    decisions: list[Decision] = []
    if before := open_rollout(tx, release.model):
        decisions.append(lifecycle.supersede(tx, before, f"the rollout of {name} began"))
    texts = [step_text(step) for step in plan]
    reason = reason or f"rollout in {len(plan)} step{'s' if len(plan) > 1 else ''}: {', '.join(texts)}"
    rollout = Rollout(
        id=new_id(),
        model=release.model,
        release=release.number,
        digest=release.digest,
        live=live.number,
        plan=tuple(plan),
        by=by,
        reason=reason,
        begun_at=clock.now(),
    )
    about = {**(evidence or {}), "rollout": rollout.id, "step": 1, "plan": texts}
    first = decide(tx, release, plan[0].kind, by=by, reason=reason, evidence=about)
    add_rollout(tx, rollout, first)
    _write_step(tx, rollout, release, first)
    return _moved(tx, [*decisions, first], rollout)


def pause(store: Store, model: str, *, by: str, reason: str = "") -> Move:
    """Let no step end until it is resumed; its shares stay as they are, and the judge may still take it back.

    Raises:
        Conflict: when no rollout is under way, or it is paused already.
    """
    with store.db.write() as tx:
        rollout = _under_way(tx, model)
        if rollout.status == "paused":
            raise Conflict(f"The rollout of {_name(rollout)} is paused already.")
        add_event(tx, rollout, "paused", by=by, reason=reason or "paused")
        return Move([], None, rollout.id)


def resume(store: Store, model: str, *, by: str, reason: str = "") -> Move:
    """Let a paused rollout go on, or one that is held in spite of what it is held for.

    What the judge holds for is then accepted once for all, wanting requests are for the step it is in.

    Raises:
        Conflict: when no rollout is under way, or it is neither paused nor held.
    """
    with store.db.write() as tx:
        rollout = _under_way(tx, model)
        why = held_for(rollout)
        if rollout.status == "paused":
            add_event(tx, rollout, "resumed", by=by, reason=reason or "resumed")
        elif why:
            add_event(tx, rollout, "accepted", by=by, reason=reason or "accepted", figures={"why": why})
        else:
            raise Conflict(f"The rollout of {_name(rollout)} is neither paused nor held: it goes on.")
        return Move([], None, rollout.id)


def promote(store: Store, model: str, *, by: str, reason: str = "") -> Move:
    """Give the release that is being rolled out all of its model's traffic now.

    Raises:
        Conflict: when no rollout is under way.
        GateClosed: when its checks do not open the gate any more.
    """
    with store.db.write() as tx:
        rollout = _under_way(tx, model)
        reason = reason or f"promoted in step {rollout.step} of its rollout"
        return lifecycle.go_live(tx, _candidate(tx, rollout), by=by, reason=reason, evidence=_about(rollout))


def abort(store: Store, model: str, *, by: str, reason: str = "") -> Move:
    """End a rollout: the live release has all of the traffic again, and the candidate is `passed`, as it was before.

    Raises:
        Conflict: when no rollout is under way.
    """
    with store.db.write() as tx:
        rollout = _under_way(tx, model)
        reason = reason or f"its rollout was aborted in step {rollout.step}"
        decision = decide(tx, _candidate(tx, rollout), "passed", by=by, reason=reason, evidence=_about(rollout))
        add_event(tx, rollout, "aborted", by=by, reason=reason, decision=decision.id)
        return Move([decision], only_live(tx, rollout.model, decision), rollout.id)


def record(store: Store, rollout: Rollout, look: Look, state: str, then: str = "", why: str = "") -> Move:
    """Keep a look, and do what follows from it, in one transaction.

    Args:
        rollout: as it was when the look was taken.
        look: its place and time are set here.
        state: what is to be known at the next look.
        then: `hold`, `go on` (it no longer holds), `advance` (its step is over), `roll back`; empty: nothing.
        why: of `hold`: `judge`, a person is asked; `requests`, the step is over but for them; `gate`.

    Raises:
        Conflict: when somebody moved the rollout since, or looked; nothing is kept then.
        GateClosed: when a release that is to get requests may not have any; nothing is kept then.
    """
    with store.db.write() as tx:
        expect_unmoved(tx, rollout)
        place = add_look(tx, rollout, look, state)
        reason = "; ".join(look.reasons)
        figures = {"look": place, **look.figures}
        if then == "hold":
            add_event(tx, rollout, "held", by="plusone", reason=reason, figures={**figures, "why": why})
        elif then == "go on":
            add_event(tx, rollout, "went on", by="plusone", reason=reason, figures=figures)
        elif then == "advance":
            return _advance(tx, rollout, reason, figures)
        elif then == "roll back":
            return lifecycle.roll_back_rollout(tx, rollout, by="plusone", reason=reason, evidence=figures)
        return Move([], None, rollout.id)


def _advance(tx: Transaction, rollout: Rollout, why: str, figures: dict[str, Any]) -> Move:
    candidate = _candidate(tx, rollout)
    about = {**_about(rollout), **figures}
    if rollout.step == len(rollout.plan):
        reason = f"its rollout is over: {why}" if why else "its rollout is over"
        return lifecycle.go_live(tx, candidate, by="plusone", reason=reason, evidence=about)
    rollout = msgspec.structs.replace(rollout, step=rollout.step + 1)
    step = rollout.plan[rollout.step - 1]
    reason = f"step {rollout.step} of {len(rollout.plan)} of its rollout: {step_text(step)}"
    if why:
        reason = f"{reason}; {why}"
    decision = decide(tx, candidate, step.kind, by="plusone", reason=reason, evidence={**about, "step": rollout.step})
    add_event(tx, rollout, "step", by="plusone", reason=reason, figures=figures, decision=decision.id)
    _write_step(tx, rollout, candidate, decision)
    return _moved(tx, [decision], rollout)


def _write_step(tx: Transaction, rollout: Rollout, candidate: Release, decision: Decision) -> None:
    step = rollout.plan[rollout.step - 1]
    releases = list_releases(tx, rollout.model)
    live = next(one for one in releases if one.stage == "live")
    previous = next((one for one in releases if one.stage == "previous"), None)
    if step.kind == "shadow":
        shares, shadow = [(live, 1.0)], (candidate, step.share)
    else:
        shares, shadow = [(live, 1.0 - step.share), (candidate, step.share)], None
    write_route(tx, rollout.model, shares, previous=previous, shadow=shadow, decision=decision)


def _moved(tx: Transaction, decisions: list[Decision], rollout: Rollout) -> Move:
    return Move(decisions, lifecycle.current_route(tx, rollout.model), rollout.id)


def _check_stage(release: Release) -> None:
    name = f"{release.model}@{release.number}"
    if release.stage == "live":
        raise Conflict(f"{name} is live already.")
    if release.stage in ("shadow", "canary"):
        raise Conflict(f"{name} is being rolled out already.", mend=f"plusone rollout {release.model}")
    if release.stage in ("rolled back", "rejected"):
        raise Conflict(
            f"{name} was {release.stage}: it does not go live again by itself.",
            mend=f"plusone release  (makes the next one), or plusone promote {name} --override --reason 'why'",
        )
    if release.stage in ("previous", "retired"):
        raise Conflict(
            f"{name} was live before: it needs no rollout.",
            mend=f"plusone rollback {name}  (if the live one is bad), or plusone promote {name}",
        )


def _under_way(tx: Transaction, model: str) -> Rollout:
    model = pick_model(tx, model)
    rollout = open_rollout(tx, model)
    if rollout is None:
        raise Conflict(f"No rollout of {model} is under way.", mend=f"plusone rollout {model}")
    return rollout


def _candidate(tx: Transaction, rollout: Rollout) -> Release:
    found = [one for one in list_releases(tx, rollout.model) if one.number == rollout.release]
    if not found:
        raise NotFound(f"There is no {_name(rollout)}.")
    return found[0]


def _name(rollout: Rollout) -> str:
    return f"{rollout.model}@{rollout.release}"


def _about(rollout: Rollout) -> dict[str, Any]:
    return {"rollout": rollout.id, "step": rollout.step}
