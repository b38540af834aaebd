"""What was counted of two releases since a rollout began: sums over machines that come, go and begin to count anew.

Each machine counts for itself, from the first request on. What it counted at the first look is passed over; after that
the sum grows by what each machine's counts grew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from ..base.rollouts import Evidence
from ..monitoring.judge import JudgeState

__all__ = ["Beside", "LabelCounts", "State", "added", "count", "grown", "plus", "read"]


class Beside(msgspec.Struct, frozen=True):
    """What the live release and the candidate did."""

    live: Evidence = Evidence()
    candidate: Evidence = Evidence()


class LabelCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many predictions of each release have a label, and how many of those were wrong."""

    live: int = 0
    live_wrong: int = 0
    candidate: int = 0
    candidate_wrong: int = 0
    live_off: dict[str, int] = {}
    """Of predictions that are numbers, how many lie how far from their labels: see `monitoring.judged.bin_of`."""
    candidate_off: dict[str, int] = {}
    upto: tuple[str, str] = ("", "")
    """When the last label came that was looked at, and its prediction."""
    at: str = ""
    """When they were looked at."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known at the next look of a rollout, whichever process takes it."""

    step: int = 0
    """The step it is about, from 1; 0: there was no look yet."""
    kind: Literal["", "shadow", "canary"] = ""
    judge: JudgeState | None = None
    total: Beside = Beside()
    """Since the first look at steps of this kind."""
    places: dict[str, Beside] = {}
    """What each machine had counted at the newest look."""
    began_at: str = ""
    """When the first look at the step was taken."""
    first_requests: int = 0
    """The candidate's requests when the step began."""
    served_s: float = 0.0
    """How long the step was served by all workers, not counting pauses."""
    counting: bool = False
    """Whether that time went on at the newest look."""
    at: str = ""
    labels: LabelCounts = LabelCounts()


class Counted(NamedTuple):
    """The sum, and what each machine has counted now."""

    total: Beside
    places: dict[str, Beside]


def read(text: str) -> State:
    """Return the state that was kept as `text`; a new one for none, and for what another version of plusone wrote."""
    try:
        return msgspec.json.decode(text, type=State) if text else State()
    except msgspec.MsgspecError:
        return State()


def count(state: State, now: Mapping[str, Beside]) -> Counted:
    """Return the sum as of now, and what each machine has counted; one that says nothing keeps what it had."""
    total = state.total
    places = dict(state.places)
    for place, seen in now.items():
        before = places.get(place, seen)
        places[place] = seen
        total = Beside(
            live=plus(total.live, grown(before.live, seen.live)),
            candidate=plus(total.candidate, grown(before.candidate, seen.candidate)),
        )
    return Counted(total, places)


def plus(a: Evidence, b: Evidence) -> Evidence:
    """Return the sum of two machines' counts."""
    return Evidence(**{name: _plus(getattr(a, name), getattr(b, name)) for name in Evidence.__struct_fields__})


def grown(before: Evidence, now: Evidence) -> Evidence:
    """Return by how much counts grew. Counts that became less were begun anew: then it is all that is there now."""
    if any(_size(getattr(now, name)) < _size(getattr(before, name)) for name in Evidence.__struct_fields__):
        return now
    return Evidence(**{name: _minus(getattr(now, name), getattr(before, name)) for name in Evidence.__struct_fields__})


def added(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Return two histograms as one."""
    return {key: a.get(key, 0) + b.get(key, 0) for key in {**a, **b}}


def _size(value: int | dict[str, int]) -> int:
    return sum(value.values()) if isinstance(value, dict) else value


def _plus(a: Any, b: Any) -> Any:
    if isinstance(a, int):
        return a + b
    return added(a, b)


def _minus(a: Any, b: Any) -> Any:
    if isinstance(a, int):
        return a - b
    return {key: more for key, value in a.items() if (more := value - b.get(key, 0)) > 0}
