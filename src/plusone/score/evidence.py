"""The evidence that a score is computed from, and how single pieces of it are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import field

from ..base.records import Check, Decision, Record, Release, Run
from ..base.rollouts import Rollout
from ..base.scored import PointEvidence, ScoreNote
from ..base.trusted import ReleaseSignature
from ..checks.verdict import BUILT_IN, is_built_in

__all__ = ["Case", "Taken", "Training", "by_built_in", "by_recorded", "distinct", "of_check", "passed", "stands_for"]


class Training(Record, frozen=True, kw_only=True):
    """One time that a model was trained and packaged, not taken over from before."""

    run_id: str
    fingerprint: str
    """Of everything that can change the training."""
    package: str
    """Digest of what came of it."""


class Taken(Record, frozen=True, kw_only=True):
    """The fields that one release takes."""

    release: int
    fields: tuple[str, ...]


class Case(Record, frozen=True, kw_only=True):
    """What a score is asked about (model, release, moment), and the records that speak for it."""

    model: str
    release: Release | None
    """The release whose checks count."""
    at: str
    """The moment that it is asked for."""
    checks: tuple[Check, ...] = ()
    """Those of the newest session on that release."""
    proof: dict[str, Any] = field(default_factory=dict)
    """How its package was proven equal to the trained model."""
    runs: tuple[Run, ...] = ()
    """Runs of the model."""
    trainings: tuple[Training, ...] = ()
    took: tuple[Taken, ...] = ()
    """By release, of those that went live."""
    decisions: tuple[Decision, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    signatures: tuple[ReleaseSignature, ...] = ()
    notes: tuple[ScoreNote, ...] = ()
    predictions: int = 0
    """How many logged predictions of the model are kept."""
    labelled: bool = False
    """Whether a label came for one."""


def passed(case: Case) -> Iterator[Check]:
    """Give the checks that passed; an outcome that was only allowed is no evidence."""
    return (check for check in case.checks if check.outcome == "passed")


def stands_for(check: Check, named: str) -> bool:
    """Say whether a check is the one that a person named, or a case of it: a test of the project, none of plusone's
    own, which count where they speak for something."""
    return not is_built_in(check.test) and (check.test == named or check.test.startswith(f"{named}["))


def by_built_in(case: Case, *names: str) -> Iterator[PointEvidence]:
    """Give plusone's own checks of these names that passed: `columns` is `plusone::columns[train_set]`, too."""
    for check in passed(case):
        name = check.test.removeprefix(BUILT_IN).partition("[")[0]
        if is_built_in(check.test) and name in names:
            yield of_check(check)


def by_recorded(case: Case, *names: str) -> Iterator[PointEvidence]:
    """Give the passed checks that left a measurement of these names: that of `plusone.check.slices` is `slices`."""
    for check in passed(case):
        if any(one.get("check") in names and one.get("outcome", "passed") == "passed" for one in check.measured):
            yield of_check(check)


def of_check(check: Check) -> PointEvidence:
    """Return a check as what points stand on."""
    return PointEvidence(kind="check", id=check.test, says=check.outcome)


def distinct(found: Iterable[PointEvidence]) -> tuple[PointEvidence, ...]:
    """Return each piece of evidence once, in its order."""
    return tuple({(one.kind, one.id): one for one in found}.values())
