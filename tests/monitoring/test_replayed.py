"""What a replay means by the bounds of the project, part by part."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from plusone.base.config import Checks
from plusone.monitoring.replayed import Changed, Labelled, Latency, Refused, Replayed, Slice, judge

CHANGED = Changed(rows=1000, changed=300, share=0.3, low=0.27, high=0.33, means="another label")
LATENCY = Latency(
    rows=256, candidate_ms=0.4, live_ms=0.1, ratio=4.0, low=3.9, high=4.1, batch_rows=256, batch_ratio=2.0
)
FOUND = Replayed(
    model="m", candidate="m@2", live="m@1", requests=1000, rows=1000, first_at="a", last_at="b", releases={"1": 1000},
    changed=CHANGED,
)  # fmt: skip
REFUSED = Refused(field="zed", reason="a number", requests=3, example="p1", message="Row 0 has no field 'zed'.")


def outcome(part: str, bounds: Checks | None = None, **fields: Any) -> tuple[str, str]:
    found = msgspec.structs.replace(FOUND, **fields)
    verdict = next(one for one in judge(found, bounds or Checks()) if one.part == part)
    return verdict.outcome, f"{verdict.message} {' '.join(verdict.warnings)}"


def test_a_request_that_is_refused_fails_and_the_field_is_named():
    assert outcome("errors") == ("passed", "m@2 refuses 0 of 1,000 requests that m@1 answers; allowed are 0 ")
    failed, text = outcome("errors", refused=(REFUSED,))
    assert failed == "failed"
    assert "refuses 3 of 1,000" in text
    assert "3 by the field 'zed': Row 0 has no field 'zed'." in text
    assert outcome("errors", Checks(replay_errors=3), refused=(REFUSED,))[0] == "passed"


def test_requests_that_neither_answers_any_more_are_a_warning():
    passed, text = outcome("errors", refused_by_both=(REFUSED,))
    assert passed == "passed"
    assert "3 of 1,000 requests, answered by an earlier release, are answered by neither m@1 nor m@2" in text


def test_changed_answers_fail_only_when_they_are_surely_beyond_the_bound():
    assert outcome("answers")[0] == "passed"
    assert outcome("answers", Checks(replay_changed=0.28))[0] == "passed", "the interval has the bound inside"
    assert outcome("answers", Checks(replay_changed=0.26))[0] == "failed"
    assert outcome("answers", changed=None)[0] == "not applicable"
    assert outcome("answers", kinds="it answers numbers")[0] == "failed"
    embedding = msgspec.structs.replace(CHANGED, judged=False, low=0.9)
    assert outcome("answers", changed=embedding)[0] == "passed"


def test_a_slice_beyond_the_bound_is_a_warning_and_named():
    part = Slice(field="carrier", values="B6", rows=90, share=0.8, low=0.65, high=0.9, more=True)
    passed, text = outcome("answers", changed=msgspec.structs.replace(CHANGED, slices=(part,)))
    assert passed == "passed"
    assert "most where carrier B6: 80% of 90" in text
    assert "where carrier is B6, 80% of 90 rows are answered differently" in text


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-0.01, 0.03, "passed"), (-0.05, 0.01, "inconclusive"), (-0.05, -0.03, "failed")]
)
def test_labels_decide_by_the_interval(low: float, high: float, expected: str):
    known = Labelled(
        rows=500, metric="accuracy", candidate=0.8, live=0.8, difference=0.0, low=low, high=high, allowed=0.02,
        only_candidate=3, only_live=4, p_value=1.0,
    )  # fmt: skip
    assert outcome("labels", labels=known)[0] == expected


def test_without_labels_or_with_few_nothing_is_said():
    assert outcome("labels")[0] == "not applicable"
    few, text = outcome("labels", labels=Labelled(rows=7, metric="accuracy", candidate=1.0, live=0.0))
    assert few == "not applicable"
    assert "7 rows have their label: fewer than 50" in text


def test_a_slower_release_fails_when_somebody_would_notice():
    assert outcome("latency", latency=LATENCY)[0] == "failed"
    assert outcome("latency", Checks(replay_latency=4.0), latency=LATENCY)[0] == "passed", "the interval has it inside"
    quick = msgspec.structs.replace(LATENCY, candidate_ms=0.04, live_ms=0.01)
    passed, text = outcome("latency", latency=quick)
    assert passed == "passed"
    assert text.count("4.00 times") == 2, "it is a warning"
    assert outcome("latency")[0] == "not applicable"
