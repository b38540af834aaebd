"""Checks for people: sentences once, values below them, outputs when asked."""

from __future__ import annotations

import pytest

from plusone.app.views import Difference
from plusone.terminal.checks import print_difference, print_session, print_sessions
from tests.report.made import FIGURES, check, session


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_message_that_was_recorded_is_said_once_and_figures_are_not_printed(capsys: pytest.CaptureFixture[str]):
    measured = {"message": "it is 0.7", "rows": 1200, "figure": FIGURES[0], "cases": [{"a": 1}]}
    one = check(outcome="inconclusive", message="it is 0.7. More rows would.", measured=(measured,))
    print_session(session(one))
    text = said(capsys)
    assert text.count("  it is 0.7. More rows would.\n") == 1
    assert "  it is 0.7\n" not in text
    assert "    rows 1200\n" in text
    assert "kind" not in text
    assert "1,200" in text


def test_an_output_is_shown_when_asked(capsys: pytest.CaptureFixture[str]):
    one = check(output="a\nb\n")
    print_session(session(one))
    assert "  | a" not in said(capsys)
    print_session(session(one), show_output=True)
    assert "  | a\n  | b\n" in said(capsys)


def test_a_part_of_a_session_says_nothing_of_the_gate(capsys: pytest.CaptureFixture[str]):
    one, other = check("a.py::one"), check("a.py::other")
    print_session(session(one, other), shown=[one], whole=False)
    text = said(capsys)
    assert "other" not in text
    assert "gate" not in text


def test_sessions_are_a_line_each(capsys: pytest.CaptureFixture[str]):
    print_sessions([session(check(outcome="failed"), check(measured=({"warning": "w"},)))])
    assert said(capsys).splitlines()[1].split() == ["s1", "2026-01-31", "12:00:00", "2", "1", "1", "closed"]


def test_when_nothing_differs_it_says_so(capsys: pytest.CaptureFixture[str]):
    names = ("settings", "code", "environment", "data", "metrics", "checks", "signature")
    print_difference(Difference(model="m", a=1, b=2, **{name: {} for name in names}))
    assert said(capsys).endswith("nothing differs\n")


def test_one_sentence_of_many_checks_is_printed_once_and_one_cause_is_one_reason(capsys: pytest.CaptureFixture[str]):
    same = {"rows": 3, "message": "the data is that of the live release"}
    alike = [check(f"plusone::{name}[t]", subject="data", measured=(same,)) for name in ("rows", "gaps")]
    idle = check("plusone::units[t]", subject="data", outcome="not applicable", message="nothing to compare with")
    worse = [check(f"plusone::{name}[h]", outcome="failed", message=name) for name in ("performance", "baseline")]
    print_session(session(check(), *alike, idle, *worse))
    text = said(capsys)
    assert text.count("the data is that of the live release") == 1
    assert "passed: the data is that of the live release (2 checks)\n  rows[t], gaps[t]\n" in text
    assert "not applicable: nothing to compare with\n  units[t]\n" in text
    assert "  - plusone::performance[h]: failed: performance (also said by baseline[h])\n" in text
    assert "  - plusone::baseline[h]" not in text
    # What each said is there all the same.
    assert "baseline[h]\n  baseline\n" in text
    print_session(session(check(), *alike), show_output=True)
    assert said(capsys).count("the data is that of the live release") == 2


def test_a_difference_shows_what_was_measured_and_passes_over_what_was_only_drawn(capsys: pytest.CaptureFixture[str]):
    names = ("settings", "code", "environment", "data", "metrics", "checks", "signature")
    pair = [None, {"outcome": "failed", "measured": [{}, {"rows": 600}]}]
    empty = {name: {} for name in names}
    print_difference(Difference(model="m", a=1, b=2, **(empty | {"checks": {"plusone::replay[answers]": pair}})))
    assert "failed rows 600" in said(capsys)
