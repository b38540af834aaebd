"""Reads a report as a browser would, and counts what could fetch, run or send something."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["Page", "read"]

ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        """html head meta title style body a nav ul ol li p main header footer section h1 h2 h3 div span b code pre time
        table caption thead tbody tr th td dl dt dd details summary figure figcaption svg line rect circle polyline text
        meter wbr br""",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        """lang charset http-equiv content name href class id aria-label aria-labelledby aria-hidden focusable role
        tabindex scope open datetime title style viewbox x y x1 x2 y1 y2 cx cy r rx width height points text-anchor
        transform min max value""",
    )
)
VOID = frozenset({"meta", "br", "wbr", "line", "rect", "circle", "polyline"})
INSIDE = re.compile(r"#[a-z0-9-]+\Z")
STYLE = re.compile(r"fill-opacity:[\d.]+\Z")


class Page(HTMLParser):
    """A document: its elements, ids, links and text; `faults` has what a report may not hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.faults: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.faults.append(f"<{tag}>")
        self.elements.append(tag)
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.faults.append(f"<{tag} {name}>")
            if name == "href" and not INSIDE.match(value or ""):
                self.faults.append(f"href={value}")
            if name == "style" and not STYLE.match(value or ""):
                self.faults.append(f"style={value}")
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append((value or "#")[1:])
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            if re.search(r"url\(|@import|//", data):
                self.faults.append("the style fetches something")
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append("a comment")

    def handle_pi(self, data: str) -> None:
        self.faults.append("an instruction")

    def unknown_decl(self, data: str) -> None:
        self.faults.append("a declaration")

    def close(self) -> None:
        super().close()
        if self._open:
            self.faults.append(f"never closed: {self._open}")
        if len(set(self.ids)) != len(self.ids):
            self.faults.append("an id is there twice")
        self.faults += [f"#{link} leads nowhere" for link in self.links if link not in self.ids]

    @property
    def text(self) -> str:
        """All of its text."""
        return " ".join(" ".join(self.texts).split())


def read(html: str) -> Page:
    """Return a document as it was parsed."""
    page = Page()
    page.feed(html)
    page.close()
    return page
