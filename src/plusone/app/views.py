"""What operations answer: records put together for one question. Plain values, written as JSON with these keys."""

from __future__ import annotations

from typing import Any, Literal

from ..base.records import (
    Artifact,
    Decision,
    Number,
    Package,
    Record,
    Release,
    Route,
    Run,
    ServerReport,
    Session,
    Stage,
    StepRun,
)
from ..base.rollouts import Rollout
from ..base.trusted import AskedType, ReleaseSignature

__all__ = [
    "Asked",
    "Curve",
    "Difference",
    "ExpectedTests",
    "ModelStatus",
    "Moved",
    "ReleaseDetail",
    "Report",
    "RouteDetail",
    "Routed",
    "RunDetail",
    "RunsDifference",
    "Served",
    "Shape",
    "Status",
]


class Served(Record, frozen=True):
    """Whether the servers follow a route version.

    `served`: every worker does. `not yet served`: no server is up. `waiting`: some did not within the time given.
    `taken back`: it could not be loaded, and the release before has the traffic again.
    """

    state: Literal["served", "not yet served", "waiting", "taken back"]
    workers: int = 0
    waited_s: float = 0.0
    message: str = ""


class ExpectedTests(Record, frozen=True):
    """What is expected of a step output, as a test file."""

    step: str
    rows: int
    """How many rows it was inferred from."""
    text: str
    """The file: plain pytest."""


class Moved(Record, frozen=True):
    """A change of stages: its decisions, the route version written, and whether it is served."""

    model: str
    release: int | None
    """The live release; of a rejection what was rejected."""
    decisions: tuple[Decision, ...]
    route: Route | None = None
    served: Served | None = None
    rollout: Rollout | None = None
    """The rollout that this began, moved or ended."""


class ModelStatus(Record, frozen=True):
    """One model: its releases and who takes the traffic."""

    model: str
    live: int | None
    previous: int | None
    route: Route | None
    served: Served | None
    releases: tuple[Release, ...]


class Routed(Record, frozen=True):
    """One release that the servers hold for a model, and what it gets of the model's requests."""

    release: int
    digest: str
    stage: Stage
    share: float
    """The share of the requests that it answers, 0 to 1."""
    shadow: float
    """The share of the requests of which it gets a copy, 0 to 1; nobody gets to see its answers."""
    made_at: str


class RouteDetail(Record, frozen=True):
    """Where a model's requests go now, and who serves it so."""

    model: str
    route: Route | None
    """None when no release of it was ever to be served."""
    releases: tuple[Routed, ...]
    """What takes traffic comes first, the largest share at the top."""
    decision: Decision | None
    """Who or what wrote this version of the route, and why."""
    served: Served | None
    servers: tuple[ServerReport, ...]


class Status(Record, frozen=True):
    """The project at a glance."""

    project: str
    models: tuple[ModelStatus, ...]
    servers: tuple[ServerReport, ...]


class ReleaseDetail(Record, frozen=True):
    """Everything about one release."""

    release: Release
    package: Package
    sessions: tuple[Session, ...]
    decisions: tuple[Decision, ...]
    signatures: tuple[ReleaseSignature, ...] = ()
    freed_at: str | None = None
    """When gc freed its files: what is left of it are its records."""


class Report(Record, frozen=True):
    """The report of a release, for people."""

    model: str
    release: int
    digest: str
    """That of the release."""
    html: str
    """The document: whole in itself, to be opened from disk."""


class Asked(Record, frozen=True):
    """What the package of a release asks for before it is loaded."""

    model: str
    release: int
    stage: Stage
    digest: str
    """That of the package: what a person trusts."""
    format: str
    types: tuple[AskedType, ...]
    """The types that are not known to be safe; empty: nobody has to trust anything."""
    trusted: bool


class Shape(Record, frozen=True):
    """A series at a glance. None stands for NaN and infinities, and where there is no number at all."""

    minimum: float | None
    maximum: float | None
    values: tuple[float | None, ...]
    """Up to 60 of its values, by step: the smallest and the largest of equal spans."""


class Curve(Record, frozen=True):
    """A series as it is drawn, sorted by step."""

    key: str
    steps: tuple[int, ...]
    values: tuple[Number, ...]
    times: tuple[float, ...]
    """Unix time in seconds."""


class RunDetail(Record, frozen=True):
    """Everything about one run."""

    run: Run
    steps: tuple[StepRun, ...]
    metrics: dict[str, float | None]
    """The last value of each; None stands for NaN and infinities, which JSON does not have."""
    sessions: tuple[Session, ...]
    series: dict[str, Shape]
    """What each series looks like; of the first 200 by name."""
    artifacts: tuple[Artifact, ...]


class RunsDifference(Record, frozen=True):
    """What differs between runs. Each part has only what differs: by name, one value for each run, in their order."""

    runs: tuple[str, ...]
    names: tuple[str, ...]
    settings: dict[str, list[Any]]
    metrics: dict[str, list[Any]]
    """The latest values; None where a run has none, text for NaN and infinities."""
    code: dict[str, list[Any]]
    """The commits, and the digests of files."""
    environment: dict[str, list[Any]]
    """The versions of packages."""


class Difference(Record, frozen=True):
    """What differs between two releases of a model; each part has only what differs."""

    model: str
    a: int
    b: int
    settings: dict[str, Any]
    code: dict[str, Any]
    environment: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    checks: dict[str, Any]
    signature: dict[str, Any]
