"""What a report is made of: the records of one release, and of the release before it."""

from __future__ import annotations

from typing import Any

from msgspec import field

from ..base.records import Dataset, Decision, Package, Record, Release, Run, Session, StepRun
from ..base.rollouts import Rollout
from ..base.scored import Score
from ..base.trusted import ReleaseSignature

__all__ = ["Before", "Material"]


class Before(Record, frozen=True, kw_only=True):
    """The release that another one is told apart from: the newest earlier one that was live, or the one before it."""

    release: Release
    was_live: bool
    session: Session | None
    changes: dict[str, dict[str, Any]]
    """What differs, `[before, now]` for each thing, in parts: settings, code, environment, data, metrics, signature."""


class Material(Record, frozen=True, kw_only=True):
    """The records of one release that its report shows."""

    project: str
    release: Release
    package: Package
    lock: tuple[str, ...]
    """The lines of its environment lock."""
    session: Session | None
    """The newest session of its checks: the one that the gate reads."""
    problems: tuple[str, ...]
    """Why that session closes the gate; empty: it is open."""
    older_sessions: tuple[str, ...] = ()
    """The ids of the sessions before it."""
    run: Run
    steps: tuple[StepRun, ...] = ()
    datasets: dict[str, Dataset] = field(default_factory=dict)
    """What its steps made, by name."""
    decisions: tuple[Decision, ...] = ()
    signatures: tuple[ReleaseSignature, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    """The newest first."""
    before: Before | None = None
    score: Score | None = None
    """The ML Test Score as of the newest of these records."""
    freed_at: str | None = None
    """When gc freed its files."""
