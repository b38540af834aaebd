"""The plan of a rollout, as a person writes it: `shadow 2m`, `5% 5m`, `50% 5m 1000`.

A step is `shadow`, if nobody is to see the candidate's answers; a share of the requests (which a shadow may leave out:
all are copied); how long; and how many requests the candidate has in it, at least (100).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import UsageError
from .rollouts import RolloutStep

__all__ = ["LEAST_REQUESTS", "parse_plan", "step_text"]

LEAST_REQUESTS = 100
_MOST_STEPS = 20
_LONGEST_S = 366 * 86400.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_STEP = re.compile(
    r"(?:(?P<shadow>shadow)\s+)?(?:(?P<share>[0-9]{1,3}(?:\.[0-9]{1,6})?)%\s+)?"
    r"(?P<time>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?P<unit>[smhd])(?:\s+(?P<least>[0-9]{1,9}))?"
)
_MEND = 'for example ["shadow 2m", "5% 5m", "50% 5m 1000"]: a share, a time (s, m, h, d), a least number of requests'


def parse_plan(steps: Sequence[str], where: str) -> tuple[RolloutStep, ...]:
    """Return the steps of a plan; an empty one has none.

    Example: `5% 5m 1000` is a canary of 0.05 for 300 s and at least 1,000 requests.

    Args:
        where: where it was written, for errors.

    Raises:
        UsageError: when a step can't be read, a share is not within its bounds, or the shares do not grow.
    """
    if len(steps) > _MOST_STEPS:
        raise UsageError(f"{where}: {len(steps)} steps; expected at most {_MOST_STEPS}.", mend=_MEND)
    found: list[RolloutStep] = []
    for place, text in enumerate(steps, 1):
        step = _step(text, f"{where}, step {place}")
        if found and (found[-1].kind, step.kind) == ("canary", "shadow"):
            raise UsageError(
                f"{where}, step {place}: {text!r} comes behind a step that takes traffic; expected shadows first.",
                mend=_MEND,
            )
        if found and found[-1].kind == step.kind and step.share <= found[-1].share:
            raise UsageError(
                f"{where}, step {place}: {text!r} has no larger share than {_percent(found[-1].share)} before it; "
                "expected shares that grow.",
                mend=_MEND,
            )
        found.append(step)
    return tuple(found)


def step_text(step: RolloutStep) -> str:
    """Return a step as `parse_plan` reads it, with nothing left out that is not as always: `shadow 50% 10m 1000`."""
    parts = ["shadow"] if step.kind == "shadow" else []
    if step.kind == "canary" or step.share < 1.0:
        parts.append(_percent(step.share))
    parts.append(_duration(step.duration_s))
    if step.least_requests != LEAST_REQUESTS:
        parts.append(str(step.least_requests))
    return " ".join(parts)


def _step(text: str, where: str) -> RolloutStep:
    found = _STEP.fullmatch(text.strip())
    if found is None or (found["share"] is None and found["shadow"] is None):
        raise UsageError(
            f"{where}: {text[:100]!r} is no step; expected `SHARE% TIME` or `shadow TIME`, and perhaps a number.",
            mend=_MEND,
        )
    share = 100.0 if found["share"] is None else float(found["share"])
    if not 0.0 < share <= 100.0 or (share == 100.0 and found["shadow"] is None):
        bounds = "over 0 % to 100 %" if found["shadow"] else "over 0 % and below 100 %"
        raise UsageError(f"{where}: the share in {text[:100]!r} is {found['share']} %; expected {bounds}.", mend=_MEND)
    duration_s = float(found["time"]) * _UNITS[found["unit"]]
    if duration_s > _LONGEST_S:
        raise UsageError(f"{where}: {text[:100]!r} takes over a year; expected at most 366d.", mend=_MEND)
    least = LEAST_REQUESTS if found["least"] is None else int(found["least"])
    if least < 1:
        raise UsageError(f"{where}: {text[:100]!r} needs no request; expected 1 or more.", mend=_MEND)
    return RolloutStep(
        kind="shadow" if found["shadow"] else "canary",
        share=round(share / 100.0, 8),
        duration_s=round(duration_s, 3),
        least_requests=least,
    )


def _percent(share: float) -> str:
    return f"{round(share * 100.0, 6):.6f}".rstrip("0").rstrip(".") + "%"


def _duration(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0.0:
            return f"{int(seconds // _UNITS[unit])}{unit}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
