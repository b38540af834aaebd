"""Decisions, rollouts, the score and the records on the report."""

from __future__ import annotations

from plusone.base.records import Run
from plusone.report.html import Room
from plusone.report.way import records_section, score_section, way_section
from plusone.score.scoring import score_of
from tests.report.made import AT, material
from tests.report.reading import read
from tests.score.made import built_in, case, recorded


def test_every_decision_has_who_when_why_and_its_id():
    page = read(way_section(material("why"), Room()))
    assert "2026-01-31 12:00:00 UTC live past a closed gate why : why i2" in page.text
    assert "Nothing was decided yet." in way_section(material(decisions=()), Room())


def test_a_rollout_has_its_plan_its_judge_and_what_happened():
    page = read(way_section(material("r1"), Room()))
    assert "Rollout beside @1: running" in page.text
    assert "5 % for 1 min 0 s. 1 looks were kept." in page.text
    assert "The judge: go on. r1" in page.text
    assert "began step 1 r1: r1" in page.text


def test_the_score_has_its_sections_its_evidence_and_the_next_step():
    score = material().score
    assert score is not None
    page = read(score_section(score, {}))
    assert page.elements.count("meter") == 4
    assert page.elements.count("tr") == 29
    assert "Next: " in page.text
    assert "as of 2026-01-31 12:00:00 UTC" in page.text


def test_every_record_is_named():
    page = read(records_section(material("name")))
    for word in ("2" * 64, "1" * 64, "p" * 64, "r1", "s1", "e" * 64, "commit name"):
        assert word in page.text, word


def test_a_run_without_an_end_took_a_time_that_nobody_knows():
    run = Run(id="r1", name="x", status="running", started_at=AT)
    assert "a time that is not recorded" in records_section(material(run=run))
    assert "took 0 ms" in records_section(material())


def test_the_checks_that_points_stand_on_lead_to_their_places():
    score = score_of(case(checks=(built_in("columns[t]"), recorded("", test="t.py::<b>", subject="data"))))
    html = score_section(score, {"plusone::columns[t]": "check-7"})
    assert '<a href="#check-7">check plusone::columns[t]</a>' in html
    assert "passed (check t.py::&lt;b&gt;)" in html, "and what is not on the page is text"
