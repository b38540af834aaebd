"""The report as a whole: it stands alone, no record can make HTML of it, and it stays small and quick."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from plusone.report import page as page_module
from plusone.report.page import report_html
from tests.report.made import FIGURES, check, material
from tests.report.reading import read

HOSTILE = [
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "</details></main><iframe src=//example.org>",
    "javascript:alert(1)",
    "\x00\ud800\u202e\ufeff",
    "a" * 5000,
]


def texts() -> st.SearchStrategy[str]:
    """Text of all kinds, that of attackers among it."""
    return st.one_of(st.text(), st.text(alphabet="<>&\"'/=!-\x00 ax"), st.sampled_from(HOSTILE))


@pytest.mark.slow
@given(text=texts())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(text=HOSTILE[0])
@example(text=HOSTILE[1])
@example(text=HOSTILE[2])
@example(text=HOSTILE[3])
@example(text=HOSTILE[6])
@example(text=HOSTILE[8])
def test_no_text_of_a_record_becomes_html(text: str):
    html = report_html(material(text))
    html.encode("utf-8")
    assert read(html).faults == []


KEYS = [
    "low",
    "high",
    "limit",
    "candidate",
    "margin",
    "value",
    "figure",
    "metric",
    "live",
    "rows",
    "warning",
    "message",
]


def json_values() -> st.SearchStrategy[Any]:
    """What a check may have measured: any JSON value, whatever its keys say it is."""
    numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 1e308, -1e308, 5e-324]))
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)),
        max_leaves=8,
    )


def measurements() -> st.SearchStrategy[list[dict[str, Any]]]:
    """What a check may have recorded."""
    keys = st.one_of(st.text(max_size=5), st.sampled_from(KEYS))
    return st.lists(st.dictionaries(keys, json_values(), max_size=6), max_size=3)


@pytest.mark.slow
@given(measured=measurements())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_was_measured_is_shown_and_breaks_nothing(measured: list[dict[str, Any]]):
    assert read(report_html(material("x", check(measured=tuple(measured))))).faults == []


def test_the_same_records_give_the_same_page():
    assert report_html(material()) == report_html(material())


def test_it_says_that_nothing_may_be_fetched_and_has_no_address():
    html = report_html(material())
    assert 'http-equiv="Content-Security-Policy" content="default-src &#x27;none&#x27;' in html
    assert "http://" not in html
    assert "https://" not in html
    assert "<script" not in html


def test_every_number_of_a_check_and_the_records_that_it_is_of_are_there():
    measured = {"check": "at_least", "message": "roc_auc is 0.7", "value": 0.65, "candidate": 0.7012, "rows": 12345}
    page = read(report_html(material("x", check(measured=(measured,), output="printed", duration_s=1.25))))
    for part in (
        "roc_auc is 0.7",
        "0.7012",
        "0.65",
        "12,345",
        "1.25 s",
        "printed",
        "From session s1",
        "r1",
        "2" * 64,
        "p" * 64,
    ):
        assert part in page.text, part


def test_a_heading_for_each_part_in_their_order_and_a_way_to_skip_to_it():
    html = report_html(material())
    page = read(html)
    assert page.elements.count("h1") == 1
    titles = [
        "What changed",
        "Checks",
        "Data",
        "Model and package",
        "Decisions and rollout",
        "ML Test Score",
        "Records",
    ]
    places = [html.index(f">{title}</h2>") for title in titles]
    assert places == sorted(places)
    assert "To the content" in page.text
    assert page.elements.count("nav") == page.elements.count("main") == 1


def test_two_hundred_checks_with_ten_thousand_letters_each_are_small_and_quick():
    nan = float("nan")
    bad = "<&\"'>" * 2000
    many = [
        check(
            f"tests/test_{n}.py::test_{'long_' * 30}{n}",
            outcome="failed" if n % 2 else "passed",
            message=bad,
            output=bad,
            measured=({"message": bad, "value": nan, "low": nan, "high": 1.0, "limit": 0.5, "figure": FIGURES[n % 4]},)
            * 3,
        )
        for n in range(200)
    ]
    began = time.process_time()
    html = report_html(material("x", *many))
    took = time.process_time() - began
    assert len(html.encode()) < 3_000_000
    assert took < 1.0
    assert html.count('class="check"') == 200


def test_five_thousand_checks_are_in_a_line_each_and_none_is_lost():
    many = [check(f"tests/test_all.py::test_{n}", outcome="failed" if n == 4999 else "passed") for n in range(5000)]
    html = report_html(material("x", *many))
    assert len(html.encode()) < 3_000_000
    assert read(html).faults == []
    first = html.index('id="check-5000"')
    assert "<details open" in html[first - 60 : first], "what closes the gate is whole, and open"
    assert "and 1,600 more" in html


def _colours() -> dict[str, dict[str, str]]:
    style = (Path(page_module.__file__).parent / "report.css").read_text("utf-8")
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style.split("@media (prefers")[0]))
    dark = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style.split("@media (prefers")[1].split("* {")[0]))
    return {"light": light, "dark": dark}


def _luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_what_is_behind_it(scheme: str):
    """At least 4.5 to 1 for text and 3 to 1 for what is drawn (WCAG 2.2, 1.4.3 and 1.4.11)."""
    colours = _colours()[scheme]
    text = [(name, back) for name in ("ink", "quiet", "link") for back in ("paper", "card")]
    text += [(name, f"{name}-back") for name in ("good", "bad", "warned")] + [
        ("quiet", "plain-back"),
        ("ink", "bad-back"),
    ]
    drawn = [(f"s{n}", "card") for n in range(6)] + [("bad", "card")]
    for least, pairs in ((4.5, text), (3.0, drawn)):
        for name, back in pairs:
            low, high = sorted((_luminance(colours[name]), _luminance(colours[back])))
            assert (high + 0.05) / (low + 0.05) >= least, f"{name} on {back}"
