"""HTML as text in which nothing from a record can be anything but text: whatever is no `Markup` is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

__all__ = ["Markup", "Room", "element", "fold", "join", "table"]

# What HTML has no character for, and what turns the order of letters around: a message could hide what it says.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[\w .,:;/#()+-]*", re.ASCII).fullmatch
_VOID = frozenset({"meta", "br", "hr", "wbr", "rect", "line", "circle", "path", "polyline"})
_CELL = 240
_PART = 5_000
_OF_HTML = frozenset({"meta", "br", "hr", "wbr"})
Child = object
"""Something in an element: `Markup` as it is, None as nothing, the rest as text."""


class Markup(str):
    """HTML that was made here. Only `element` and `join` make it from other text, and both escape."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return a value as text in HTML, in an attribute too."""
    if isinstance(value, Markup):
        return value
    words = str(value)
    # Most texts are numbers and names of classes.
    return Markup(words if _PLAIN(words) else html.escape(_HIDDEN.sub("\ufffd", words), quote=True))


def join(parts: Iterable[Child], between: Child = "") -> Markup:
    """Return parts side by side; None is left out."""
    return Markup(text(between).join(text(part) for part in parts if part is not None))


def element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Return an element. An attribute `class_` is `class`, `_` is written `-`; None and False leave it out, True has no
    value.

    Example: `element("b", "1 < 2", class_="x")` is `<b class="x">1 &lt; 2</b>`.
    """
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}{'/' if name not in ('meta', 'br', 'hr') else ''}>")
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def fold(title: Child, *children: Child, open_: bool = False, **attributes: object) -> Markup:
    """Return what is folded away behind a title; it opens with the keyboard too, and is open on paper."""
    return element("details", element("summary", title), *children, open=open_, **attributes)


def table(headings: Iterable[Child], rows: Iterable[Iterable[Child]], *, caption: str, class_: str = "") -> Markup:
    """Return a table whose first column names its rows, in a box of its own that scrolls where it is too wide."""
    head = element("tr", *(element("th", one, scope="col") for one in headings))
    body = join(
        element(
            "tr",
            *(element("td" if place else "th", _cut(cell), scope=None if place else "row") for place, cell in cells),
        )
        for cells in (enumerate(row) for row in rows)
    )
    inner = element("table", element("caption", caption), element("thead", head), element("tbody", body), class_=class_)
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label=caption)


def _cut(cell: Child) -> Child:
    if isinstance(cell, Markup) or not isinstance(cell, str) or len(cell) <= _CELL:
        return cell
    return f"{cell[: _CELL - 1]}\u2026"


class Room:
    """How much room there is: a report stays small however much was printed and measured.

    Args:
        letters: of all long texts together, as they are written in HTML.
        parts: of all parts that are asked about, likewise.
    """

    def __init__(self, letters: int = 1_000_000, parts: int = 1_500_000) -> None:
        self._left = letters
        self._parts = parts

    @property
    def is_used_up(self) -> bool:
        """Whether no part of a usual size has room any more."""
        return self._parts < _PART

    def fits(self, part: Markup) -> bool:
        """Say whether there is room for a part still; if so, it is taken."""
        fits = len(part) <= self._parts
        self._parts -= len(part) if fits else 0
        return fits

    def clip(self, value: str, most: int, *, end: bool = False) -> str:
        """Return a text of at most `most` letters, fewer when the room is used up; what is cut is counted.

        Args:
            end: keep the end and not the beginning: of an output that is where the error is.
        """
        # A letter may be six in HTML.
        most = max(200, min(most, self._left // 6))
        kept = value if len(value) <= most else value[-most:] if end else value[:most]
        self._left = max(0, self._left - len(text(kept)))
        if len(kept) == len(value):
            return value
        cut = f"{len(value) - len(kept):,} letters are left out"
        return f"[{cut}] {kept}" if end else f"{kept} [{cut}]"
