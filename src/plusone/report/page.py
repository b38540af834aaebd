"""The whole report of a release: one HTML file, without scripts, that asks for nothing beyond itself."""

from __future__ import annotations

from pathlib import Path

from .changes import changes_section
from .checks import checks_section
from .data import data_section
from .html import Markup, Room, element, join
from .material import Material
from .package import package_section
from .summary import anchors_of, summary
from .way import records_section, score_section, way_section

__all__ = ["report_html"]

# Nothing is fetched, run or sent, whatever a record says: a browser holds to it even where the escaping would fail.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_html(material: Material) -> str:
    """Return the report as one HTML document of less than 3 MB; equal material gives equal text.

    Whatever text the records hold is shown as text: it can't become HTML. Long texts are cut, and say so.
    """
    release = material.release
    name = f"{release.model}@{release.number}"
    room = Room()
    top = summary(material, room)
    sections = [
        ("changes", "What changed", changes_section(material, room)),
        ("checks", "Checks", checks_section(material, room)),
        ("data", "Data", data_section(material)),
        ("package", "Model and package", package_section(material, room)),
        ("way", "Decisions and rollout", way_section(material, room)),
        *([("score", "ML Test Score", score_section(material.score, anchors_of(material)))] if material.score else []),
        ("records", "Records", records_section(material)),
    ]
    links = (element("li", element("a", title, href=f"#{key}")) for key, title, _ in sections)
    body = element(
        "body",
        element("a", "To the content", href="#content", class_="skip"),
        element("nav", element("p", name, class_="name"), element("ul", *links), aria_label="Sections"),
        element("main", top, *(_section(*one) for one in sections), id="content"),
        element("footer", element("p", f"Report of {name}, release digest {release.digest}. Made by plusone.")),
    )
    return f"<!doctype html>\n{element('html', _head(name), body, lang='en')}\n"


def _section(key: str, title: str, content: Markup) -> Markup:
    heading = f"{key}-title"
    return element("section", element("h2", title, id=heading), content, id=key, aria_labelledby=heading)


def _head(name: str) -> Markup:
    style = (Path(__file__).parent / "report.css").read_text("utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{name}: report of the release"),
        # Our own file: no record reaches it.
        join([Markup(f"<style>\n{style}</style>")]),
    )
