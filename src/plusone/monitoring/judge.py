"""Judges a candidate against the live release on the traffic that both have: go on, hold and ask, or roll back.

Pure functions: `look` takes what was counted so far and what it remembers of earlier looks, and may be called at any
time, any number of times. Four comparisons roll back, each with a quarter of `alpha`: errors, answers that can't be,
times, and labels. So of candidates that are no worse than live, at most the share `alpha` is ever rolled back, whenever
one looks and however often (the four add up; each by Ville's inequality, see `evalues/evalues.py`).
What was answered is compared too, and never rolls back: a retrained model is meant to answer differently.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

from msgspec.structs import replace

from ..base.rollouts import Evidence
from ..evalues.comparison import Pair, add_answers, add_rates, add_times, at_most
from .judged import NONE_OFF
from .judging import BACK, JudgeState, Judging, LabelEvidence, Verdict, evidence_of
from .verdict import bar_of, floor_of, forgiven_distances, forgiven_times, sentence, verdict_of

__all__ = ["JudgeState", "Judging", "LabelEvidence", "Verdict", "look"]

_PATIENCE = 10
"""Looks for which counts may lie below what was seen, before they are taken for a new beginning."""
_BUCKETS = 128
"""Of more different answers than these some are counted together: the state is written at every look."""
_MOST = 10**9
_FARTHEST = 8000
"""Bins beyond it are none: their times, 2 to the thousandth power, are no numbers that a computer holds."""


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
    none decides alone; of times, the first `warm_up_looks` may not do more together either, since what is cold is slow.
    Counts that went back are waited for (a file that can't be read for a moment), and after ten
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
    return state, verdict_of(state, settings)


# ---------------------------------------------------------------------------------------------- what came since


def _judged(
    state: JudgeState, settings: Judging, live: Evidence, candidate: Evidence, told: LabelEvidence
) -> JudgeState:
    """Return the state with every comparison one look further."""
    cap = math.log(bar_of(settings)) / 2
    theirs, ours, before = _since(state.live, live), _since(state.candidate, candidate), state.label_counts
    times, own_times = _times(theirs), _times(ours)
    warm = state.warm + 1 if state.warm or own_times else 0
    latency = add_times(
        state.latency, times, own_times, forgiven=forgiven_times(settings), floor=floor_of(settings), cap=cap
    )
    if warm <= settings.warm_up_looks:
        latency = at_most(latency, cap)
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
        off=add_times(
            state.off,
            _off(before.live_off, told.live_off),
            _off(before.candidate_off, told.candidate_off),
            forgiven=forgiven_distances(settings),
            floor=NONE_OFF,
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
        or _lost(before.live_off, told.live_off)
        or _lost(before.candidate_off, told.candidate_off)
    )


def _fell(before: Evidence, now: Evidence) -> bool:
    numbers = ("requests", "errors", "rows", "invalid")
    if any(getattr(now, name) < getattr(before, name) for name in numbers):
        return True
    return _lost(before.latency, now.latency) or _lost(before.outputs, now.outputs)


def _lost(before: dict[str, int], now: dict[str, int]) -> bool:
    return any(now.get(key, 0) < count for key, count in before.items())


def _off(before: dict[str, int], now: dict[str, int]) -> dict[int, int]:
    return {int(key): count for key, count in _added(before, now).items() if _is_bucket(key)}


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
    return digits.isascii() and digits.isdigit() and len(digits) <= 4 and int(digits) <= _FARTHEST


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


def _decide(state: JudgeState, settings: Judging) -> JudgeState:
    found = dict(state.decided)
    for name in BACK:
        equal, tolerated = evidence_of(state, name)
        if (
            name not in found
            and equal >= math.log(bar_of(settings))
            and tolerated >= -math.log(settings.alpha_tolerated)
        ):
            found[name] = sentence(state, settings, name)
    return replace(state, decided=found)
