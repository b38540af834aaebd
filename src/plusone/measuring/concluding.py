"""How a check ends: what was measured is recorded whatever comes of it, and the outcome is raised."""

from __future__ import annotations

import math
from typing import Any, Literal

from ..base.errors import UsageError
from .outcomes import CheckFailed, Inconclusive, is_outcome, record

__all__ = [
    "Judgement",
    "OnInconclusive",
    "check_arguments",
    "check_margin",
    "check_model",
    "check_range",
    "conclude",
    "outcome_of",
]

__tracebackhide__ = is_outcome

Judgement = Literal["passed", "failed", "inconclusive"]
OnInconclusive = Literal["closes", "allowed"]
"""What an inconclusive outcome does to the gate."""
_USUAL = {
    "confidence": 0.95,
    "margin": 0.02,
    "value": 0.9,
    "at_least": 0.9,
    "resamples": 1000,
    "min_rows": 50,
    "rows": 1,
}
"""What is often given, for the line that mends another thing."""


def check_arguments(inconclusive: str = "closes", **numbers: Any) -> None:
    """Raise UsageError if a number is not finite, `model` or `live` no packaged model, `inconclusive` no such word.

    `live` may be None, and so may what need not be said: `tolerance`, `relative`, `probability`.
    """
    if inconclusive not in ("closes", "allowed"):
        raise UsageError(
            f"inconclusive = {inconclusive!r}: expected 'closes' or 'allowed'.",
            mend="inconclusive='allowed', or leave it out",
        )
    if "model" in numbers and numbers["model"] is None:
        check_model(None)
    for name in ("model", "live"):
        given = numbers.pop(name, None)
        if given is not None:
            check_model(given, name)
    for name, number in numbers.items():
        if number is None and name in ("tolerance", "relative", "probability"):
            continue
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise UsageError(f"{name} = {number!r}: expected a finite number.", mend=f"{name}={_USUAL.get(name, 0.05)}")
        if name in ("seed", "resamples") and (number != int(number) or number < 0):
            raise UsageError(
                f"{name} = {number!r}: expected a whole number, 0 or more.",
                mend=f"{name}={1000 if name == 'resamples' else 0}",
            )


def check_model(model: Any, what: str = "model") -> None:
    """Raise UsageError if this is no packaged model: a table in its place, say, or one that was not packaged."""
    if not hasattr(model, "signature") or not hasattr(model, "columns"):
        raise UsageError(
            f"{what} is a {type(model).__name__}: expected a packaged model, as the fixtures `model` and `live` are.",
            mend="name it as a parameter of the test: def test_it(model, holdout)",
        )


def check_range(right: bool, expected: str, **given: tuple[Any, Any]) -> None:
    """Raise UsageError if arguments are not right: of each, by its name, what was given and what would do."""
    if not right:
        values = ", ".join(f"{name} = {value!r}" for name, (value, _) in given.items())
        mend = ", ".join(f"{name}={usual!r}" for name, (_, usual) in given.items())
        raise UsageError(f"{values}: expected {expected}.", mend=mend)


def check_margin(margin: float) -> None:
    """Raise UsageError for a margin below 0."""
    if margin < 0:
        raise UsageError(
            f"margin = {margin}: expected 0 or more, in the unit of the metric.", mend=f"margin={abs(margin)}"
        )


def outcome_of(low: float, high: float) -> Judgement:
    """Return the outcome of an interval that has to lie at or above 0."""
    return "passed" if low >= 0 else "failed" if high < 0 else "inconclusive"


def conclude(
    message: str,
    outcome: Judgement,
    measured: dict[str, Any],
    *,
    inconclusive: OnInconclusive = "closes",
    more: str = "",
) -> None:
    """Record what was measured with its outcome and message, and raise what the outcome means.

    Args:
        measured: plain JSON values; `check` is the check's name, `figure` what to draw (see `measuring.figures`).
        more: what to do about an inconclusive outcome, a sentence.

    Raises:
        CheckFailed: outcome 'failed'.
        Inconclusive: outcome 'inconclusive', and `inconclusive` is 'closes'.
    """
    allowed = outcome == "inconclusive" and inconclusive == "allowed"
    record({**measured, "outcome": outcome, "allowed": allowed, "message": message})
    if outcome == "failed":
        raise CheckFailed(message)
    if outcome == "inconclusive" and not allowed:
        raise Inconclusive(f"{message}. {more}" if more else message)
