"""The top of a report: which release it is, whether its gate is open, and what a person should look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..base.records import Check
from ..built_in.causes import causes_of, reasons_of
from ..checks.verdict import BUILT_IN, closes, is_built_in
from .html import Markup, Room, element, join
from .material import Material
from .numbers import duration, moment, number, value

__all__ = ["anchor_of", "anchors_of", "stage_badge", "summary", "warnings_of"]

_MOST = 40
_LETTERS = 400


def summary(material: Material, room: Room) -> Markup:
    """Return the head of the page: name, stage, verdict, tiles, and what closes the gate or warns."""
    release = material.release
    made = [
        element("span", "made ", element("time", moment(release.created_at), datetime=release.created_at)),
        element("span", f"by run {release.run_id}"),
        element("span", "digest ", element("code", release.digest[:16], title=release.digest)),
    ]
    return join(
        [
            element(
                "header",
                element("p", material.project, class_="project"),
                element("h1", f"{release.model}@{release.number} ", stage_badge(release.stage)),
                element("p", *made, class_="made"),
                _freed(material),
                _verdict(material),
                class_="top",
            ),
            element("div", *_tiles(material), class_="tiles"),
            _listed("Why the gate is closed", _reasons(material), "bad", room),
            _listed("Warnings", warnings_of(material), "warned", room),
        ]
    )


def stage_badge(stage: str) -> Markup:
    """Return a stage as a badge: the word says it, the colour repeats it."""
    tone = {"live": "good", "passed": "good", "failed": "bad", "rolled back": "bad", "rejected": "bad"}
    return element("span", stage, class_=f"badge {tone.get(stage, 'plain')}")


def anchor_of(place: int) -> str:
    """Return the id of a check on the page."""
    return f"check-{place + 1}"


def anchors_of(material: Material) -> dict[str, str]:
    """Return the ids of the checks on the page, by name."""
    checks = material.session.checks if material.session else ()
    return {check.test: anchor_of(place) for place, check in enumerate(checks)}


def warnings_of(material: Material) -> list[tuple[str, str]]:
    """Return what its checks warn of, each cause once: the text, and the id of the check on the page."""
    checks, places = material.session.checks if material.session else (), anchors_of(material)
    return [
        (f"{cause.check.test.removeprefix(BUILT_IN)}: {cause.said}{cause.also}", places[cause.check.test])
        for cause in causes_of(checks)
        if not cause.closing
    ]


def _reasons(material: Material) -> list[tuple[str, str]]:
    """Return why the gate is closed, each cause once: the text, and the id of the check, '' for the session's own."""
    checks, places = material.session.checks if material.session else (), anchors_of(material)
    return [
        (text.removeprefix(BUILT_IN), places[check.test] if check is not None else "")
        for text, check in reasons_of(checks, material.problems)
    ]


def _verdict(material: Material) -> Markup:
    session, problems = material.session, material.problems
    if session is None:
        return element("p", "No checks ran on this release: its gate is closed.", class_="verdict bad")
    if problems:
        count = len(_reasons(material))
        first = f"{count} reason{'s' if count > 1 else ''}, below"
        over = " A person went past it, by name and with a reason." if _overridden(material) else ""
        return element("p", element("b", "The gate is closed: "), f"{first}.{over}", class_="verdict bad")
    ours = sum(is_built_in(check.test) for check in session.checks)
    theirs = len(session.checks) - ours
    said = f"{theirs} test{'s' if theirs != 1 else ''} of the project" + (
        f" and {ours} of plusone's own checks" if ours else ""
    )
    return element("p", element("b", "The gate is open: "), f"{said} let it through.", class_="verdict good")


def _overridden(material: Material) -> bool:
    return any(one.override for one in material.decisions)


def _freed(material: Material) -> Markup | None:
    if not material.freed_at:
        return None
    return element("p", f"Its files were freed on {material.freed_at[:10]}: it can't go live again.", class_="quiet")


def _tiles(material: Material) -> Iterator[Markup]:
    checks = material.session.checks if material.session else ()
    counts = Counter(check.outcome for check in checks)
    closing = sum(bool(closes(check)) for check in checks)
    yield _tile("checks passed", f"{counts['passed']} of {len(checks) - counts['not applicable']}", _rest(counts))
    yield _tile("closing the gate", str(closing), "", tone="bad" if closing else "")
    yield _tile("warnings", str(len(warnings_of(material))), "", tone="warned" if warnings_of(material) else "")
    for name, shown, rest in _headline(checks):
        yield _tile(name, shown, rest)
    if material.score is not None:
        yield _tile("ML Test Score", f"{material.score.score:g}", material.score.means)
    yield _tile("time for its checks", duration(sum(check.duration_s for check in checks)), "")


def _rest(counts: Counter[Any]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()) if word != "passed")


def _headline(checks: tuple[Check, ...]) -> Iterator[tuple[str, str, str]]:
    """Give up to two metrics of the candidate, with that of the live release where it was measured."""
    seen: set[str] = set()
    both = sorted(
        (one for check in checks for one in check.measured if "metric" in one and _is_number(one.get("candidate"))),
        key=lambda one: not _is_number(one.get("live")),
    )
    for one in both:
        if str(one["metric"]) not in seen and len(seen) < 2:
            seen.add(str(one["metric"]))
            beside = f"the live release had {number(one['live'])}" if _is_number(one.get("live")) else ""
            yield value(one["metric"]), number(one["candidate"]), beside


def _is_number(found: Any) -> bool:
    return isinstance(found, float | int) and not isinstance(found, bool) and abs(found) < 1e300


def _tile(name: str, shown: str, rest: str, *, tone: str = "") -> Markup:
    more = element("p", rest, class_="quiet") if rest else None
    return element(
        "div", element("p", name, class_="name"), element("p", shown, class_="big"), more, class_=f"tile {tone}"
    )


def _listed(title: str, texts: list[tuple[str, str]], tone: str, room: Room) -> Markup | None:
    if not texts:
        return None
    shown = [
        element("li", element("a", room.clip(text, _LETTERS), href=f"#{to}") if to else room.clip(text, _LETTERS))
        for text, to in texts[:_MOST]
    ]
    more = element("p", f"and {len(texts) - _MOST:,} more", class_="quiet") if len(texts) > _MOST else None
    return element("div", element("h2", title), element("ul", *shown), more, class_=f"box {tone}")
