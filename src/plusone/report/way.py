"""The way of a release on its report: decisions, rollouts, the ML Test Score, and the records that it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..base import clock
from ..base.records import Run
from ..base.rollouts import Rollout, RolloutStep
from ..base.scored import PointEvidence, Score
from .html import Markup, Room, element, fold, join, table
from .material import Material
from .numbers import duration, moment, share
from .summary import stage_badge

__all__ = ["records_section", "score_section", "way_section"]

_MOST = 100
_LETTERS = 600


def way_section(material: Material, room: Room) -> Markup:
    """Return who or what moved it, when and why, and how its rollouts went."""
    rows = [
        element(
            "li",
            element("time", moment(one.at), datetime=one.at),
            element("span", stage_badge(one.after), element("b", " past a closed gate") if one.override else None),
            element("span", element("b", one.by), f": {room.clip(one.reason, _LETTERS)}"),
            element("code", one.id, class_="id"),
        )
        for one in material.decisions[:_MOST]
    ]
    decided = element("ol", *rows, class_="way") if rows else element("p", "Nothing was decided yet.", class_="quiet")
    more = f"and {len(material.decisions) - _MOST} more decisions" if len(material.decisions) > _MOST else ""
    shown = (_rollout(one, room) for one in material.rollouts[:10])
    return join([decided, element("p", more, class_="quiet") if more else None, *shown])


def _rollout(rollout: Rollout, room: Room) -> Markup:
    steps = " \u2192 ".join(_step(step) for step in rollout.plan[:20])
    look = rollout.look
    events = (
        (moment(event.at), event.kind, f"step {event.step}", f"{event.by}: {room.clip(event.reason, _LETTERS)}")
        for event in rollout.events[:_MOST]
    )
    said = element("p", room.clip(f"The judge: {look.action}. {'; '.join(look.reasons)}", _LETTERS)) if look else None
    head = ("when", "what", "where", "by, and why")
    return join(
        [
            element("h3", f"Rollout beside @{rollout.live}: {rollout.status}"),
            element("p", f"{steps}. {rollout.looks:,} looks were kept."),
            said,
            fold("What happened", table(head, events, caption="Events of the rollout")),
            element("p", f"From rollout {rollout.id}.", class_="source"),
        ]
    )


def _step(step: RolloutStep) -> str:
    return f"{'shadow ' if step.kind == 'shadow' else ''}{share(step.share)} for {duration(step.duration_s)}"


def score_section(score: Score, anchors: Mapping[str, str]) -> Markup:
    """Return the ML Test Score: a bar for each section, the points with what they stand on, the next step.

    Args:
        anchors: the ids of checks on the page, by name.
    """
    bars = [
        element(
            "div",
            element("span", one.section, class_="name"),
            element("meter", f"{one.points:g} of 7", min="0", max="7", value=f"{one.points:g}", aria_label=one.section),
            element("span", f"{one.points:g} of 7"),
        )
        for one in score.sections
    ]
    rows = [
        (
            f"{one.section} {one.number}",
            one.name,
            f"{one.points:g}",
            join((_evidence(found, anchors) for found in one.evidence[:3]), "; ") or "-",
        )
        for one in score.points
    ]
    of = f"{score.model}@{score.release}" if score.release else score.model
    total = element("p", element("b", f"{score.score:g}"), f": {score.means}.")
    step = element("p", "Next: ", score.next_step) if score.next_step else None
    said = f"The smallest of four sums (Breck et al. 2017), of {of} as of {moment(score.at)}."
    return join(
        [
            total,
            element("div", *bars, class_="score"),
            step,
            fold(
                "The 28 tests",
                table(
                    ("test", "what", "points", "evidence"),
                    rows,
                    caption="The ML Test Score, test by test",
                    class_="tests",
                ),
            ),
            element("p", said, class_="source"),
        ]
    )


def _evidence(found: PointEvidence, anchors: Mapping[str, str]) -> Markup:
    """Return what a point stands on; a check leads to its place on the page."""
    said = f"{found.kind} {found.id[:_LETTERS]}"
    linked = found.kind == "check" and found.id in anchors
    what = element("a", said, href=f"#{anchors[found.id]}") if linked else said
    return join([f"{found.says[:_LETTERS]} (", what, ")"])


def records_section(material: Material) -> Markup:
    """Return the ids and digests of every record that the page was made from."""
    release, run = material.release, material.run
    pairs = [*_ids(material)]
    rows = [(what, element("code", key)) for what, key in pairs]
    text = (
        f"This page was made from records of {release.model}@{release.number}; the same records give the same page. "
        f"Its run took {_took(run)}."
    )
    return join([element("p", text), table(("record", "id or sha256"), rows, caption="Records")])


def _ids(material: Material) -> Iterator[tuple[str, str]]:
    yield "release", material.release.digest
    yield "package", material.release.package
    yield "run", material.run.id
    yield "what the run printed", material.run.log or "-"
    yield "environment lock", material.package.environment or "-"
    yield "code", f"commit {material.run.code.commit or '-'}{' and changes' if material.run.code.dirty else ''}"
    yield "checks", material.session.id if material.session else "-"
    for name, dataset in material.datasets.items():
        yield f"data {name}", dataset.digest
    for path, digest in list(material.release.tests.items())[:_MOST]:
        yield f"tests {path}", digest
    if material.before:
        yield "the release before", material.before.release.digest


def _took(run: Run) -> str:
    try:
        return duration((clock.parse(run.finished_at or "") - clock.parse(run.started_at)).total_seconds())
    except ValueError:
        return "a time that is not recorded"
