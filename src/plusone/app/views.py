"""What operations answer: records put together for one question. Plain values, written as JSON with these keys."""

from __future__ import annotations

from typing import Any, Literal

from ..base.records import (
    Decision,
    Package,
    Record,
    Release,
    Route,
    Run,
    ServerReport,
    Session,
    StepRun,
)

__all__ = ["Difference", "ModelStatus", "Moved", "ReleaseDetail", "RunDetail", "Served", "Status"]


class Served(Record, frozen=True):
    """Whether the servers follow a route version.

    `served`: every worker does. `not yet served`: no server is up. `waiting`: some did not within the time given.
    `taken back`: it could not be loaded, and the release before has the traffic again.
    """

    state: Literal["served", "not yet served", "waiting", "taken back"]
    workers: int = 0
    waited_s: float = 0.0
    message: str = ""


class Moved(Record, frozen=True):
    """A change of stages: its decisions, the route version written, and whether it is served."""

    model: str
    release: int | None
    decisions: tuple[Decision, ...]
    route: Route | None = None
    served: Served | None = None


class ModelStatus(Record, frozen=True):
    """One model: its releases and who takes the traffic."""

    model: str
    live: int | None
    previous: int | None
    route: Route | None
    served: Served | None
    releases: tuple[Release, ...]


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
    freed_at: str | None = None
    """When gc freed its files: what is left of it are its records."""


class RunDetail(Record, frozen=True):
    """Everything about one run."""

    run: Run
    steps: tuple[StepRun, ...]
    metrics: dict[str, float | None]
    """The last value of each; None stands for NaN and infinities, which JSON does not have."""
    sessions: tuple[Session, ...]


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
