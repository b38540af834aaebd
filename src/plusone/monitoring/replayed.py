"""What came of asking a release the requests that the live one was asked: records, and what they mean by the bounds."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..base.config import Checks
from ..base.records import Record

__all__ = ["Changed", "Labelled", "Latency", "Refused", "Replayed", "Slice", "Verdict", "judge"]

FEWEST_LABELS = 50
"""Of fewer rows with labels nothing is concluded: the bootstrap's interval would be too short."""
NOTICED_MS = 0.2
"""A release that takes less than this longer for a request is not too slow, whatever the ratio."""

_FEWEST = 50
"""Fewer rows than these close no gate: they are one caller's, or one hour's."""


class Refused(Record, frozen=True, kw_only=True):
    """Requests that were refused for the same reason: about the same field, which expects the same."""

    field: str
    reason: str
    requests: int
    example: str
    """The id of the first of them."""
    message: str
    """What was said to it."""


class Slice(Record, frozen=True, kw_only=True):
    """Rows that have something in common, and how many of them are answered differently."""

    field: str
    values: str
    """The value of the field, or its range; '(missing)', '(others)'."""
    rows: int
    share: float
    low: float
    high: float
    """The ends of the interval of the share. Those of all slices hold together at 95 %."""
    more: bool
    """Whether the whole interval lies above the share of all rows."""


class Changed(Record, frozen=True, kw_only=True):
    """Which rows the release answers differently from the live one, and which rows these are."""

    rows: int
    """How many rows both answered."""
    changed: int
    share: float
    low: float
    high: float
    """The ends of the 95 % interval of the share."""
    means: str
    """What counts as another answer, in words."""
    measured: dict[str, float] = msgspec.field(default_factory=dict)
    judged: bool = True
    """Whether the share is held against a bound: the coordinates of two embeddings mean nothing to each other."""
    slices: tuple[Slice, ...] = ()
    """The worst first."""
    figures: tuple[dict[str, Any], ...] = ()


class Labelled(Record, frozen=True, kw_only=True):
    """Who was right, on the rows whose labels have arrived."""

    rows: int
    metric: str
    candidate: float
    live: float
    difference: float | None = None
    """Positive: the candidate is better. None, as the interval, where there are too few rows."""
    low: float | None = None
    high: float | None = None
    allowed: float = 0.0
    """How much worse it may be, in the unit of the metric."""
    only_candidate: int | None = None
    """Rows that only the candidate had right; None where an answer is not right or wrong."""
    only_live: int | None = None
    p_value: float | None = None
    """McNemar's, exact: of 'both are right equally often'."""


class Latency(Record, frozen=True, kw_only=True):
    """How long both take for the same rows, on the machine that measured it, without a server."""

    rows: int
    candidate_ms: float
    live_ms: float
    """The median of a request of one row."""
    ratio: float
    low: float
    high: float
    """The 95 % interval of the ratio."""
    batch_rows: int
    batch_ratio: float


class Replayed(Record, frozen=True, kw_only=True):
    """A release asked the newest requests of its model, beside the live one."""

    model: str
    candidate: str
    live: str
    requests: int
    rows: int
    """How many rows both answered."""
    first_at: str
    last_at: str
    releases: dict[str, int]
    """How many of the requests each release had answered."""
    refused: tuple[Refused, ...] = ()
    """Requests that the live release answers and the candidate does not, the most frequent reason first."""
    refused_by_both: tuple[Refused, ...] = ()
    """Requests of before that neither answers any more, with what the candidate says."""
    only_candidate: int = 0
    """How many requests only the candidate answers."""
    changed: Changed | None = None
    labels: Labelled | None = None
    latency: Latency | None = None
    kinds: str = ""
    """Why the answers can't be compared; empty when they can."""
    took_s: float = 0.0


class Verdict(Record, frozen=True, kw_only=True):
    """What one part of a replay says: `errors`, `answers`, `labels` or `latency`."""

    part: Literal["errors", "answers", "labels", "latency"]
    outcome: Literal["passed", "failed", "inconclusive", "not applicable"]
    """'Inconclusive' closes no gate here: the tests of the project decide."""
    message: str
    warnings: tuple[str, ...] = ()


def judge(found: Replayed, bounds: Checks) -> tuple[Verdict, ...]:
    """Return what a replay means, part by part, by the bounds of `[tool.plusone.checks]`."""
    return (_errors(found, bounds), _answers(found, bounds), _labels(found), _latency(found, bounds))


def _errors(found: Replayed, bounds: Checks) -> Verdict:
    count = sum(one.requests for one in found.refused)
    before = sum(one.requests for one in found.refused_by_both)
    unanswered = (
        f"{before:,} of {found.requests:,} requests, answered by an earlier release, are answered by neither "
        f"{found.live} nor {found.candidate}: {_reasons(found.refused_by_both)}"
    )
    text = (
        f"{found.candidate} refuses {count:,} of {found.requests:,} requests that {found.live} answers; allowed are "
        f"{bounds.replay_errors:,}"
    )
    if count:
        text += f": {_reasons(found.refused)}"
    outcome = "failed" if count > bounds.replay_errors else "passed"
    return Verdict(part="errors", outcome=outcome, message=text, warnings=(unanswered,) if before else ())


def _reasons(refused: tuple[Refused, ...]) -> str:
    said = [
        f"{one.requests:,}{f' by the field {one.field!r}' if one.field else ''}: {one.message}" for one in refused[:3]
    ]
    return "; ".join(said) + (f"; and {len(refused) - 3} more reasons" if len(refused) > 3 else "")


def _answers(found: Replayed, bounds: Checks) -> Verdict:
    part = "answers"
    if found.kinds:
        return Verdict(part=part, outcome="failed", message=found.kinds)
    changed = found.changed
    if changed is None:
        return Verdict(part=part, outcome="not applicable", message="there is no request that both releases answer")
    text = (
        f"{found.candidate} answers {changed.changed:,} of {changed.rows:,} rows differently from {found.live} "
        f"({changed.share:.1%}, 95% interval {changed.low:.1%} to {changed.high:.1%}; {changed.means})"
    )
    worst = [one for one in changed.slices if one.more][:3]
    if worst:
        shown = ", ".join(f"{one.field} {one.values}: {one.share:.0%} of {one.rows:,}" for one in worst)
        text += f"; most where {shown}"
    if not changed.judged:
        return Verdict(part=part, outcome="passed", message=f"{text}; no bound holds for it")
    bound = bounds.replay_changed
    few = changed.low > bound and changed.rows < _FEWEST
    failed = changed.low > bound and not few
    beyond = [one for one in changed.slices if one.low > bound]
    warnings = [
        f"where {one.field} is {one.values}, {one.share:.0%} of {one.rows:,} rows are answered differently"
        for one in (() if failed else beyond[:3])
    ]
    text += f"; allowed are {bound:.0%}"
    if few:
        warnings = [f"{text}; fewer than {_FEWEST} rows decide nothing"]
    return Verdict(part=part, outcome="failed" if failed else "passed", message=text, warnings=tuple(warnings))


def _labels(found: Replayed) -> Verdict:
    part = "labels"
    known = found.labels
    if known is None:
        return Verdict(part=part, outcome="not applicable", message="no label has arrived for these requests")
    if known.low is None or known.high is None or known.difference is None:
        few = f"{known.rows:,} rows have their label: fewer than {FEWEST_LABELS}, of which nothing follows"
        return Verdict(part=part, outcome="not applicable", message=few)
    text = (
        f"{known.metric} of {found.candidate} is {known.candidate:.4g}, of {found.live} {known.live:.4g} "
        f"(difference {known.difference:+.4g}, 95% interval {known.low:+.4g} to {known.high:+.4g}, {known.rows:,} rows "
        f"with labels); allowed is {known.allowed:.4g} worse"
    )
    if known.p_value is not None:
        text += (
            f"; {known.only_candidate:,} rows only it had right, {known.only_live:,} only {found.live} "
            f"(McNemar's p = {known.p_value:.2g})"
        )
    if known.high < -known.allowed:
        return Verdict(part=part, outcome="failed", message=text)
    if known.low < -known.allowed:
        return Verdict(part=part, outcome="inconclusive", message=f"{text}: the data can't tell")
    return Verdict(part=part, outcome="passed", message=text)


def _latency(found: Replayed, bounds: Checks) -> Verdict:
    part = "latency"
    known = found.latency
    if known is None:
        return Verdict(part=part, outcome="not applicable", message="there is no request that both releases answer")
    text = (
        f"a request of one row takes {found.candidate} {known.candidate_ms:.3g} ms and {found.live} "
        f"{known.live_ms:.3g} ms: {known.ratio:.2f} times (95% interval {known.low:.2f} to {known.high:.2f}); "
        f"{known.batch_rows:,} rows together {known.batch_ratio:.2f} times; allowed is {bounds.replay_latency:g} times"
    )
    slow = known.low > bounds.replay_latency
    noticed = known.candidate_ms - known.live_ms > NOTICED_MS
    outcome = "failed" if slow and noticed else "passed"
    return Verdict(part=part, outcome=outcome, message=text, warnings=(text,) if slow and not noticed else ())
