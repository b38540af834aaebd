"""Records of the ML Test Score: what people note about tests that they did by hand, and what the score comes to."""

from __future__ import annotations

from typing import Literal

from .records import Record

__all__ = ["PointEvidence", "Score", "ScoreNote", "ScorePoint", "ScoreSection", "ScoreSectionName"]


ScoreSectionName = Literal["data", "model", "infrastructure", "monitoring"]


class ScoreNote(Record, frozen=True, kw_only=True):
    """That somebody did one of the 28 tests by hand, or which check of the project does it. Notes are only added."""

    id: str
    test: str
    """`data-1` to `data-7`, `model-...`, `infrastructure-...`, `monitoring-...`."""
    model: str
    release: int | None
    """The release that the score was about when it was noted; None when there was none."""
    note: str
    """What was done and what came of it."""
    checked_by: str
    """The id of a check that does the test by itself; empty: it was done by hand."""
    by: str
    at: str


class PointEvidence(Record, frozen=True, kw_only=True):
    """A record that a point stands on."""

    kind: Literal["check", "note", "run", "release", "decision", "rollout", "predictions", "signature"]
    id: str
    """Of a check its test id, of a note, run, decision or rollout its id, of a release `MODEL@n`, of predictions the
    model."""
    says: str
    """What the record shows, in few words."""


class ScorePoint(Record, frozen=True, kw_only=True):
    """One of the 28 tests and what it is worth now."""

    test: str
    section: ScoreSectionName
    number: int
    """1 to 7 in its section, as in the paper."""
    name: str
    points: float
    """1: a machine does it at every release; 0.5: it was done by hand and written down; 0: no record shows it."""
    evidence: tuple[PointEvidence, ...]
    """What the points stand on; empty when there are none."""
    step: str
    """What would bring more; empty when nothing is missing."""
    effort: int
    """How much work that step is, from 1 (a line of a test) to 5 (days)."""


class ScoreSection(Record, frozen=True, kw_only=True):
    """The sum of one section, 0 to 7."""

    section: ScoreSectionName
    points: float


class Score(Record, frozen=True, kw_only=True):
    """The ML Test Score of a model: the smallest of the sums of its four sections."""

    model: str
    release: int | None
    """The release whose checks count: the live one, or the newest when none is live; None: there is none."""
    digest: str
    at: str
    """The moment that it holds for: what was noted by hand counts for 180 days."""
    score: float
    means: str
    sections: tuple[ScoreSection, ...]
    points: tuple[ScorePoint, ...]
    next_test: str
    """The test whose step is the cheapest that raises the weakest section; empty when there is none."""
    next_step: str
