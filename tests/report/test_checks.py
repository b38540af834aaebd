"""Checks on the report: the project's apart from plusone's, what closes the gate first, values against limits."""

from __future__ import annotations

from typing import Any

import pytest

from plusone.report.checks import checks_section, facts_of, limit_of
from plusone.report.html import Room
from tests.report.made import FIGURES, check, material
from tests.report.reading import Page, read


def shown(*checks: Any) -> Page:
    return read(checks_section(material("x", *checks), Room()))


def test_the_tests_of_the_project_are_apart_from_plusones_own_and_by_what_they_are_about():
    page = shown(
        check("plusone::answers"),
        check("plusone::columns[t]", subject="data"),
        check(),
        check("a.py::b", subject="data"),
    )
    titles = [
        "The project's tests on the data",
        "The project's tests on the model",
        "plusone's own checks on the data",
        "plusone's own checks on the model",
    ]
    assert [page.text.index(title) for title in titles] == sorted(page.text.index(title) for title in titles)
    assert "columns[t]" in page.text.replace(" ", "")


def test_what_closes_the_gate_comes_first_and_then_what_warns():
    page = shown(
        check("a.py::good"), check("a.py::warns", measured=({"warning": "look"},)), check("a.py::bad", outcome="failed")
    )
    places = [page.text.index(word) for word in ("bad", "look", "good")]
    assert places == sorted(places)
    assert page.ids == ["check-3", "check-2", "check-1"], "the ids are the places in the session"


def test_what_closes_warns_or_has_a_figure_is_open_and_the_rest_folded():
    html = checks_section(
        material(
            "x",
            check("a.py::bad", outcome="failed"),
            check("a.py::drawn", measured=({"figure": FIGURES[0]},)),
            check("a.py::good", output="printed"),
            check("plusone::shift[t]", subject="data", measured=({"figure": FIGURES[0]},)),
            check("plusone::performance[t]", measured=({"figure": FIGURES[0]},)),
        ),
        Room(),
    )
    opened = {part.split('id="')[1].split('"')[0] for part in html.split("<details open")[1:]}
    assert opened == {"check-1", "check-2", "check-5"}


def test_a_message_that_was_recorded_is_not_said_twice():
    one = check(outcome="inconclusive", message="it is 0.7. More rows would.", measured=({"message": "it is 0.7"},))
    assert shown(one).text.count("it is 0.7") == 2  # behind the name, and in the record
    assert "More rows would." in shown(one).text
    assert "of its own" in shown(check(outcome="failed", message="of its own", measured=({"message": "it"},))).text


def test_what_a_message_ends_with_and_an_output_that_is_the_message_are_not_said_twice():
    measured = ({"message": "losses 0.2 and 0.1"},)
    text = "it loses more: losses 0.2 and 0.1"
    page = shown(check(outcome="failed", message=text, measured=measured, output="it loses more:\n losses 0.2 and 0.1"))
    assert page.text.count("losses 0.2 and 0.1") == 2  # behind the name, and in the message
    assert "Output" not in page.text
    assert "Output" in shown(check(outcome="failed", message=text, output=f"in test_it:\n{text}")).text


def test_a_list_of_nothing_says_so():
    assert facts_of({"unused": [], "slices": ()}) == {"unused": "none", "slices": "none"}


def test_lists_of_cases_are_tables():
    page = shown(check(measured=({"cases": [{"case": "a", "value": 1}, {"case": "b", "value": 2.5}]},)))
    assert page.elements.count("tr") == 3
    assert "2.5" in page.text


def test_what_a_row_of_a_table_is_about_comes_first():
    rows = [{"bad": True, "difference": -0.4, "rows": 36, "slice": "x 6 to 14"}, {"bad": False, "difference": -0.3}]
    page = shown(check(measured=({"slices": rows},)))
    places = [page.text.index(word) for word in ("x 6 to 14", "-0.4", "36")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("measured", "limit"),
    [
        ({"margin": 0.01}, ("margin", -0.01)),
        ({"value": 0.65, "limit": 0.5}, ("limit", 0.5)),
        ({"limit": True}, None),
        ({"limit": "0.5"}, None),
        ({"limit": 10**400}, None),
        ({}, None),
    ],
)
def test_a_margin_allows_what_is_below_zero(measured: dict[str, Any], limit: Any):
    assert limit_of(measured) == limit


def test_an_interval_is_drawn_where_it_has_a_limit():
    whole = {"difference": 0.1, "low": 0.0, "high": 0.2, "margin": 0.01}
    assert "interval 0 to 0.2, limit -0.01" in checks_section(material("x", check(measured=(whole,))), Room())
    for name in ("low", "high", "margin"):
        part = {key: value for key, value in whole.items() if key != name}
        assert "interval" not in checks_section(material("x", check(measured=(part,))), Room())


def test_facts_leave_out_what_is_said_already():
    assert facts_of({"check": "x", "message": "m", "figure": {}, "rows": 1200, "cases": [{"a": 1}], "low": None}) == {
        "rows": "1,200", "low": "-",
    }  # fmt: skip


def test_without_a_session_it_says_so():
    assert "no session" in checks_section(material(session=None), Room())


def test_checks_of_plusones_own_that_say_one_sentence_and_no_more_are_together_and_all_there():
    same = {"rows": 3, "message": "the data is that of the live release"}
    named = [check(f"plusone::{name}[t]", subject="data", measured=(same,)) for name in ("rows", "gaps", "nulls")]
    other = check("plusone::units[t]", subject="data", measured=({"message": "all in miles"},))
    html = checks_section(material("x", *named, other, check("a.py::b", measured=(same,))), Room())
    page = read(html)
    assert "passed 3 checks the data is that of the live release" in page.text
    assert "2 checks" not in page.text
    for place, one in enumerate((*named, other)):
        assert f'id="check-{place + 1}"' in html
        assert one.test.removeprefix("plusone::") in page.text.replace(" ", "")
