"""Rollouts: their steps, what happened to them, and what they are judged by."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from .records import Record

__all__ = ["Evidence", "Look", "Rollout", "RolloutEvent", "RolloutStatus", "RolloutStep"]

RolloutStatus = Literal["running", "held", "paused", "promoted", "rolled back", "aborted", "superseded"]


class Evidence(Record, frozen=True, kw_only=True):
    """What one release did, counted from the first request on by every worker of a machine: each number only grows,
    unless the file of a worker was damaged, or 32 other releases of the model were asked since.

    Requests that were refused because of their caller (400 to 499, and 429: more than may wait) are in none of the
    numbers. Nor are those whose caller chose the release: the evidence is of what the shares of the route gave to it,
    so that releases are compared on the same traffic. Evidence of a shadow is that of its copies.
    """

    requests: int = 0
    """Requests that the release was to answer: answered, or failed with a status of 500 and more."""
    errors: int = 0
    """Those that it failed: 500, what it raised; 504, what took too long; 503, what waited too long behind others of
    the same release, or what the process for big bodies could not answer. Of a shadow: copies that it raised at, or
    took too long for; one that does not fit its signature is none."""
    rows: int = 0
    """Rows that were answered and looked at: all but those of bodies over 256 KiB and of Arrow, which another process
    answers."""
    invalid: int = 0
    """Those whose answer can't be: no finite number, no probability (0 to 1), no known class."""
    latency: dict[str, int] = field(default_factory=dict)
    """Answered requests by the time from head to answer: the key is floor(8 log2(seconds)), as text, -160 to 80. Of a
    shadow, the time of the run that a copy was in: nothing that a live release's times can be compared with."""
    outputs: dict[str, int] = field(default_factory=dict)
    """Answered rows by what was answered. The key is a class and the twentieth of its probability, or the bucket of a
    number; what it means is for people: keys of two releases of one model are equal or not."""
    compared: int = 0
    """Rows of a shadow whose answer was compared with the one that was given."""
    differing: int = 0
    """Those that differ: another class, or a number that is off by more than a hundredth."""


class RolloutStep(Record, frozen=True, kw_only=True):
    """One step of a plan. It ends when it was served for its time and the candidate had its requests."""

    kind: Literal["shadow", "canary"]
    share: float
    """Of a canary the share of the requests that it answers, of a shadow that of the requests copied to it; 0 to 1."""
    duration_s: float
    """How long all workers serve it, at least."""
    least_requests: int = 100
    """How many requests the candidate gets in it, at least: without traffic nothing goes on."""


class Look(Record, frozen=True, kw_only=True):
    """What the judge saw at one moment, and what it made of it."""

    seq: int
    """Its place among the events of the rollout."""
    at: str
    step: int
    """The step it was taken in, from 1."""
    action: Literal["go on", "hold", "roll back"]
    reasons: tuple[str, ...] = ()
    served_s: float = 0.0
    """How long the step had been served by all workers, not counting pauses."""
    requests: int = 0
    """The candidate's requests in this step."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What was counted of both releases since the rollout began, and the tests' results."""


class RolloutEvent(Record, frozen=True, kw_only=True):
    """Something that happened to a rollout. Events are only ever added; looks are events, too, and shown apart."""

    seq: int
    at: str
    kind: Literal[
        "began",
        "step",
        "paused",
        "resumed",
        "held",
        "went on",
        "accepted",
        "promoted",
        "rolled back",
        "aborted",
        "superseded",
    ]
    """`held`: the judge asks a person, or requests are wanting; `went on`: no longer; `accepted`: a person said to go
    on all the same."""
    step: int
    """The step it was in afterwards, from 1."""
    by: str
    reason: str
    figures: dict[str, Any] = field(default_factory=dict)
    decision: str = ""
    """The id of the decision that moved the candidate; empty when nothing moved."""


class Rollout(Record, frozen=True, kw_only=True):
    """A release on its way to all of its model's traffic, step by step, judged beside the live release."""

    id: str
    model: str
    release: int
    """The candidate."""
    digest: str
    live: int
    """The live release that it is compared with; it does not change while the rollout is under way."""
    plan: tuple[RolloutStep, ...]
    by: str
    reason: str
    begun_at: str
    status: RolloutStatus = "running"
    """What its events come to. `running`, `held` and `paused` are under way, the others are ends. `held`: the judge
    asks a person, or the step is over but for requests; the newest look says why."""
    step: int = 1
    """The step it is in, or was in when it ended; from 1."""
    ended_at: str | None = None
    look: Look | None = None
    """The newest look."""
    looks: int = 0
    """How many looks were kept."""
    events: tuple[RolloutEvent, ...] = ()
    """What happened to it, the oldest first, without the looks."""
