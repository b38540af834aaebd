"""The stages of a release, moved by decisions: promote, roll back, reject, and take back what could not be loaded.

Every move is one transaction: the decisions, and the next route version if traffic moves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.ids import new_id, parse_target
from ..base.records import Decision, Release, Route, Stage
from ..base.rollouts import Rollout
from ..store import Store
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row
from .events import add_event, open_rollout
from .gate import gate_problems, may_take_traffic, write_route

__all__ = [
    "Move",
    "current_route",
    "decide",
    "find_release",
    "go_live",
    "list_releases",
    "only_live",
    "pick_model",
    "promote",
    "reject",
    "roll_back",
    "roll_back_rollout",
    "supersede",
    "take_back",
]

_WAS_LIVE: tuple[Stage, ...] = ("live", "previous", "retired")


class Move(NamedTuple):
    """What a move did: its decisions in order, and the route version that it wrote (None when no traffic moved)."""

    decisions: list[Decision]
    route: Route | None
    rollout: str = ""
    """The id of the rollout that it began, moved or ended; empty when there was none."""


def list_releases(db: Database | Transaction, model: str | None = None) -> list[Release]:
    """Return the releases of a model, or of all, by number, each with its stage."""
    return [from_row(Release, row) for row in db.all("release_list", model=model)]


def pick_model(db: Database | Transaction, model: str | None) -> str:
    """Return `model` if it has releases, or the only model that has.

    Raises:
        NotFound: when it has none.
        UsageError: when no model was named and there are several.
    """
    known = [row["model"] for row in db.all("model_list")]
    if model is None:
        if len(known) == 1:
            return known[0]
        if known:
            raise UsageError(
                f"Which model? There are {', '.join(known)}.",
                mend=f"name it as the command takes it: {known[0]}@live, {known[0]} or --model {known[0]}",
            )
        raise NotFound("There is no release yet.", mend="plusone release")
    if model not in known:
        raise NotFound(
            f"There is no release of a model {model!r}. Models: {', '.join(known) or 'none'}.", mend="plusone status"
        )
    return model


def find_release(db: Database | Transaction, target: str) -> Release:
    """Return the release that `MODEL@n`, `MODEL@live`, `@previous`, `MODEL` or a number names.

    Raises:
        NotFound: when there is none.
        Conflict: when it is a version registered through MLflow that is not packaged yet.
        UsageError: when the text names no release, or no model and there are several.
    """
    named, which = parse_target(target)
    model = pick_model(db, named)
    releases = list_releases(db, model)
    found = [r for r in releases if (str(r.number) == which.lstrip("0") if which.isdigit() else r.stage == which)]
    if not found:
        _check_candidate(db, model, which)
        have = ", ".join(f"{r.number} ({r.stage})" for r in releases)
        raise NotFound(f"There is no {model}@{which}. Releases: {have}.", mend=f"plusone status {model}")
    return found[0]


def _check_candidate(db: Database | Transaction, model: str, which: str) -> None:
    rows = db.all("version_list", model=model, number=int(which)) if which.isdigit() else []
    if any(row["deleted_at"] is None for row in rows):
        raise Conflict(
            f"{model}@{which} is a candidate that was registered through MLflow: it is not packaged, and no test has "
            "run on it.",
            mend=f"plusone release --from {model}@{which}",
        )


def current_route(db: Database | Transaction, model: str) -> Route | None:
    """Return the newest version of the model's route, or None."""
    row = db.one("route_newest", model=model)
    return from_row(Route, row) if row else None


def decide(
    tx: Transaction,
    release: Release,
    after: Stage,
    *,
    by: str,
    reason: str,
    override: bool = False,
    evidence: dict[str, Any] | None = None,
) -> Decision:
    """Add a decision that moves `release` to the stage `after`, and return it."""
    decision = Decision(
        id=new_id(),
        model=release.model,
        release=release.number,
        digest=release.digest,
        before=release.stage,
        after=after,
        by=by,
        reason=reason,
        at=clock.now(),
        override=override,
        evidence=evidence or {},
    )
    tx.execute("decision_add", **to_row(decision))
    return decision


def promote(store: Store, target: str, *, by: str, reason: str = "", override: bool = False) -> Move:
    """Give a release all of its model's traffic; the one that had it becomes the previous one.

    Args:
        override: go past a closed gate; needs a reason, and is recorded.

    Raises:
        GateClosed: when its checks do not open the gate.
        Conflict: when it is live already, was rolled back or rejected.
        UsageError: for an override without a reason.
    """
    if override and not reason.strip():
        raise UsageError("An override needs a reason.", mend=f"plusone promote {target} --override --reason 'why'")
    with store.db.write() as tx:
        release = find_release(tx, target)
        if release.stage == "live":
            raise Conflict(f"{release.model}@{release.number} is live already.")
        if release.stage in ("rolled back", "rejected") and not override:
            raise Conflict(
                f"{release.model}@{release.number} was {release.stage}: it does not go live again by itself.",
                mend=f"plusone release  (makes the next one), or plusone promote {target} --override --reason 'why'",
            )
        if override and not gate_problems(tx, release.digest) and release.stage not in ("rolled back", "rejected"):
            override = False  # nothing stood in the way, so nothing was overridden
        return go_live(tx, release, by=by, reason=reason or "promoted", override=override)


def go_live(
    tx: Transaction,
    release: Release,
    *,
    by: str,
    reason: str,
    override: bool = False,
    evidence: dict[str, Any] | None = None,
) -> Move:
    """Move `release` to live, and those before it one stage on, in the transaction `tx`.

    A rollout that is under way ends: promoted, when it is of this release, and superseded, when it is of another.
    """
    others = [one for one in list_releases(tx, release.model) if one.number != release.number]
    evidence = evidence or {"problems": gate_problems(tx, release.digest)}
    decisions = [first := decide(tx, release, "live", by=by, reason=reason, override=override, evidence=evidence)]
    rollout = open_rollout(tx, release.model)
    if rollout is not None and rollout.release == release.number:
        add_event(tx, rollout, "promoted", by=by, reason=reason, figures=evidence, decision=first.id)
    elif rollout is not None:
        decisions.append(supersede(tx, rollout, f"{release.model}@{release.number} went live"))
    live = next((one for one in others if one.stage == "live"), None)
    previous = live or _previous(tx, others, {release.number})
    why = f"{release.model}@{release.number} went live"
    for one in others:
        if one is previous and one.stage != "previous":
            decisions.append(decide(tx, one, "previous", by="plusone", reason=why))
        elif one is not previous and one.stage == "previous":
            decisions.append(decide(tx, one, "retired", by="plusone", reason=why))
    route = write_route(tx, release.model, [(release, 1.0)], previous=previous, decision=first)
    return Move(decisions, route, rollout.id if rollout else "")


def only_live(tx: Transaction, model: str, decision: Decision) -> Route:
    """Write a route in which the live release has all of the traffic, and the previous one stays warm."""
    by_stage = {one.stage: one for one in list_releases(tx, model)}
    return write_route(tx, model, [(by_stage["live"], 1.0)], previous=by_stage.get("previous"), decision=decision)


def supersede(tx: Transaction, rollout: Rollout, why: str) -> Decision:
    """End a rollout because something else has happened to its model; the candidate is `passed` again. The caller
    writes the route."""
    reason = f"its rollout ended in step {rollout.step}: {why}"
    decision = _move_candidate(tx, rollout, "passed", by="plusone", reason=reason)
    add_event(tx, rollout, "superseded", by="plusone", reason=reason, decision=decision.id)
    return decision


def roll_back_rollout(
    tx: Transaction, rollout: Rollout, *, by: str, reason: str, evidence: dict[str, Any] | None = None
) -> Move:
    """End a rollout: the candidate is rolled back, and the live release has all of the traffic again.

    Raises:
        GateClosed: when the live release may not have it. The transaction must be undone.
    """
    decision = _move_candidate(tx, rollout, "rolled back", by=by, reason=reason, evidence=evidence)
    add_event(tx, rollout, "rolled back", by=by, reason=reason, figures=evidence, decision=decision.id)
    return Move([decision], only_live(tx, rollout.model, decision), rollout.id)


def _move_candidate(
    tx: Transaction,
    rollout: Rollout,
    after: Stage,
    *,
    by: str,
    reason: str,
    evidence: dict[str, Any] | None = None,
) -> Decision:
    release = next(one for one in list_releases(tx, rollout.model) if one.number == rollout.release)
    about = {"rollout": rollout.id, "step": rollout.step, **(evidence or {})}
    return decide(tx, release, after, by=by, reason=reason, evidence=about)


def roll_back(store: Store, target: str | None = None, *, by: str, reason: str = "") -> Move:
    """Take the live release out of traffic and give it back to the previous one.

    While a rollout is under way, it is the candidate that is taken back, and the live release goes on; with another
    release as the target both go.

    Args:
        target: the model, or the release to go back to, e.g. `flights@2`; default: the previous one.

    Raises:
        Conflict: when there is nothing to go back to, or the target is live, was never live or was itself rolled back.
    """
    with store.db.write() as tx:
        named, which = parse_target(target) if target else (None, "live")
        model = pick_model(tx, named)
        releases = list_releases(tx, model)
        live = next((one for one in releases if one.stage == "live"), None)
        if live is None:
            raise Conflict(f"{model} has no live release to roll back.", mend=f"plusone status {model}")
        rollout = open_rollout(tx, model)
        if rollout is not None and which in ("live", str(live.number)):
            reason = reason or f"rolled back in step {rollout.step} of its rollout"
            return roll_back_rollout(tx, rollout, by=by, reason=reason)
        back = _back_to(tx, model, releases, live, which)
        decisions = [supersede(tx, rollout, f"{model}@{live.number} was rolled back")] if rollout else []
        why = reason or f"rolled back to {model}@{back.number}"
        decisions.append(decide(tx, live, "rolled back", by=by, reason=why))
        first = decide(tx, back, "live", by=by, reason=reason or f"rolled back from {model}@{live.number}")
        decisions.append(first)
        previous = _previous(tx, releases, {live.number, back.number})
        decisions += _shift_previous(tx, releases, previous, back, live)
        route = write_route(tx, model, [(back, 1.0)], previous=previous, decision=first)
        return Move(decisions, route, rollout.id if rollout else "")


def reject(store: Store, target: str, *, by: str, reason: str) -> Move:
    """Record that a person does not want this release to go live. If it is being rolled out, that ends.

    Raises:
        Conflict: when it is live or has been.
        UsageError: without a reason.
    """
    if not reason.strip():
        raise UsageError("A rejection needs a reason.", mend=f"plusone reject {target} --reason 'why'")
    with store.db.write() as tx:
        release = find_release(tx, target)
        rollout = open_rollout(tx, release.model)
        if rollout is not None and rollout.release == release.number:
            decision = _move_candidate(tx, rollout, "rejected", by=by, reason=reason)
            add_event(tx, rollout, "aborted", by=by, reason=f"rejected: {reason}", decision=decision.id)
            return Move([decision], only_live(tx, release.model, decision), rollout.id)
        if release.stage not in ("candidate", "passed", "failed"):
            raise Conflict(
                f"{release.model}@{release.number} is {release.stage}: only what has not been live can be rejected.",
                mend=f"plusone rollback {release.model}" if release.stage == "live" else "",
            )
        return Move([decide(tx, release, "rejected", by=by, reason=reason)], None)


def take_back(store: Store, model: str, version: int, *, error: str) -> Move | None:
    """Undo route `version`, which the servers could not load: the release served before gets the traffic again.

    If that one could not be loaded either, the one before it, and so on; with none left the model has no live release.
    A rollout that is under way ends: it is its candidate that came last, so the live release has all of the traffic.
    Returns None when the route has moved on since.
    """
    with store.db.write() as tx:
        newest = current_route(tx, model)
        if newest is None or newest.version != version or not newest.shares:
            return None
        releases = list_releases(tx, model)
        by_number = {one.number: one for one in releases}
        broken = by_number[newest.shares[0].release]
        why = f"route version {version} could not be loaded: {error}"
        rollout = open_rollout(tx, model)
        if rollout is not None and may_take_traffic(tx, broken):
            return roll_back_rollout(tx, rollout, by="plusone", reason=why, evidence={"error": error})
        back = _loadable_before(tx, newest, by_number)
        decisions = [supersede(tx, rollout, why)] if rollout else []
        first = decide(tx, broken, "rolled back", by="plusone", reason=why, evidence={"error": error})
        decisions.append(first)
        previous = None
        if back is not None:
            decisions.append(first := decide(tx, back, "live", by="plusone", reason=why))
            previous = _previous(tx, releases, {broken.number, back.number})
            decisions += _shift_previous(tx, releases, previous, back, broken)
        shares = [(back, 1.0)] if back else []
        route = write_route(tx, model, shares, previous=previous, decision=first)
        return Move(decisions, route, rollout.id if rollout else "")


def _loadable_before(tx: Transaction, route: Route, by_number: dict[int, Release]) -> Release | None:
    """Return what served before `route` and may serve again, skipping what could not be loaded: two releases that are
    both damaged must not take turns for ever."""
    decisions = tx.all("decision_list", model=route.model, release=None)
    newest = {row["release"]: from_row(Decision, row) for row in decisions}
    for row in reversed(tx.all("route_list", model=route.model)[: route.version - 1]):
        before = from_row(Route, row)
        release = by_number[before.shares[0].release] if before.shares else None
        if release is None or release.number == route.shares[0].release or "error" in newest[release.number].evidence:
            continue
        # What the servers have just served they go on with; further back, only what nobody has rolled back.
        welcome = release.stage in _WAS_LIVE or before.version == route.version - 1
        if welcome and may_take_traffic(tx, release):
            return release
    return None


def _back_to(tx: Transaction, model: str, releases: list[Release], live: Release, which: str) -> Release:
    if which.isdigit():
        back = find_release(tx, f"{model}@{which}")
        if back.number == live.number:
            raise Conflict(
                f"{model}@{back.number} is live already: there is nothing to roll back.",
                mend=f"plusone rollback {model}  (goes back to the release before it)",
            )
        if back.stage not in _WAS_LIVE:
            raise Conflict(
                f"{model}@{back.number} is {back.stage}: expected one that was live and was not rolled back.",
                mend=f"plusone promote {model}@{back.number}",
            )
        return back
    back = next((one for one in releases if one.stage == "previous"), None)
    if back is None:
        raise Conflict(
            f"{model}@{live.number} is live and no release was live before it: there is nothing to roll back to.",
            mend=f"plusone status {model}",
        )
    return back


def _previous(tx: Transaction, releases: list[Release], without: set[int]) -> Release | None:
    """Return the release that was live last, among those that were not rolled back since."""
    by_number = {one.number: one for one in releases if one.stage in _WAS_LIVE and one.number not in without}
    decisions = tx.all("decision_list", model=releases[0].model, release=None) if by_number else []
    for row in reversed(decisions):
        if row["after"] == "live" and row["release"] in by_number:
            return by_number[row["release"]]
    return None


def _shift_previous(
    tx: Transaction, releases: list[Release], previous: Release | None, back: Release, gone: Release
) -> list[Decision]:
    why = f"{gone.model}@{gone.number} was taken back to {back.model}@{back.number}"
    made = [
        decide(tx, one, "retired", by="plusone", reason=why)
        for one in releases
        if one.stage == "previous" and one.number != back.number and one is not previous
    ]
    if previous is not None and previous.stage != "previous":
        made.append(decide(tx, previous, "previous", by="plusone", reason=why))
    return made
