"""Judges a candidate against the live release on the traffic that both have: go on, hold and ask, or roll back.

Pure functions: `look` takes what was counted so far and what it remembers of earlier looks, and may be called at any
time, any number of times. Four comparisons roll back, each with a quarter of `alpha`: errors, answers that can't be,
times, and labels. So of candidates that are no worse than live, at most the share `alpha` is ever rolled back, whenever
one looks and however often (the four add up; each by Ville's inequality, see `statistics/sequential.py`).
What was answered is compared too, and never rolls back: a retrained model is meant to answer differently.
"""

from __future__ import annotations

import math
import zlib
from typing import Annotated, Any, Literal

from msgspec import Meta, field
from msgspec.structs import replace

from ..base.records import Record
from ..base.rollouts import Evidence
from ..statistics.comparison import Answers, Pair, Rates, Times, add_answers, add_rates, add_times, quantile

__all__ = ["JudgeState", "Judging", "LabelEvidence", "Verdict", "look"]

Share = Annotated[float, Meta(ge=0, lt=1)]
Chance = Annotated[float, Meta(gt=0, lt=1)]

_BACK = ("errors", "invalid", "latency", "labels")
_PATIENCE = 10
"""Looks for which counts may lie below what was seen, before they are taken for a new beginning."""
_BUCKETS = 128
"""Of more different answers than these some are counted together: the state is written at every look."""
_MOST = 10**9
_OCTAVE = 8


class Judging(Record, frozen=True, kw_only=True):
    """How sure the judge has to be, and what it puts up with."""

    alpha: Chance = 0.05
    """Of candidates that are no worse than live, at most this share is rolled back."""
    alpha_tolerated: Chance = 0.1
    """Of candidates that are worse in one respect, and by no more than is tolerated there, at most this share is rolled
    back for it."""
    errors_tolerance: Share = 0.001
    """The share of what live answers that a candidate may fail in addition."""
    invalid_tolerance: Share = 0.001
    """The share of live's valid answers that may be invalid in addition."""
    labels_tolerance: Share = 0.01
    """The share of what live gets right that a candidate may get wrong."""
    latency_tolerance: Annotated[float, Meta(ge=0, le=100)] = 0.09
    """How much longer a candidate may take, 0.09 for 9 %; rounded up to a whole number of eighths of a doubling."""
    latency_floor_s: Annotated[float, Meta(ge=1e-6, le=1000)] = 0.001
    """Times below it count as equal: which of two models waits for the other decides there."""
    warm_up_looks: Annotated[int, Meta(ge=0)] = 5
    """Looks from the candidate's first answer on in which times are not judged."""
    expected_shift: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """How far the answers may lie from live's before a person is asked: total variation distance, 0 to 1."""


class LabelEvidence(Record, frozen=True, kw_only=True):
    """Labelled predictions since the rollout began: only those made while both releases were asked."""

    live: int = 0
    live_wrong: int = 0
    candidate: int = 0
    candidate_wrong: int = 0


class Verdict(Record, frozen=True, kw_only=True):
    """What a look comes to."""

    action: Literal["go on", "hold", "roll back"]
    reasons: tuple[str, ...]
    """Sentences for people: of a rollback and a hold what they are for, otherwise how each comparison stands."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Counts, rates and e-values of each comparison, as JSON."""


class JudgeState(Record, frozen=True, kw_only=True):
    """What has to be remembered from one look to the next; as JSON some kilobytes."""

    live: Evidence = Evidence()
    """What was counted at the look before."""
    candidate: Evidence = Evidence()
    label_counts: LabelEvidence = LabelEvidence()
    looks: int = 0
    warm: int = 0
    """Looks since the candidate's first time of its own."""
    behind: int = 0
    """Looks in a row at which counts were lower than before."""
    folded: bool = False
    """Whether there are so many different answers that some are counted together."""
    errors: Rates = Rates()
    invalid: Rates = Rates()
    labels: Rates = Rates()
    latency: Times = Times()
    outputs: Answers = Answers()
    decided: dict[str, str] = field(default_factory=dict)
    """What the candidate is rolled back for, with the sentence that said so first."""


def look(
    state: JudgeState | None,
    settings: Judging,
    live: Evidence,
    candidate: Evidence,
    labels: LabelEvidence | None = None,
) -> tuple[JudgeState, Verdict]:
    """Return what to remember, and the verdict.

    All counts are cumulative. The first look, with no state, only takes note of them; a later one judges what came
    since. Counts may stand still or jump: a single look multiplies no e-value by more than the root of its bar, so that
    none decides alone. Counts that went back are waited for (a file that can't be read for a moment), and after ten
    looks taken as they are. Never raises for what the evidence says.

    A verdict to roll back stands: later looks repeat it. A candidate without latency counts is not judged by them; that
    is so for copies, whose waiting says nothing of the release. Begin a new state when copies end and traffic begins.
    """
    told = labels or (state.label_counts if state else LabelEvidence())
    live, candidate = _cleaned(live), _cleaned(candidate)
    if state is None:
        state = JudgeState(label_counts=told)
        state = replace(state, live=live, candidate=candidate)
    else:
        state = _fold(state, live, candidate)
        live, candidate = (_folded(one) if state.folded else one for one in (live, candidate))
        back = _went_back(state, live, candidate, told)
        if not back:
            state = _judged(state, settings, live, candidate, told)
        if not back or state.behind >= _PATIENCE:
            state = replace(state, live=live, candidate=candidate, label_counts=told, behind=0)
        else:
            state = replace(state, behind=state.behind + 1)
    state = replace(state, looks=state.looks + 1)
    state = _decide(state, settings)
    return state, _verdict(state, settings)


# ---------------------------------------------------------------------------------------------- what came since


def _judged(
    state: JudgeState, settings: Judging, live: Evidence, candidate: Evidence, told: LabelEvidence
) -> JudgeState:
    """Return the state with every comparison one look further."""
    cap = math.log(_bar(settings)) / 2
    theirs, ours, before = _since(state.live, live), _since(state.candidate, candidate), state.label_counts
    times, own_times = _times(theirs), _times(ours)
    warm = state.warm + 1 if state.warm or own_times else 0
    latency = state.latency
    if warm > settings.warm_up_looks:
        latency = add_times(latency, times, own_times, bins=_bins(settings), floor=_floor(settings), cap=cap)
    return replace(
        state,
        warm=warm,
        latency=latency,
        errors=add_rates(
            state.errors,
            _pair(theirs.requests, theirs.errors),
            _pair(ours.requests, ours.errors),
            tolerance=settings.errors_tolerance,
            cap=cap,
        ),
        invalid=add_rates(
            state.invalid,
            _invalid_at_most(theirs),
            _invalid_at_least(ours),
            tolerance=settings.invalid_tolerance,
            cap=cap,
        ),
        labels=add_rates(
            state.labels,
            _pair(told.live - before.live, told.live_wrong - before.live_wrong),
            _pair(told.candidate - before.candidate, told.candidate_wrong - before.candidate_wrong),
            tolerance=settings.labels_tolerance,
            cap=cap,
        ),
        outputs=add_answers(state.outputs, _answers(theirs), _answers(ours), cap=-math.log(settings.alpha) / 2),
    )


def _went_back(state: JudgeState, live: Evidence, candidate: Evidence, told: LabelEvidence) -> bool:
    before = state.label_counts
    return (
        _fell(state.live, live)
        or _fell(state.candidate, candidate)
        or told.live < before.live
        or told.candidate < before.candidate
    )


def _fell(before: Evidence, now: Evidence) -> bool:
    numbers = ("requests", "errors", "rows", "invalid")
    if any(getattr(now, name) < getattr(before, name) for name in numbers):
        return True
    pairs = ((before.latency, now.latency), (before.outputs, now.outputs))
    return any(late.get(key, 0) < count for early, late in pairs for key, count in early.items())


def _since(before: Evidence, now: Evidence) -> Evidence:
    return Evidence(
        requests=min(now.requests - before.requests, _MOST),
        errors=min(now.errors - before.errors, _MOST),
        rows=min(now.rows - before.rows, _MOST),
        invalid=min(now.invalid - before.invalid, _MOST),
        latency=_added(before.latency, now.latency),
        outputs=_added(before.outputs, now.outputs),
    )


def _added(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    more = {key: min(count - before.get(key, 0), _MOST) for key, count in now.items()}
    return {key: count for key, count in more.items() if count > 0}


def _cleaned(evidence: Evidence) -> Evidence:
    """Return the evidence without what can't be: negative counts, and times that are no bucket."""
    return Evidence(
        requests=max(evidence.requests, 0),
        errors=max(evidence.errors, 0),
        rows=max(evidence.rows, 0),
        invalid=max(evidence.invalid, 0),
        latency={key: count for key, count in evidence.latency.items() if count > 0 and _is_bucket(key)},
        outputs={key: count for key, count in evidence.outputs.items() if count > 0},
    )


def _is_bucket(key: str) -> bool:
    digits = key.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 4


def _pair(many: int, failed: int) -> Pair:
    many = max(many, 0)
    return many, min(max(failed, 0), many)


def _invalid_at_most(more: Evidence) -> Pair:
    """Return answered requests, and how many of them can have had an invalid row."""
    return _pair(more.requests - more.errors, more.invalid)


def _invalid_at_least(more: Evidence) -> Pair:
    """Return answered requests, and how many of them must have had an invalid row.

    Rows of one request stand and fall together, so requests are what is counted. Each has a row at least: the rows
    beyond that may all be those of one request.
    """
    answered = more.requests - more.errors
    spare = max(more.rows - answered, 0)
    return _pair(answered, max(more.invalid - spare, min(more.invalid, 1)))


def _times(more: Evidence) -> dict[int, int]:
    return {int(key): count for key, count in more.latency.items()}


def _answers(more: Evidence) -> dict[str, float]:
    """Return answers by bucket, those of one request together as one."""
    weight = min(1.0, max(more.requests - more.errors, 0) / max(sum(more.outputs.values()), 1))
    return {key: count * weight for key, count in more.outputs.items()} if weight else {}


def _fold(state: JudgeState, live: Evidence, candidate: Evidence) -> JudgeState:
    if state.folded or len(live.outputs.keys() | candidate.outputs.keys()) <= _BUCKETS:
        return state
    outputs = state.outputs
    return replace(
        state,
        folded=True,
        live=_folded(state.live),
        candidate=_folded(state.candidate),
        outputs=replace(outputs, live=_together(outputs.live), candidate=_together(outputs.candidate)),
    )


def _folded(evidence: Evidence) -> Evidence:
    return replace(evidence, outputs=_together(evidence.outputs))


def _together(counts: dict[str, Any]) -> dict[str, Any]:
    """Return counts of many keys by fewer: two distributions are never further apart by them than they were."""
    fewer: dict[str, Any] = {}
    for key, count in sorted(counts.items()):
        name = str(zlib.crc32(_coarse(key).encode("utf-8", "surrogatepass")) % _BUCKETS)
        fewer[name] = fewer.get(name, 0) + count
    return fewer


def _coarse(key: str) -> str:
    """Return the class of `class/twentieth`, and of a number its sign and half octave; any other key as it is."""
    try:
        number = float(key)
    except ValueError:
        return key.rpartition("/")[0] or key
    return f"{number > 0} {math.floor(2 * math.log2(abs(number)))}" if number and math.isfinite(number) else key


# ---------------------------------------------------------------------------------------------- what it comes to


def _bar(settings: Judging) -> float:
    return len(_BACK) / settings.alpha


def _bins(settings: Judging) -> int:
    return math.ceil(_OCTAVE * math.log2(1 + settings.latency_tolerance) - 1e-9)


def _floor(settings: Judging) -> int:
    return math.floor(_OCTAVE * math.log2(settings.latency_floor_s))


def _decide(state: JudgeState, settings: Judging) -> JudgeState:
    found = dict(state.decided)
    for name in _BACK:
        equal, tolerated = getattr(state, name).evidence()
        if name not in found and equal >= math.log(_bar(settings)) and tolerated >= -math.log(settings.alpha_tolerated):
            found[name] = _sentence(state, settings, name)
    return replace(state, decided=found)


def _verdict(state: JudgeState, settings: Judging) -> Verdict:
    figures = {"looks": state.looks, "bar": _bar(settings), "bar_tolerated": 1 / settings.alpha_tolerated}
    figures |= {name: _figures(state, name) for name in _BACK}
    bound, (apart, chance) = state.outputs.bound(settings.alpha), state.outputs.measured()
    figures["outputs"] = {
        "distance": apart,
        "by_chance": chance,
        "at_least": bound,
        "expected_shift": settings.expected_shift,
        "live": sum(state.outputs.live.values()),
        "candidate": sum(state.outputs.candidate.values()),
    }
    if state.decided:
        return Verdict(action="roll back", reasons=tuple(state.decided.values()), figures=figures)
    if bound is not None and bound >= settings.expected_shift:
        reason = (
            f"predictions: {_percent(apart)} of the answers lie elsewhere than live's, for sure more than "
            f"{_percent(bound)}; up to {_percent(settings.expected_shift)} were expected"
        )
        return Verdict(action="hold", reasons=(reason,), figures=figures)
    known = [_sentence(state, settings, name) for name in _BACK if _has_both(state, name)]
    if not known:
        known = ["nothing to compare yet: too few requests of the candidate and of live side by side"]
    return Verdict(action="go on", reasons=tuple(known), figures=figures)


def _has_both(state: JudgeState, name: str) -> bool:
    if name == "latency":
        return bool(state.latency.live and state.latency.candidate)
    rates: Rates = getattr(state, name)
    return bool(rates.live[0] and rates.candidate[0])


def _figures(state: JudgeState, name: str) -> dict[str, Any]:
    equal, tolerated = getattr(state, name).evidence()
    made: dict[str, Any] = {
        "e_value": _exp(equal),
        "e_value_tolerated": _exp(tolerated),
        "decided": name in state.decided,
    }
    if name == "latency":
        for side, counts in (("live", state.latency.live), ("candidate", state.latency.candidate)):
            made[side] = {"requests": sum(counts.values()), "p50_s": _at(counts, 0.5), "p99_s": _at(counts, 0.99)}
        return made
    rates: Rates = getattr(state, name)
    for side, (many, failed) in (("live", rates.live), ("candidate", rates.candidate)):
        made[side] = {"counted": many, "failed": failed, "rate": failed / many if many else None}
    return made


_SUBJECTS = {
    "errors": ("errors", "requests", "errors_tolerance"),
    "invalid": ("answers that can't be", "answered requests", "invalid_tolerance"),
    "labels": ("wrong by their labels", "labelled predictions", "labels_tolerance"),
}


def _sentence(state: JudgeState, settings: Judging, name: str) -> str:
    if name == "latency":
        first, second = state.latency.candidate, state.latency.live
        counts = (
            f"time to answer: half of {sum(first.values()):,} requests within {_ms(first, 0.5)} and 99 of 100 within "
            f"{_ms(first, 0.99)}, against {_ms(second, 0.5)} and {_ms(second, 0.99)} of live's {sum(second.values()):,}"
        )
        tolerated = f"slower by more than {_percent(2 ** (_bins(settings) / _OCTAVE) - 1)}" if _bins(settings) else ""
    else:
        subject, things, setting = _SUBJECTS[name]
        rates: Rates = getattr(state, name)
        (many, failed), (own, own_failed) = rates.live, rates.candidate
        counts = (
            f"{subject}: {own_failed:,} of {own:,} {things} ({_percent(own_failed / max(own, 1))}) against {failed:,} "
            f"of {many:,} ({_percent(failed / max(many, 1))})"
        )
        share = getattr(settings, setting)
        tolerated = f"worse by more than {_points(share)}" if share else ""
    equal, more = getattr(state, name).evidence()
    said = f"{counts}; e-value {_against(equal, _bar(settings))}"
    if tolerated:
        said += f", and {_against(more, 1 / settings.alpha_tolerated)} that it is {tolerated}"
    return said


def _against(log: float, bar: float) -> str:
    return f"{_short(_exp(log))} {'>=' if log >= math.log(bar) else '<'} {_short(bar)}"


def _exp(log: float) -> float:
    return math.exp(max(min(log, 600.0), -600.0))


def _short(value: float) -> str:
    if value >= 1e6:
        return "over a million"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else "under 0.01"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.01 or not share else f"{100 * share:.2g} %"


def _points(share: float) -> str:
    return f"{100 * share:g} points"


def _at(counts: dict[int, int], share: float) -> float | None:
    place = quantile(counts, share)
    return None if place is None else 2 ** ((place + 1) / _OCTAVE)


def _ms(counts: dict[int, int], share: float) -> str:
    at = _at(counts, share)
    return "no time" if at is None else f"{1000 * at:,.0f} ms" if at >= 0.1 else f"{1000 * at:.2g} ms"
