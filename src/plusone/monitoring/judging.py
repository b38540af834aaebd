"""What the judge of rollouts goes by, is told, remembers and answers: its records."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from ..base.records import Record
from ..base.rollouts import Evidence
from ..evalues.comparison import Answers, Rates, Times

__all__ = ["BACK", "JudgeState", "Judging", "LabelEvidence", "Verdict", "evidence_of"]

Share = Annotated[float, Meta(ge=0, lt=1)]
Chance = Annotated[float, Meta(gt=0, lt=1)]

BACK = ("errors", "invalid", "latency", "labels")
"""What a candidate is rolled back for."""


class Judging(Record, frozen=True, kw_only=True):
    """How sure the judge has to be, and what it puts up with."""

    alpha: Chance = 0.05
    """Of candidates that are no worse than live, at most this share is rolled back."""
    alpha_tolerated: Chance = 0.1
    """Of candidates that are worse in one respect, and by no more than is tolerated there, at most this share is rolled
    back for it."""
    errors_tolerance: Share = 0.001
    """The share of what live answers that a candidate may fail in addition."""
    invalid_tolerance: Share = 0.001
    """The share of live's valid answers that may be invalid in addition."""
    labels_tolerance: Share = 0.01
    """The share of what live gets right that a candidate may get wrong."""
    distance_tolerance: Annotated[float, Meta(ge=0, le=100)] = 0.09
    """How much farther from their labels a candidate's numbers may lie, 0.09 for 9 %; rounded up to a whole number of
    eighths of a doubling."""
    latency_tolerance: Annotated[float, Meta(ge=0, le=100)] = 0.09
    """How much longer a candidate may take, 0.09 for 9 %; rounded up to a whole number of eighths of a doubling."""
    latency_floor_s: Annotated[float, Meta(ge=1e-6, le=1000)] = 0.001
    """Times below it count as equal, and by so much a candidate may be slower, however short times are: which of two
    models waits for the other decides there, and a process that is asked less often is a little colder."""
    warm_up_looks: Annotated[int, Meta(ge=0)] = 5
    """Looks from the candidate's first answer on whose times count together for no more than a single look may."""
    expected_shift: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """How far the answers may lie from live's before a person is asked: total variation distance, 0 to 1."""


class LabelEvidence(Record, frozen=True, kw_only=True):
    """Labelled predictions since the rollout began: only those made while both releases were asked."""

    live: int = 0
    live_wrong: int = 0
    candidate: int = 0
    candidate_wrong: int = 0
    live_off: dict[str, int] = field(default_factory=dict)
    """Of predictions that are numbers, how many lie how far from their labels: see `judged.bin_of`."""
    candidate_off: dict[str, int] = field(default_factory=dict)


class Verdict(Record, frozen=True, kw_only=True):
    """What a look comes to."""

    action: Literal["go on", "hold", "roll back"]
    reasons: tuple[str, ...]
    """Sentences for people: of a rollback and a hold what they are for, otherwise how each comparison stands."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Counts, rates and e-values of each comparison, as JSON."""


class JudgeState(Record, frozen=True, kw_only=True):
    """What has to be remembered from one look to the next; as JSON some kilobytes."""

    live: Evidence = Evidence()
    """What was counted at the look before."""
    candidate: Evidence = Evidence()
    label_counts: LabelEvidence = LabelEvidence()
    looks: int = 0
    warm: int = 0
    """Looks since the candidate's first time of its own."""
    behind: int = 0
    """Looks in a row at which counts were lower than before."""
    folded: bool = False
    """Whether there are so many different answers that some are counted together."""
    errors: Rates = Rates()
    invalid: Rates = Rates()
    labels: Rates = Rates()
    off: Times = Times()
    """How far numbers lie from their labels: judged with the labels, as one."""
    latency: Times = Times()
    outputs: Answers = Answers()
    decided: dict[str, str] = field(default_factory=dict)
    """What the candidate is rolled back for, with the sentence that said so first."""


def evidence_of(state: JudgeState, name: str) -> tuple[float, float]:
    """Return the two log e-values. Those of classes and of numbers multiply: each row is one or the other, and which
    release answered it was left to chance for each by itself."""
    equal, tolerated = getattr(state, name).evidence()
    if name != "labels":
        return equal, tolerated
    more = state.off.evidence()
    return equal + more[0], tolerated + more[1]
