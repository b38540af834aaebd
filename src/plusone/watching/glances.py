"""A project at one moment. Plain values, written as JSON with these keys."""

from __future__ import annotations

from typing import Literal

from ..app.views import Served
from ..base.records import Record, ServerReport, Stage, WorkerReport
from ..base.rollouts import Rollout

__all__ = ["Glance", "ModelGlance", "Traffic"]


class Traffic(Record, frozen=True):
    """One release in a route, and what it did within the last seconds. Of a shadow its copies count."""

    release: int
    stage: Stage | Literal[""]
    share: float
    shadow: float
    requests_s: float = 0.0
    """Requests a second."""
    error_rate: float | None = None
    """The share of them that the release failed (500 and more); None when there were none."""
    p50_s: float | None = None
    """The time from head to answer, in seconds; None when none was answered."""
    p99_s: float | None = None


class ModelGlance(Record, frozen=True):
    """One model at one moment."""

    model: str
    version: int | None
    """Of its route; None when it has none."""
    served: Served | None
    releases: tuple[Traffic, ...]
    rollout: Rollout | None
    """The one that is under way, or ended within the last hour."""


class Glance(Record, frozen=True):
    """A project at one moment: what is served, and what it does."""

    at: str
    project: str
    models: tuple[ModelGlance, ...]
    servers: tuple[ServerReport, ...]
    """What the store knows of; empty while it can't be asked."""
    workers: tuple[WorkerReport, ...]
    """The living workers of this machine, whatever the store says."""
    problems: tuple[str, ...]
    """What can't be had now, e.g. the store; what was last known is shown meanwhile."""
