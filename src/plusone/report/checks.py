"""The checks of a release on its report: outcome, what was measured against which limit, figure, output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..base.records import Check
from ..built_in.causes import only_message
from ..checks.verdict import BUILT_IN, closes, is_built_in
from .figures import draw, interval
from .html import Markup, Room, element, fold, join, table
from .material import Material
from .numbers import duration, value
from .summary import anchor_of

__all__ = ["checks_section", "facts_of", "limit_of"]

_MOST = 400
"""Checks that are shown with all that they measured; those beyond in a line each."""
_MOST_LINES = 3000
_MESSAGE, _OUTPUT = 3_000, 6_000
_RECORDS = 12
_FACTS = 40
_BRIEF = 140
_TONES = {
    "passed": "good", "failed": "bad", "broken": "bad", "inconclusive": "warned", "skipped": "warned",
    "deselected": "warned", "not run": "warned", "xfailed": "warned",
}  # fmt: skip
_SUBJECTS = {"data": "on the data", "model": "on the model", "code": "on the code"}
_SAID = frozenset({"check", "outcome", "message", "allowed", "figure", "warning", "cause"})
_LIMITS = ("limit", "margin", "value", "threshold", "bound", "at_least", "at_most", "tolerance", "budget")


def checks_section(material: Material, room: Room) -> Markup:
    """Return every check, the project's tests apart from plusone's own, what closes the gate first."""
    session = material.session
    if session is None:
        return element("p", "There was no session of checks.", class_="quiet")
    placed = sorted(enumerate(session.checks), key=lambda one: (not closes(one[1]), not _warns(one[1])))
    whole = {place for place, _ in placed[:_MOST]}
    parts: list[Markup | None] = []
    for title, mine in (("The project's tests", False), ("plusone's own checks", True)):
        for subject, what in _SUBJECTS.items():
            some = [one for one in placed if is_built_in(one[1].test) is mine and one[1].subject == subject]
            if some:
                parts.append(element("h3", f"{title} {what}"))
                parts += _shown([one for one in some if one[0] in whole], room)
                parts.append(_short_list([one for one in some if one[0] not in whole]))
    old = f" Sessions before it: {', '.join(material.older_sessions[:20])}." if material.older_sessions else ""
    said = f"From session {session.id} of {session.finished_at[:19].replace('T', ' ')} UTC.{old}"
    return join([*parts, element("p", said, class_="source")])


def _shown(checks: Sequence[tuple[int, Check]], room: Room) -> Iterator[Markup]:
    """Give each check; of plusone's own those that say the same and no more, together under what they say."""
    said = {place: message for place, check in checks if (message := only_message(check))}
    counts = Counter(said.values())
    for place, check in checks:
        if counts[said.get(place, "")] < 2:
            yield _check(place, check, room)
    for message, count in counts.items():
        if count > 1:
            alike = [(place, check) for place, check in checks if said.get(place) == message]
            title = join(
                [
                    element("span", alike[0][1].outcome, class_=f"badge {_TONES.get(alike[0][1].outcome, 'plain')}"),
                    element("span", f"{count} checks", class_="test"),
                    element("span", _cut(message, _BRIEF), class_="brief"),
                ],
                " ",
            )
            yield fold(title, *(_check(place, check, room) for place, check in alike), class_="check")


def facts_of(measured: Mapping[str, Any]) -> dict[str, str]:
    """Return what a check measured, by name, as people read it; without what its message and outcome say already."""
    return {key: value(found) for key, found in measured.items() if key not in _SAID and not _is_long(found)}


def limit_of(measured: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the limit that was measured against, by its name and as the smallest or largest value allowed."""
    for key in _LIMITS:
        found = _number(measured.get(key))
        if found is not None:
            return key, -found if key == "margin" else found
    return None


def _check(place: int, check: Check, room: Room) -> Markup:
    told = bool(closes(check)) or _warns(check)
    records = check.measured[:_RECORDS]
    said = [str(one.get("warning") or one.get("message") or "") for one in records]
    # What a check raises is what it recorded, perhaps with a sentence more: that one says why it failed.
    message = "" if check.message in said else check.message
    brief = next((one for one in (message, *said) if one), "")
    title = join(
        [
            element("span", check.outcome, class_=f"badge {_TONES.get(check.outcome, 'plain')}"),
            element("span", "warns", class_="badge warned") if _warns(check) else None,
            element("span", _folded(check.test.removeprefix(BUILT_IN)), class_="test"),
            element("span", duration(check.duration_s), class_="time"),
            element("span", _cut(brief, _BRIEF), class_="brief") if brief else None,
        ],
        " ",
    )
    parts: list[Markup | None] = [element("p", room.clip(message, _MESSAGE), class_="message") if message else None]
    made = (_record(one, room, message) for one in records if not room.is_used_up)
    parts += (kept := [one for one in made if room.fits(one)])
    parts.append(_more(len(check.measured) - len(kept)))
    # What a check of plusone's own raises is all that pytest shows of it.
    if check.output and " ".join(check.output.split()) != check.message:
        output = element("pre", room.clip(check.output, _OUTPUT, end=True))
        parts.append(fold("Output", output, class_="output"))
    # Of the data, plusone checks every table: what is as it was needs no look.
    usual = is_built_in(check.test) and check.subject == "data"
    drawn = any("figure" in one for one in records) and not usual
    return fold(title, *parts, open_=told or drawn, class_="check", id=anchor_of(place))


def _record(measured: Mapping[str, Any], room: Room, before: str) -> Markup:
    """Return one measurement: what it says beside `before`, its interval and limit, values and figure."""
    said = str(measured.get("warning") or measured.get("message") or "")
    said = said if "warning" in measured or said not in before else ""
    tone = "message warns" if "warning" in measured else "message"
    pairs = [
        element("div", element("dt", key.replace("_", " ")), element("dd", found))
        for key, found in list(facts_of(measured).items())[:_FACTS]
    ]
    told = element(
        "div",
        element("p", room.clip(said, _MESSAGE), class_=tone) if said else None,
        _strip(measured),
        element("dl", *pairs, class_="facts") if pairs else None,
        *_tables(measured),
    )
    figure = draw(measured.get("figure"))
    return element("div", told, figure, class_="record drawn" if figure is not None else "record")


def _strip(measured: Mapping[str, Any]) -> Markup | None:
    limit, low, high = limit_of(measured), _number(measured.get("low")), _number(measured.get("high"))
    if limit is None or low is None or high is None:
        return None
    # The difference is what a margin bounds, the candidate's value what a value does.
    names = ("difference", "candidate") if limit[0] == "margin" else ("candidate", "distance", "worst", "difference")
    known = (_number(measured.get(key)) for key in names)
    inside = next((one for one in known if one is not None and low <= one <= high), low / 2 + high / 2)
    return interval(inside, low, high, limit[1])


def _tables(measured: Mapping[str, Any]) -> Iterator[Markup]:
    """Give the lists of objects in a measurement as tables: slices, cases, columns."""
    for key, found in measured.items():
        if key not in _SAID and _is_long(found):
            rows = [one for one in found[:30] if isinstance(one, dict)]
            names = list(dict.fromkeys(name for row in rows for name in row))
            # What a row is about comes first: on a narrow page the last columns are out of sight.
            names = sorted(names, key=lambda name: not any(isinstance(row.get(name), str) for row in rows))[:8]
            more = f" (the first {len(rows)} of {len(found):,})" if len(found) > len(rows) else ""
            caption = f"{key.replace('_', ' ')}{more}"
            if names:
                yield table(names, ([value(row.get(name)) for name in names] for row in rows), caption=caption)


def _is_long(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(one, dict) for one in found)


def _short_list(some: list[tuple[int, Check]]) -> Markup | None:
    if not some:
        return None
    rows = [
        element("li", f"{check.outcome}: {_cut(check.test)}", id=anchor_of(place))
        for place, check in some[:_MOST_LINES]
    ]
    rest = len(some) - len(rows)
    return join([element("ul", *rows), element("p", f"and {rest:,} more", class_="quiet") if rest else None])


def _more(count: int) -> Markup | None:
    return (
        element("p", f"and {count:,} more measurement{'s' if count > 1 else ''}: plusone checks --json", class_="quiet")
        if count > 0
        else None
    )


def _folded(name: str) -> Markup:
    """Return a test's id with the places where a line may be broken."""
    parts = _cut(name).replace("::", "\n::").replace("_", "_\n").replace("/", "/\n").split("\n")
    return join(parts, element("wbr"))


def _cut(name: str, most: int = 300) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}\u2026"


def _warns(check: Check) -> bool:
    return any("warning" in one for one in check.measured)


def _number(found: Any) -> float | None:
    known = isinstance(found, float | int) and not isinstance(found, bool) and abs(found) < 1e300
    return float(found) if known else None
