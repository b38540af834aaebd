"""The demo's claims: true of a story that went well, and each of them false when its numbers are not there."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.demo.commands import Ran
from examples.demo.measure import Answer, Log
from examples.demo.summary import Facts, claims

BEGAN = time.monotonic() - 100.0
SWAPPED, ROLLED_BACK, ENDED = 20.0, 40.0, 50.0


def moment(at: float) -> str:
    """Return the time `at` seconds after BEGAN as decisions are dated."""
    wall = dt.datetime.fromtimestamp(time.time() - time.monotonic() + BEGAN + at, dt.UTC)
    return wall.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ran(answer: Any, code: int = 0, issued: float = 0.0, returned: float = 0.0) -> Ran:
    return Ran(code, BEGAN + issued, BEGAN + returned, json.dumps(answer), "")


def made(release: int, outcome: str, at: float, comparison: dict[str, Any] | None) -> dict[str, Any]:
    checks: list[dict[str, Any]] = [{"test": f"t.py::test_{i}", "outcome": "passed", "measured": []} for i in range(3)]
    if comparison:
        checks.append({"test": "t.py::test_worse", "outcome": comparison["outcome"], "measured": [comparison]})
    decisions = [{"release": release, "after": "live", "at": moment(at)}]
    return {"release": release, "outcome": outcome, "checks": checks, "decisions": decisions}


def comparison(outcome: str, low: float, high: float) -> dict[str, Any]:
    numbers = {"candidate": 0.75, "live": 0.72, "rows": 1000, "margin": 0.005, "low": low, "high": high}
    return {"check": "no_worse", "metric": "roc_auc", "outcome": outcome, **numbers}


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """What a good story leaves: 50 answers a second for 50 s, by release 1, then 2, then 1 again."""
    facts = Facts(rate=50.0, model="m", log=Log(tmp_path / "none"))
    for place in range(int(ENDED * 50)):
        at = place / 50
        release = 2 if SWAPPED <= at < ROLLED_BACK else 1
        facts.log.answers.append(Answer(BEGAN + at, BEGAN + at + 0.002, 200, release))
    facts.first = ran(made(1, "live", -10, None))
    facts.second = ran(made(2, "live", SWAPPED, comparison("passed", 0.01, 0.04)), issued=5, returned=21)
    facts.third = ran(made(3, "failed", 35, comparison("failed", -0.06, -0.04)), code=1, issued=25, returned=36)
    facts.rollback = ran(made(1, "live", ROLLED_BACK, None), issued=39.5, returned=40.1)
    facts.third_checks = Ran(1, 0, 0, "failed  t.py::test_worse", "")
    stages = {1: "live", 2: "rolled back", 3: "failed"}
    facts.status = {"models": [{"model": "m", "releases": [{"number": n, "stage": s} for n, s in stages.items()]}]}
    facts.decisions = [{}] * 8
    return facts


def false(facts: Facts) -> set[str]:
    return {claim.text for claim in claims(facts) if not claim.true}


def test_a_story_that_went_well_bears_out_every_claim(facts: Facts) -> None:
    found = claims(facts)
    assert [claim for claim in found if not claim.true] == []
    assert len(found) == 10


def fail_one(facts: Facts) -> None:
    bad = facts.log.answers[1000]._replace(status=503, release=0)
    facts.log.answers[1000] = bad
    facts.log.failed.append(bad)


def answer_by_three(facts: Facts) -> None:
    facts.log.answers[1500] = facts.log.answers[1500]._replace(release=3)


def silence_at_the_swap(facts: Facts) -> None:
    facts.log.answers = [one for one in facts.log.answers if not SWAPPED <= one.sent - BEGAN < SWAPPED + 0.5]


def old_one_goes_on(facts: Facts) -> None:
    facts.log.answers[1700] = facts.log.answers[1700]._replace(release=1)


def traffic_ends_early(facts: Facts) -> None:
    facts.log.answers = [one for one in facts.log.answers if one.sent - BEGAN < ROLLED_BACK - 1]


def traffic_begins_late(facts: Facts) -> None:
    facts.log.answers = [one for one in facts.log.answers if one.sent - BEGAN > 6]


def release_three_passes(facts: Facts) -> None:
    facts.third = ran(made(3, "live", 35, comparison("passed", 0.0, 0.01)), issued=25, returned=36)


def release_two_was_unsure(facts: Facts) -> None:
    facts.second = ran(made(2, "live", SWAPPED, comparison("inconclusive", -0.01, 0.04)), issued=5, returned=21)


def rollback_is_slow(facts: Facts) -> None:
    facts.rollback = facts.rollback._replace(issued=BEGAN + 30)


def store_forgot(facts: Facts) -> None:
    facts.status["models"][0]["releases"].pop()


def no_answer_of_a_command(facts: Facts) -> None:
    facts.first = facts.first._replace(output="Traceback ...", code=3)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (fail_one, {"not one request failed"}),
        (answer_by_three, {"live traffic never saw release 3"}),
        (silence_at_the_swap, {"swapped 1 -> 2 without a gap"}),
        (old_one_goes_on, {"swapped 1 -> 2 without a gap"}),
        (traffic_ends_early, {"not one request failed", "rolled back at once", "swapped 2 -> 1 without a gap"}),
        (traffic_begins_late, {"not one request failed"}),
        (release_three_passes, {"claims on release 3"}),
        (release_two_was_unsure, {"release 2 passed the gate"}),
        (rollback_is_slow, {"rolled back at once"}),
        (store_forgot, {"the store has kept it all"}),
        (no_answer_of_a_command, {"claims on release 1"}),
    ],
)
def test_each_claim_is_false_when_its_numbers_are_not_there(
    facts: Facts, spoil: Callable[[Facts], None], expected: set[str]
) -> None:
    spoil(facts)
    assert false(facts) == expected
