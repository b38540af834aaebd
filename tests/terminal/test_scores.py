"""The score for people."""

from __future__ import annotations

import pytest

from plusone.score.evidence import Case
from plusone.score.scoring import score_of
from plusone.terminal.scores import print_noted, print_notes, print_score
from tests.score.made import AT, note, whole


def test_points_have_marks_and_their_evidence(capsys: pytest.CaptureFixture[str]):
    print_score(score_of(whole()))
    said = capsys.readouterr().out
    assert said.startswith("m@3  the ML Test Score\n")
    assert "  1 6 It is good enough on every slice of the data that matters" in said
    assert "  ½ 5 Private data is guarded all along the pipeline\n      note n-data-5" in said
    assert "next, the cheapest: " in said


def test_a_longer_bar_is_a_larger_sum(capsys: pytest.CaptureFixture[str]):
    print_score(score_of(whole()))
    full = [line.count("█") for line in capsys.readouterr().out.splitlines() if " of 7" in line]
    print_score(score_of(Case(model="m", release=None, at=AT)))
    none = [line.count("█") for line in capsys.readouterr().out.splitlines() if " of 7" in line]
    assert none == [0, 0, 0, 0]
    assert all(0 < count < 28 for count in full)


def test_notes_say_how_long_they_count(capsys: pytest.CaptureFixture[str]):
    print_noted(note("data-5"), 180)
    print_noted(note("data-5", checked_by="tests/t.py::test_a"), 180)
    print_notes([note("data-5"), note("data-4", checked_by="tests/t.py::test_a")])
    said = capsys.readouterr().out
    assert "half a point for 180 days" in said
    assert "1 point while tests/t.py::test_a passes" in said
    assert "by hand" in said
