"""Points from evidence: each test by the most that a record of it is worth, each section by its sum, the score by the
smallest."""

from __future__ import annotations

from collections.abc import Iterator

from ..base import clock
from ..base.scored import PointEvidence, Score, ScoreNote, ScorePoint, ScoreSection
from .evidence import Case, distinct, of_check, passed, stands_for
from .rubric import RUBRIC, SECTIONS, Found, RubricTest, Step

__all__ = ["NOTE_DAYS", "TESTS", "score_of"]

NOTE_DAYS = 180
"""How long a test that was done by hand counts: what nobody has looked at for half a year is not known."""
TESTS = tuple(test.id for test in RUBRIC)
_MEANS = (
    (0, "a research project rather than a system in production"),
    (1, "not untested, but serious holes are likely"),
    (2, "a first pass at what production needs; there is more to do"),
    (3, "reasonably tested; more of it could be automatic"),
    (5, "strongly tested and watched, fit for what matters"),
    (7, "exceptionally tested and watched"),
)
"""What a score up to so much means (Breck et al. 2017, table V), in our own words."""


def score_of(case: Case) -> Score:
    """Return the ML Test Score with the evidence of each point and the cheapest step that raises it.

    A test is worth the most that one of its records is: 1 when a machine does it at every release, 0.5 when it was done
    by hand within 180 days or records show it in part. A section is the sum of its seven tests; the score is the
    smallest section (Breck et al. 2017, section VI). Taking a record away never raises it.

    Example: sections of 3, 2.5, 4 and 0.5 give a score of 0.5.
    """
    points = tuple(_point(case, test) for test in RUBRIC)
    sums = {section: sum(one.points for one in points if one.section == section) for section in SECTIONS}
    total = min(sums.values())
    weakest = [section for section in SECTIONS if sums[section] == total]
    open_ = [one for one in points if one.section in weakest and one.step]
    cheapest = min(open_, key=lambda one: (weakest.index(one.section), one.effort, one.number), default=None)
    return Score(
        model=case.model,
        release=case.release.number if case.release else None,
        digest=case.release.digest if case.release else "",
        at=case.at,
        score=total,
        means=next(text for most, text in _MEANS if total <= most),
        sections=tuple(ScoreSection(section=section, points=sums[section]) for section in SECTIONS),
        points=points,
        next_test=cheapest.test if cheapest else "",
        next_step=f"{cheapest.test}: {cheapest.step}" if cheapest else "",
    )


def _point(case: Case, test: RubricTest) -> ScorePoint:
    found = [*test.find(case), *_noted(case, test)]
    worth = max((points for points, _ in found), default=0.0)
    step = _cheapest(test, worth)
    return ScorePoint(
        test=test.id,
        section=test.section,
        number=test.number,
        name=test.name,
        points=worth,
        evidence=distinct(one for points, one in found if points == worth),
        step=step.text if step else "",
        effort=step.effort if step else 0,
    )


def _cheapest(test: RubricTest, worth: float) -> Step | None:
    more = [step for step in test.steps if step.to > worth]
    return min(more, key=lambda step: (step.effort, -step.to), default=None)


def _noted(case: Case, test: RubricTest) -> Iterator[Found]:
    """Give what people noted: half a point for 180 days; one while the check that they named passes."""
    for note in case.notes:
        if note.test != test.id:
            continue
        said = PointEvidence(kind="note", id=note.id, says=f"{note.by}, {note.at[:10]}: {note.note}")
        if not note.checked_by:
            if _age_days(note, case.at) <= NOTE_DAYS:
                yield 0.5, said
            continue
        for check in passed(case):
            if stands_for(check, note.checked_by):
                yield 1, said
                yield 1, of_check(check)


def _age_days(note: ScoreNote, at: str) -> float:
    return (clock.parse(at) - clock.parse(note.at)).total_seconds() / 86400
