"""Carries rollouts on: once a second it looks at what was counted, asks the judge, keeps the look, and moves.

All that it knows is in the store, so that any control process may look, and goes on where another was killed. Several
on one store do no harm: a look that was taken of an older state is refused.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..app.following import current_servers, served_now
from ..base import clock
from ..base.errors import BrokenArtifact, Conflict, GateClosed
from ..base.records import Output
from ..base.rollouts import Evidence, Look, Rollout, RolloutStep
from ..evidence.evidence import Seen, read_evidence
from ..monitoring.judge import Judging, LabelEvidence, Verdict, look
from ..monitoring.judged import judge_labels
from ..packaging import keeping
from ..release import counting
from ..release.counting import Beside, LabelCounts, State
from ..release.events import held_for, is_accepted, open_rollouts, read_state
from ..release.gate import newest_session
from ..release.lifecycle import current_route
from ..release.rollout import record
from ..store import Store

__all__ = ["Rolling"]

OnEvent = Callable[[dict[str, Any]], None]
_LABELS_S = 10.0
_LABELS_LATE_S = 5.0
_GAP_S = 15.0
_LOOKS_OF_A_STEP = 600.0
_SELDOM_S = 10.0
_OFTEN_S = 1.0


class _Said(msgspec.Struct, frozen=True):
    """What a machine says in the store of the releases that are compared: by `MODEL@N`."""

    place: str
    served: dict[str, Evidence] = {}
    shadow: dict[str, Evidence] = {}


class Rolling:
    """The rollouts of one store, as one machine carries them on.

    Args:
        folder: the serving folder, where the workers of this machine write what they count.
        judging: how sure the judge has to be.
        now: the present time, as `clock.now` writes it.

    Attributes:
        said: what this machine counted, for others, as JSON: it goes into the store with the heartbeat.
    """

    def __init__(self, store: Store, folder: Path, judging: Judging, *, now: Callable[[], str] = clock.now) -> None:
        self.store = store
        self.folder = folder
        self.judging = judging
        self.now = now
        self.place = f"{socket.gethostname()}:{folder.resolve()}"
        self.said = "{}"

    def turn(self, on_event: OnEvent) -> None:
        """Take a look at every rollout that is under way, and do what follows."""
        rollouts = open_rollouts(self.store.db)
        if not rollouts:
            self.said = "{}"
            return
        seen = read_evidence(self.folder)
        mine = _said(self.place, seen, rollouts)
        self.said = msgspec.json.encode(mine).decode()
        all_said = self._others() | {self.place: mine}
        for rollout in rollouts:
            try:
                self._look(rollout, all_said, on_event)
            except Conflict:
                pass  # a person or another process was quicker: the next turn sees what came of it

    def _others(self) -> dict[str, _Said]:
        """Return what every machine said last; one whose plusone says it in another way says nothing."""
        said: dict[str, _Said] = {}
        for row in self.store.db.all("server_evidence"):
            with contextlib.suppress(msgspec.MsgspecError):
                one = msgspec.json.decode(row["evidence"], type=_Said)
                said[one.place] = one
        return said

    def _look(self, rollout: Rollout, said: dict[str, _Said], on_event: OnEvent) -> None:
        kept = read_state(self.store.db, rollout)
        if kept is None:
            return
        state = counting.read(kept)
        step = rollout.plan[rollout.step - 1]
        fresh = self._counted(rollout, step, state, said)
        settings = self._settings(rollout)
        total = fresh.total
        judged, verdict = look(fresh.judge, settings, total.live, total.candidate, _labels(fresh.labels))
        fresh = msgspec.structs.replace(fresh, judge=judged)
        found, then, why = _conclude(rollout, step, fresh, verdict)
        if then or self._is_due(rollout, found, state, fresh):
            self._keep(rollout, found, fresh, then, why, on_event)

    # -------------------------------------------------------------------------------------------- what is known

    def _counted(self, rollout: Rollout, step: RolloutStep, state: State, said: dict[str, _Said]) -> State:
        """Return the state as of now, but for what the judge makes of it."""
        now = self.now()
        counts = {place: _beside(one, rollout, step) for place, one in said.items()}
        if state.kind != step.kind:
            state = State(kind=step.kind, places=counts, labels=state.labels)
        total, places = counting.count(state, counts)
        if state.step != rollout.step:
            state = msgspec.structs.replace(
                state,
                step=rollout.step,
                began_at=now,
                first_requests=total.candidate.requests,
                served_s=0.0,
                counting=False,
            )
        goes_on = rollout.status != "paused" and self._is_served(rollout)
        passed = _seconds(state.at, now) if goes_on and state.counting and not _was_paused(rollout) else 0.0
        return msgspec.structs.replace(
            state,
            total=total,
            places=places,
            served_s=round(state.served_s + min(max(passed, 0.0), _GAP_S), 3),
            counting=goes_on,
            at=now,
            labels=self._label_counts(rollout, state.labels, now),
        )

    def _is_served(self, rollout: Rollout) -> bool:
        route = current_route(self.store.db, rollout.model)
        return route is not None and served_now(current_servers(self.store), route).state == "served"

    def _label_counts(self, rollout: Rollout, counts: LabelCounts, now: str) -> LabelCounts:
        """Return the counts with the labels that came since, now and then: it reads predictions."""
        if rollout.plan[rollout.step - 1].kind == "shadow" or (counts.at and _seconds(counts.at, now) < _LABELS_S):
            return counts
        since = _answering_since(rollout)
        found = judge_labels(
            self.store,
            rollout.model,
            {number: self._output(rollout.model, number) for number in (rollout.live, rollout.release)},
            since=since,
            place=counts.upto if counts.at else (since, ""),
            until=_before(now, _LABELS_LATE_S),
        )
        return LabelCounts(
            live=counts.live + found.labelled.get(rollout.live, 0),
            live_wrong=counts.live_wrong + found.wrong.get(rollout.live, 0),
            candidate=counts.candidate + found.labelled.get(rollout.release, 0),
            candidate_wrong=counts.candidate_wrong + found.wrong.get(rollout.release, 0),
            live_off=counting.added(counts.live_off, found.off.get(rollout.live, {})),
            candidate_off=counting.added(counts.candidate_off, found.off.get(rollout.release, {})),
            upto=found.place,
            at=now,
        )

    def _output(self, model: str, number: int) -> Output | None:
        """Return what a release answers; None where that is lost."""
        row = self.store.db.one("release_get", model=model, number=number)
        try:
            return keeping.describe(row["package"], self.store.blobs).signature.output if row else None
        except (BrokenArtifact, msgspec.MsgspecError):
            return None

    def _settings(self, rollout: Rollout) -> Judging:
        """Return what the judge goes by: shadow and canary each have their part of the error rate."""
        kinds = {step.kind for step in rollout.plan}
        chosen = self.judging
        return msgspec.structs.replace(
            chosen,
            alpha=chosen.alpha / len(kinds),
            alpha_tolerated=chosen.alpha_tolerated / len(kinds),
            expected_shift=min(1.0, chosen.expected_shift + _expected_shift(self.store, rollout.digest)),
        )

    # -------------------------------------------------------------------------------------------- what is kept

    def _is_due(self, rollout: Rollout, found: Look, before: State, now: State) -> bool:
        """Say whether a look that nothing follows from is kept: where something changes, once a second; of a step that
        goes on for long less often, down to every ten seconds."""
        newest = rollout.look
        if newest is None or (newest.step, newest.action) != (found.step, found.action):
            return True
        if before.counting != now.counting:
            return True
        often = min(max(_seconds(now.began_at, now.at) / _LOOKS_OF_A_STEP, _OFTEN_S), _SELDOM_S)
        changed = (before.total, before.labels) != (now.total, now.labels)
        return abs(_seconds(before.at, now.at)) >= (often if changed else _SELDOM_S)

    def _keep(self, rollout: Rollout, found: Look, state: State, then: str, why: str, on_event: OnEvent) -> None:
        text = msgspec.json.encode(state).decode()
        try:
            record(self.store, rollout, found, text, then, why)
        except GateClosed as error:
            found = msgspec.structs.replace(found, action="hold", reasons=(error.message,))
            then, why = "" if held_for(rollout) == "gate" else "hold", "gate"
            if not then and found.action == (rollout.look and rollout.look.action):
                return
            record(self.store, rollout, found, text, then, why)
        told = {
            "event": "rollout",
            "model": rollout.model,
            "release": rollout.release,
            "step": rollout.step,
            "steps": len(rollout.plan),
        }
        if rollout.look is None:
            on_event({**told, "did": "begin", "why": rollout.reason})
        if then:
            on_event({**told, "did": then, "why": "; ".join(found.reasons)})


def _conclude(rollout: Rollout, step: RolloutStep, state: State, verdict: Verdict) -> tuple[Look, str, str]:
    """Return the look, what follows from it, and why it holds."""
    requests = state.total.candidate.requests - state.first_requests
    held = held_for(rollout)
    over, enough = state.served_s >= step.duration_s, requests >= step.least_requests
    action, reasons, then, why = verdict.action, verdict.reasons, "", ""
    if action == "hold" and is_accepted(rollout, "judge"):
        action, reasons = "go on", tuple(f"accepted: {one}" for one in reasons)
    if action == "roll back":
        then = "roll back"
    elif action == "hold":
        why = "judge"
    elif over and not enough and not is_accepted(rollout, "requests"):
        action, why = "hold", "requests"
        missing = f"the candidate had {requests:,} requests of at least {step.least_requests:,}"
        reasons = (f"step {rollout.step} of {len(rollout.plan)} was served long enough, but {missing}",)
    elif over and rollout.status != "paused":
        then = "advance"
    elif held and not over:
        then = "go on"
    if action == "hold" and held != why:
        then = "hold"
    found = Look(
        seq=0,
        at="",
        step=rollout.step,
        action=action,
        reasons=reasons,
        served_s=state.served_s,
        requests=requests,
        figures=verdict.figures,
    )
    return found, then, why


def _said(place: str, seen: Seen, rollouts: Iterable[Rollout]) -> _Said:
    wanted = [(one.model, number) for one in rollouts for number in (one.live, one.release)]
    served = {
        f"{model}@{number}": seen.served[model, number] for model, number in wanted if (model, number) in seen.served
    }
    shadow = {
        f"{model}@{number}": seen.shadow[model, number] for model, number in wanted if (model, number) in seen.shadow
    }
    return _Said(place, served, shadow)


def _beside(said: _Said, rollout: Rollout, step: RolloutStep) -> Beside:
    live = said.served.get(f"{rollout.model}@{rollout.live}", Evidence())
    candidate = (said.shadow if step.kind == "shadow" else said.served).get(f"{rollout.model}@{rollout.release}")
    if candidate is not None and step.kind == "shadow":
        # Copies wait until there is room for them: how long they took says nothing of the release.
        candidate = msgspec.structs.replace(candidate, latency={})
    return Beside(live=live, candidate=candidate or Evidence())


def _was_paused(rollout: Rollout) -> bool:
    """Say whether it was paused or resumed since the newest look: the time between is passed over then."""
    newest = rollout.look.seq if rollout.look else 0
    return any(event.seq > newest for event in rollout.events if event.kind in ("paused", "resumed"))


def _answering_since(rollout: Rollout) -> str:
    """Return when its first step as a canary began: from then on both releases answer."""
    steps = [event for event in rollout.events if event.kind in ("began", "step")]
    return next(event.at for event in steps if rollout.plan[event.step - 1].kind == "canary")


def _labels(counts: LabelCounts) -> LabelEvidence | None:
    if not (counts.candidate or counts.live or counts.candidate_off or counts.live_off):
        return None
    return LabelEvidence(
        live=counts.live,
        live_wrong=counts.live_wrong,
        candidate=counts.candidate,
        candidate_wrong=counts.candidate_wrong,
        live_off=counts.live_off,
        candidate_off=counts.candidate_off,
    )


def _expected_shift(store: Store, digest: str) -> float:
    """Return how far the candidate's answers lay from the live release's in its checks, 0 to 1; 0 if none says."""
    session = newest_session(store.db, digest)
    found = [one.get("prediction_shift") for check in (session.checks if session else ()) for one in check.measured]
    return max((float(one) for one in found if isinstance(one, (int, float))), default=0.0)


def _seconds(before: str, after: str) -> float:
    return (clock.parse(after) - clock.parse(before)).total_seconds()


def _before(moment: str, seconds: float) -> str:
    return (clock.parse(moment) - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
