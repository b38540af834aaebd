"""How single pieces of evidence are found among checks."""

from __future__ import annotations

from plusone.base.scored import PointEvidence
from plusone.score.evidence import by_built_in, by_recorded, distinct, of_check, passed
from tests.score.made import built_in, case, recorded


def test_only_what_passed_is_evidence():
    checks = (built_in("rows[t]"), built_in("nulls[t]", "failed"), recorded("fair", outcome="inconclusive"))
    found = case(checks=checks)
    assert [check.test for check in passed(found)] == ["plusone::rows[t]"]
    assert [one.id for one in by_built_in(found, "rows", "nulls")] == ["plusone::rows[t]"]
    assert list(by_recorded(found, "fair")) == []


def test_a_test_of_the_project_is_none_of_plusones_own_whatever_it_is_called():
    found = case(checks=(recorded("", test="columns[t]"),))
    assert list(by_built_in(found, "columns")) == []


def test_each_piece_is_named_once():
    one = of_check(built_in("rows[t]"))
    other = PointEvidence(kind="run", id=one.id, says="")
    assert distinct([one, one, other]) == (one, other)
