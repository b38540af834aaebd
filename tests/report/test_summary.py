"""The top of the report: the verdict, the numbers at a glance, what to look at."""

from __future__ import annotations

from typing import Any

import msgspec

from plusone.report.html import Room
from plusone.report.summary import summary, warnings_of
from tests.report.made import check, material, session
from tests.report.reading import Page, read


def shown(**changes: Any) -> Page:
    page = read(summary(material(**changes), Room()))
    page.faults = [fault for fault in page.faults if "leads nowhere" not in fault]
    assert page.faults == []
    return page


BOTH = (check("t.py::a", subject="data"), check("t.py::b"), check("plusone::answers"))


def test_an_open_gate_says_what_let_it_through():
    page = shown(session=session(*BOTH), problems=())
    assert "The gate is open: 2 tests of the project and 1 of plusone's own checks let it through." in page.text


def test_a_closed_gate_says_why_and_that_a_person_went_past_it():
    page = shown(session=session(*BOTH), problems=("a: failed", "b: failed"))
    assert "The gate is closed: 2 reasons, below. A person went past it, by name and with a reason." in page.text
    assert "Why the gate is closed a: failed b: failed" in page.text


def test_without_checks_the_gate_is_closed():
    assert "its gate is closed" in shown(session=None, problems=("none",)).text


def test_tiles_count_the_checks_and_show_a_metric_beside_that_of_the_live_release():
    measured = {"metric": "roc_auc", "candidate": 0.7475, "live": 0.7181}
    page = shown(
        session=session(*BOTH, check("t.py::c", measured=(measured,)), check("t.py::d", outcome="not applicable")),
        problems=(),
    )
    assert "checks passed 4 of 4 1 not applicable" in page.text
    assert "roc_auc 0.7475 the live release had 0.7181" in page.text


def test_warnings_lead_to_their_checks():
    whole = material(session=session(*BOTH, check("t.py::c", measured=({"warning": "look"}, {"warning": "again"}))))
    assert warnings_of(whole) == [("t.py::c: look", "check-4"), ("t.py::c: again", "check-4")]
    assert 'href="#check-4"' in summary(whole, Room())
    assert warnings_of(msgspec.structs.replace(whole, session=None)) == []


def test_reasons_lead_to_the_checks_that_say_them():
    bad = check("plusone::shift[t]", outcome="failed", message="moved")
    whole = material(session=session(*BOTH, bad), problems=("plusone::shift[t]: failed: moved", "no test on the data"))
    html = summary(whole, Room())
    assert '<a href="#check-4">shift[t]: failed: moved</a>' in html
    assert "<li>no test on the data</li>" in html


def test_of_very_many_problems_the_first_are_shown():
    assert "and 60 more" in shown(problems=tuple(f"problem {n}" for n in range(100))).text


def test_one_cause_is_one_reason_and_one_warning():
    checks = [check(f"plusone::{name}[h]", outcome="failed", message=name) for name in ("performance", "slices")]
    warned = {"warning": "temp moved", "column": "temp"}
    checks += [check(f"plusone::shift[{table}]", measured=(warned,)) for table in ("train_set", "weather")]
    closing = ("plusone::performance[h]: failed: performance", "plusone::slices[h]: failed: slices")
    page = shown(session=session(*BOTH, *checks), problems=closing)
    assert "The gate is closed: 1 reason, below." in page.text
    assert "performance[h]: failed: performance (also said by slices[h])" in page.text
    assert "shift[train_set]: temp moved (also said by shift[weather])" in page.text
    assert "warnings 1" in page.text
    assert "closing the gate 2" in page.text
