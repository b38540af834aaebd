"""What the story claims: each claim is a comparison of measured numbers, and says them."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from .commands import Failure, Ran
from .measure import Log, Span, Switch, control_spans, count_releases, find_switch, longest_gap, quantile

__all__ = ["Claim", "Facts", "claims"]

T = TypeVar("T")

SPAN_S = 3.0
"""Gaps are looked for in spans of this length: one around each swap, and the others to compare with."""
GAP_S = 0.25
"""A gap at a swap that no caller would notice, on a machine whose two cores are busy with training."""
SWAP_S = 2.0
"""From the decision until only the new release answers."""
ROLLBACK_S = 5.0
"""From the start of `plusone rollback` to an answer by release 1: most of it is the start of a Python process."""
CLOCK_S = 0.05
"""How far the wall clock, which decisions are dated by, may differ from the clock of the traffic."""


class Facts:
    """What was measured and what the commands answered, filled in as the story goes on."""

    first: Ran
    second: Ran
    third: Ran
    rollback: Ran
    third_checks: Ran
    status: dict[str, Any]
    decisions: list[dict[str, Any]]
    address = ""
    began = 0.0
    ended = 0.0

    def __init__(self, *, rate: float, model: str, log: Log) -> None:
        self.rate = rate
        self.model = model
        self.log = log

    @property
    def traffic(self) -> Span:
        """From the first request sent to the last answer."""
        answers = self.log.answers
        if not answers:
            raise Failure("no request was sent")
        return Span(min(a.sent for a in answers), max(a.answered for a in answers))

    def swap_to(self, release: int) -> Switch | None:
        """Return when the traffic went over to release 2, by `plusone release`, or back to 1, by `plusone rollback`."""
        if release == 2:
            span = Span(self.second.issued, self.rollback.issued)
        else:
            span = Span(self.rollback.issued, self.traffic.end)
        return find_switch(self.log.answers, old=3 - release, new=release, span=span)


class Claim(NamedTuple):
    """One sentence of the summary, the numbers measured for it, and whether they bear it out."""

    true: bool
    text: str
    measured: str


def claims(facts: Facts) -> list[Claim]:
    """Return every claim of the demo. One that can't be measured is not true."""
    makers: list[Callable[[Facts], Iterator[Claim]]] = [
        _release_1,
        _requests,
        _release_2,
        _release_3,
        _rollback,
        _store,
    ]
    found: list[Claim] = []
    for maker in makers:
        try:
            found += maker(facts)
        except (Failure, KeyError, IndexError, TypeError, AttributeError) as error:
            found.append(
                Claim(
                    False,
                    f"claims on {maker.__name__.strip('_').replace('_', ' ')}",
                    f"not measured: {type(error).__name__}: {error}",
                )
            )
    return found


def _release_1(facts: Facts) -> Iterator[Claim]:
    made = facts.first.answer
    passed = sum(check["outcome"] == "passed" for check in made["checks"])
    good = facts.first.code == 0 and made["outcome"] == "live" and made["release"] == 1 and passed > 1
    yield Claim(good, "release 1 went live", f"{passed} checks passed, on the data and on the packaged model")


def _requests(facts: Facts) -> Iterator[Claim]:
    answers, span, failed = facts.log.answers, facts.traffic, facts.log.failed
    spent = span.end - span.start
    latency = [answer.answered - answer.sent for answer in answers if not answer.failed]
    through = span.start < facts.second.issued and facts.swap_to(1) is not None and span.end > facts.rollback.returned
    text = f"{len(answers):,} requests in {spent:.0f} s through both swaps, {len(failed)} failed; "
    text += f"half within {quantile(latency, 0.5) * 1000:.1f} ms, 99 % within {quantile(latency, 0.99) * 1000:.0f} ms"
    if failed:
        text += f"; the first that failed: status {failed[0].status} {failed[0].error}"
    yield Claim(not failed and through and len(answers) >= 0.9 * facts.rate * spent, "not one request failed", text)


def _release_2(facts: Facts) -> Iterator[Claim]:
    made = facts.second.answer
    comparison = _only(one for one in _measured(made) if one["check"] == "no_worse")
    live = facts.second.code == 0 and made["outcome"] == "live" and made["release"] == 2
    good = live and comparison["outcome"] == "passed" and comparison["low"] >= -comparison["margin"]
    yield Claim(good, "release 2 passed the gate", _compared(comparison))
    yield _swapped(facts, made, new=2)


def _release_3(facts: Facts) -> Iterator[Claim]:
    made = facts.third.answer
    stopped = [check for check in made["checks"] if check["outcome"] == "failed"]
    comparison = _only(one for one in _measured(made) if one["check"] == "no_worse")
    test = _only(check["test"] for check in stopped if comparison in check["measured"])
    closed = facts.third.code == 1 and made["outcome"] == "failed" and made["release"] == 3
    good = closed and comparison["outcome"] == "failed" and comparison["high"] < -comparison["margin"]
    more = f" (and {len(stopped) - 1} more)" if len(stopped) > 1 else ""
    yield Claim(good, "release 3 was stopped at the gate", f"by {test}{more}: {_compared(comparison)}")
    seen = count_releases(facts.log.answers)
    counts = ", ".join(f"{count:,} by release {number}" for number, count in seen.items() if number != 3)
    yield Claim(
        set(seen) == {1, 2}, "live traffic never saw release 3", f"answers: {counts}, {seen.get(3, 0)} by release 3"
    )
    shown = facts.third_checks.code == 1 and test.split("::")[-1] in facts.third_checks.output
    yield Claim(shown, "where to look", f"plusone checks {facts.model}@3")


def _rollback(facts: Facts) -> Iterator[Claim]:
    made = facts.rollback.answer
    swap = facts.swap_to(1)
    seconds = swap.first_new - facts.rollback.issued if swap else float("inf")
    good = facts.rollback.code == 0 and made["release"] == 1 and seconds < ROLLBACK_S
    yield Claim(good, "rolled back at once", f"{seconds:.2f} s from the start of the command to an answer by release 1")
    yield _swapped(facts, made, new=1)


def _store(facts: Facts) -> Iterator[Claim]:
    model = _only(one for one in facts.status["models"] if one["model"] == facts.model)
    stages = {one["number"]: one["stage"] for one in model["releases"]}
    good = stages == {1: "live", 2: "rolled back", 3: "failed"} and len(facts.decisions) > len(stages)
    told = ", ".join(f"{number} {stage}" for number, stage in stages.items())
    yield Claim(good, "the store has kept it all", f"releases {told}; {len(facts.decisions)} decisions")


def _swapped(facts: Facts, made: dict[str, Any], *, new: int) -> Claim:
    """Claim that release `new` took over soon, with no gap, and that the other one answered nothing afterwards."""
    title = f"swapped {3 - new} -> {new} without a gap"
    swap = facts.swap_to(new)
    if swap is None:
        return Claim(False, title, f"release {new} never answered")
    decided_at = _monotonic(
        _only(one["at"] for one in made["decisions"] if one["release"] == new and one["after"] == "live")
    )
    swaps = [one for one in (facts.swap_to(2), facts.swap_to(1)) if one]
    spans = control_spans(facts.traffic, SPAN_S, [_window(one) for one in swaps])
    control = [longest_gap(facts.log.answers, span) for span in spans]
    gap = longest_gap(facts.log.answers, _window(swap))
    first, last = swap.first_new - decided_at, max(0.0, swap.last_old - decided_at)
    text = (
        f"first answer by {new} {first * 1000:.0f} ms after the decision, last by {3 - new} {last * 1000:.0f} ms; "
        f"longest gap {gap * 1000:.0f} ms (elsewhere {min(control, default=0) * 1000:.0f} to "
        f"{max(control, default=0) * 1000:.0f} ms)"
    )
    quick = -CLOCK_S < first < SWAP_S and last < SWAP_S
    return Claim(quick and len(control) >= 3 and gap <= max(GAP_S, max(control)), title, text)


def _window(swap: Switch) -> Span:
    middle = (swap.first_new + max(swap.first_new, swap.last_old)) / 2
    return Span(middle - SPAN_S / 2, middle + SPAN_S / 2)


def _measured(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for check in made["checks"] for one in check["measured"]]


def _compared(one: dict[str, Any]) -> str:
    return (
        f"{one['metric']} {one['candidate']:.3f}, of the live one {one['live']:.3f}, "
        f"on the same {one['rows']:,} flights ({one['low']:+.3f} to {one['high']:+.3f})"
    )


def _only(found: Iterator[T]) -> T:
    """Return the first of what was looked for. Raises Failure when there is none."""
    for one in found:
        return one
    raise Failure("what it is about is missing from the answers of the commands")


def _monotonic(moment: str) -> float:
    """Return a decision's time on the clock that the traffic is measured by."""
    at = dt.datetime.fromisoformat(moment).timestamp()
    return time.monotonic() - (time.time() - at)
