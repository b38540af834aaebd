"""The ML Test Score for people: a bar for each section, what each point stands on, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..base.scored import PointEvidence, Score, ScoreNote, ScorePoint
from .output import print_table, shortened

__all__ = ["print_noted", "print_notes", "print_score"]

_MARKS = {0.0: ("-", "bright_black"), 0.5: ("\u00bd", "yellow"), 1.0: ("1", "green")}
_WIDE = 28


def print_score(found: Score, *, steps: bool = False) -> None:
    """Print the four sections with their tests, the smallest sum, and the cheapest step that raises it.

    Args:
        steps: below each test that lacks points, what would bring more.
    """
    name = f"{found.model}@{found.release}" if found.release is not None else found.model
    click.echo(f"{click.style(name, bold=True)}  the ML Test Score")
    for section in found.sections:
        mine = [one for one in found.points if one.section == section.section]
        click.echo()
        click.echo(f"{click.style(f'{section.section:<14}', bold=True)} {_bar(section.points)} {section.points:g} of 7")
        for one in mine:
            _print_point(one, steps)
    click.echo()
    click.secho(f"score {found.score:g}: {found.means}", bold=True)
    weakest = [one.section for one in found.sections if one.points == found.score]
    click.echo(f"the smallest of the four sums (Breck et al. 2017): {' and '.join(weakest)}")
    if found.next_step:
        click.echo(f"next, the cheapest: {found.next_step}")


def _bar(points: float) -> str:
    full = round(points / 7 * _WIDE)
    return click.style("\u2588" * full, fg="green") + click.style("\u2591" * (_WIDE - full), fg="bright_black")


def _print_point(one: ScorePoint, steps: bool) -> None:
    mark, colour = _MARKS.get(one.points, (f"{one.points:g}", ""))
    click.echo(f"  {click.style(mark, fg=colour)} {one.number} {one.name}")
    for evidence in one.evidence[:3]:
        click.secho(f"      {_evidence(evidence)}", dim=True)
    if len(one.evidence) > 3:
        click.secho(f"      and {len(one.evidence) - 3} more", dim=True)
    if steps and one.step:
        click.echo(f"      -> {one.step}")


def _evidence(one: PointEvidence) -> str:
    return f"{one.kind} {shortened(one.id, 90)}: {shortened(one.says, 110)}"


def print_noted(note: ScoreNote, days: int) -> None:
    """Print a note that was made, and how long it counts."""
    counts = f"while {note.checked_by} passes" if note.checked_by else f"for {days} days"
    worth = "1 point" if note.checked_by else "half a point"
    click.echo(f"noted: {note.test} of {note.model}, by {note.by}: {worth} {counts}")


def print_notes(notes: Sequence[ScoreNote]) -> None:
    """Print notes, one a line."""
    rows = [
        (one.at[:10], one.model, one.test, one.by, one.checked_by or "by hand", shortened(one.note, 80))
        for one in notes
    ]
    print_table(("when", "model", "test", "by", "done by", "note"), rows)
