"""What changed since the release before: settings, metrics, checks, data, code, environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..base.records import Check, Session
from ..checks.verdict import BUILT_IN, closes
from .html import Markup, Room, element, fold, join, table
from .material import Before, Material
from .numbers import value

__all__ = ["changes_section", "checks_beside"]

_MOST = 60
_FEW = 8
_DIFF = 20_000
_TITLES = {
    "settings": "Settings", "metrics": "Metrics", "data": "Data", "signature": "Fields", "environment": "Packages",
}  # fmt: skip


def changes_section(material: Material, room: Room) -> Markup:
    """Return what differs from the release before, part by part; what has not changed is left out."""
    before = material.before
    if before is None:
        return element("p", "It is the first release of this model: there is nothing before it.", class_="quiet")
    name, was = (
        f"{before.release.model}@{before.release.number}",
        "the newest that was live" if before.was_live else "the one before",
    )
    head = (f"before ({before.release.number})", f"now ({material.release.number})")
    parts = [_part(part, before.changes.get(part) or {}, head) for part in ("settings", "metrics")]
    parts.append(_checks(before, material, head))
    parts += [_part(part, before.changes.get(part) or {}, head) for part in ("data", "signature")]
    parts.append(_code(before.changes.get("code") or {}, room))
    parts.append(_part("environment", before.changes.get("environment") or {}, head, folded=True))
    shown = [one for one in parts if one is not None]
    nothing = element("p", "Nothing differs.", class_="quiet") if not shown else None
    source = f"Compared with {name}, {was}: digest {before.release.digest}, run {before.release.run_id}."
    return join([*shown, nothing, element("p", source, class_="source")])


def checks_beside(before: Session | None, now: Session | None) -> Iterator[tuple[str, Check | None, Check | None]]:
    """Give each check whose outcome is not the same in two sessions, of both; None where it was not."""
    one = {check.test: check for check in (before.checks if before else ())}
    other = {check.test: check for check in (now.checks if now else ())}
    for test in dict.fromkeys([*other, *one]):
        a, b = one.get(test), other.get(test)
        if a is None or b is None or a.outcome != b.outcome:
            yield test, a, b


def _checks(before: Before, material: Material, head: tuple[str, str]) -> Markup | None:
    found = sorted(checks_beside(before.session, material.session), key=lambda one: not (one[2] and closes(one[2])))
    rows = [
        (test.removeprefix(BUILT_IN), a.outcome if a else "not there", b.outcome if b else "gone")
        for test, a, b in found
    ]
    if not rows:
        return None
    shown = _table("Checks whose outcome differs", ("check", *head), rows)
    if len(rows) > _FEW:
        shown = fold(f"{len(rows)} checks came out otherwise, are new or are gone", shown)
    return join([element("h3", "Checks"), shown])


def _part(part: str, pairs: Mapping[str, Any], head: tuple[str, str], *, folded: bool = False) -> Markup | None:
    rows = [row for key, pair in pairs.items() if key != "profile" for row in _rows(key, pair)]
    moved = [row for column, pair in (pairs.get("profile") or {}).items() for row in _rows(column, pair)]
    shown = [_table(f"{_TITLES[part]} that differ", (_TITLES[part].lower(), *head), rows)] if rows else []
    if moved:
        columns = len(pairs["profile"])
        title = f"How the training data moved: {columns} column{'s' if columns > 1 else ''}"
        shown.append(fold(title, _table(title, ("column", *head), moved), open_=len(moved) <= _FEW))
    if not shown:
        return None
    if folded:
        return fold(f"{_TITLES[part]}: {len(rows)} differ", *shown)
    return join([element("h3", _TITLES[part]), *shown])


def _rows(key: str, pair: Any) -> list[tuple[str, str, str]]:
    if isinstance(pair, dict):
        return [row for inner, part in pair.items() for row in _rows(f"{key} \u00b7 {inner}", part)]
    if isinstance(pair, list | tuple) and len(pair) == 2:
        one, other = pair
        if isinstance(one, dict) and isinstance(other, dict) and "digest" not in one:
            # Ranges are among the columns of the training data.
            names = [name for name in dict.fromkeys([*one, *other]) if name not in ("minimum", "maximum")]
            names = [name for name in names if one.get(name) != other.get(name)]
            return [(f"{key} \u00b7 {name}", _shown(one.get(name)), _shown(other.get(name))) for name in names]
        return [(key, _shown(pair[0]), _shown(pair[1]))]
    return [(key, "", _shown(pair))]


def _shown(found: Any) -> str:
    if isinstance(found, dict) and isinstance(found.get("digest"), str):
        rows = f"{value(found['rows'])} rows, " if found.get("rows") is not None else ""
        return f"{rows}{found['digest'][:12]}"
    return value(found)


def _table(caption: str, head: tuple[str, ...], rows: list[tuple[str, str, str]]) -> Markup:
    more = f" (the first {_MOST} of {len(rows)})" if len(rows) > _MOST else ""
    return table(head, ([_cut(one) for one in row] for row in rows[:_MOST]), caption=caption + more, class_="pairs")


def _cut(word: str) -> str:
    return word if len(word) <= 200 else f"{word[:199]}\u2026"


def _code(changes: Mapping[str, Any], room: Room) -> Markup | None:
    files = {path: found["diff"] for path, found in changes.items() if isinstance(found, dict) and "diff" in found}
    commits = changes.get("commit")
    if not files and not commits:
        return None
    told = (
        [
            element(
                "p",
                "commit ",
                element("code", _cut(value(commits[0]))),
                " to ",
                element("code", _cut(value(commits[1]))),
            )
        ]
        if commits
        else []
    )
    return join(
        [element("h3", "Code"), *told, *(_file(path, lines, room) for path, lines in list(files.items())[:_MOST])]
    )


def _file(path: str, lines: list[str], room: Room) -> Markup:
    added = sum(line.startswith("+") for line in lines[2:])
    gone = sum(line.startswith("-") for line in lines[2:])
    whole = room.clip("\n".join(str(line) for line in lines[2:]), _DIFF)
    tones = {"+": "added", "-": "gone", "@": "place"}
    shown = join((element("span", line, class_=tones.get(line[:1])) for line in whole.split("\n")), "\n")
    return fold(join([element("code", _cut(path)), f" +{added} \u2212{gone}"]), element("pre", shown, class_="diff"))
