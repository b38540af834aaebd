"""What a look comes to: the verdict, in numbers and in sentences for people."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..evalues.comparison import Rates, quantile
from .judged import FARTHEST, NONE_OFF
from .judging import BACK, JudgeState, Judging, Verdict, evidence_of

__all__ = ["bar_of", "floor_of", "forgiven_distances", "forgiven_times", "sentence", "verdict_of"]

_OCTAVE = 8
_FAR = 80
"""So many bins above the floor what is tolerated in seconds is a thousandth of a time."""


def bar_of(settings: Judging) -> float:
    """Return the e-value from which on one comparison rolls back."""
    return len(BACK) / settings.alpha


def forgiven_times(settings: Judging) -> Callable[[int], int]:
    """Return where a bin of the candidate's times is put: lower by the share or by the seconds that are tolerated,
    whichever is more. The seconds are taken from the middle of the bin."""
    bins, seconds = _eighths(settings.latency_tolerance), settings.latency_floor_s
    floor = floor_of(settings)

    def place(at: int) -> int:
        if at - floor > _FAR:
            return at - bins
        left = 2 ** ((at + 0.5) / _OCTAVE) - seconds
        return min(at - bins, math.floor(_OCTAVE * math.log2(left)) if left > 0 else floor)

    return place


def forgiven_distances(settings: Judging) -> Callable[[int], int] | None:
    """Return the same for distances from labels: lower by the share that is tolerated; None for none."""
    bins = _eighths(settings.distance_tolerance)
    return (lambda at: at - bins) if bins else None


def _eighths(tolerance: float) -> int:
    """Return a tolerance, 0.09 for 9 %, as a whole number of eighths of a doubling, rounded up."""
    return math.ceil(_OCTAVE * math.log2(1 + tolerance) - 1e-9)


def floor_of(settings: Judging) -> int:
    """Return the bin of the times that count as equal."""
    return math.floor(_OCTAVE * math.log2(settings.latency_floor_s))


def verdict_of(state: JudgeState, settings: Judging) -> Verdict:
    """Return the verdict."""
    figures = {"looks": state.looks, "bar": bar_of(settings), "bar_tolerated": 1 / settings.alpha_tolerated}
    figures |= {name: _figures(state, name) for name in BACK}
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
    known = [sentence(state, settings, name) for name in BACK if _has_both(state, name)]
    if not known:
        known = ["nothing to compare yet: too few requests of the candidate and of live side by side"]
    return Verdict(action="go on", reasons=tuple(known), figures=figures)


def _has_both(state: JudgeState, name: str) -> bool:
    if name == "latency":
        return bool(state.latency.live and state.latency.candidate)
    rates: Rates = getattr(state, name)
    return bool(rates.live[0] and rates.candidate[0]) or (name == "labels" and _has_numbers(state))


def _has_numbers(state: JudgeState) -> bool:
    return bool(state.off.live and state.off.candidate)


def _figures(state: JudgeState, name: str) -> dict[str, Any]:
    equal, tolerated = evidence_of(state, name)
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
    if name == "labels" and _has_numbers(state):
        for side, counts in (("live", state.off.live), ("candidate", state.off.candidate)):
            off = {"p50": _distance(counts, 0.5), "p99": _distance(counts, 0.99)}
            made[side] |= {"numbers": sum(counts.values()), "off": off}
    return made


_SUBJECTS = {
    "errors": ("errors", "requests", "errors_tolerance"),
    "invalid": ("answers that can't be", "answered requests", "invalid_tolerance"),
    "labels": ("wrong by their labels", "labelled predictions", "labels_tolerance"),
}


def sentence(state: JudgeState, settings: Judging, name: str) -> str:
    """Return how a comparison stands, as a sentence."""
    if name == "latency":
        first, second = state.latency.candidate, state.latency.live
        counts = (
            f"time to answer: half of {sum(first.values()):,} requests within {_ms(first, 0.5)} and 99 of 100 within "
            f"{_ms(first, 0.99)}, against {_ms(second, 0.5)} and {_ms(second, 0.99)} of live's {sum(second.values()):,}"
        )
        tolerated = (
            f"slower by more than {_more(settings.latency_tolerance)} and {1000 * settings.latency_floor_s:g} ms"
        )
    elif name == "labels" and _has_numbers(state):
        counts, tolerated = _off_sentence(state, settings)
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
    equal, more = evidence_of(state, name)
    said = f"{counts}; e-value {_against(equal, bar_of(settings))}"
    if tolerated:
        said += f", and {_against(more, 1 / settings.alpha_tolerated)} that it is {tolerated}"
    return said


def _off_sentence(state: JudgeState, settings: Judging) -> tuple[str, str]:
    first, second = state.off.candidate, state.off.live
    counts = (
        f"off from their labels: half of {sum(first.values()):,} answers by {_off_text(first, 0.5)} at most and 99 of "
        f"100 by {_off_text(first, 0.99)}, against {_off_text(second, 0.5)} and {_off_text(second, 0.99)} of live's "
        f"{sum(second.values()):,}"
    )
    tolerance = settings.distance_tolerance
    return counts, f"farther off by more than {_more(tolerance)}" if tolerance else ""


def _more(tolerance: float) -> str:
    return _percent(2 ** (_eighths(tolerance) / _OCTAVE) - 1)


def _distance(counts: dict[int, int], share: float) -> float | None:
    """Return within how far of their labels a share of the numbers lies; None where those were no numbers."""
    place = quantile(counts, share)
    if place is None or place == FARTHEST:
        return None
    return 0.0 if place == NONE_OFF else 2 ** ((place + 1) / _OCTAVE)


def _off_text(counts: dict[int, int], share: float) -> str:
    found = _distance(counts, share)
    return "no number" if found is None else "nothing" if not found else f"{found:.3g}"


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
