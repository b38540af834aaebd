"""Whether the candidate answers the requests that the live release was asked, and who is answered differently.

Four checks: `replay[errors]`, `replay[answers]`, `replay[labels]`, `replay[latency]`; where there is nothing to be
asked again, one that says why: `replay`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..checks.built_in import BuiltIn, Given
from ..checks.context import ReleaseRef
from ..checks.values import load_release
from ..measuring.concluding import conclude
from ..measuring.outcomes import NotApplicable, record, warn

if TYPE_CHECKING:
    from ..monitoring.replayed import Replayed, Verdict

__all__ = ["NAMES", "PARTS", "checks"]

PARTS = ("errors", "answers", "labels", "latency")
NAMES = ("replay", *(f"replay[{part}]" for part in PARTS))


def checks(given: Given) -> Iterable[BuiltIn]:
    """Give the checks of a replay, in the tests on the model; the requests are asked once for all of them."""
    context = given.context
    if context.subject != "model" or given.settings.replay_requests == 0:
        return []
    if context.live is None:
        return [BuiltIn("replay", partial(_nothing, "no release is live yet: there is nothing to compare with"))]
    if not context.requests:
        return [BuiltIn("replay", partial(_nothing, "no request is logged yet: plusone up logs what it answers"))]
    asking = _Asking(given, context.live)
    return [BuiltIn(f"replay[{part}]", partial(asking.check, part)) for part in PARTS]


def _nothing(why: str) -> None:
    raise NotApplicable(why)


class _Asking:
    def __init__(self, given: Given, live: ReleaseRef) -> None:
        self._given = given
        self._live = live

    @cached_property
    def _found(self) -> tuple[Replayed, dict[str, Verdict]]:
        from ..measuring.replay import replay  # loads numpy
        from ..monitoring.replayed import judge
        from ..monitoring.requests import read_requests

        given = self._given
        found = replay(
            given.model,
            load_release(self._live, given.context),
            read_requests(Path(given.context.requests)),
            candidate=_name(given, given.context.candidate, "the candidate"),
            before=_name(given, self._live, "the live release"),
            labels_margin=given.settings.replay_labels_margin,
        )
        return found, {one.part: one for one in judge(found, given.settings)}

    def check(self, part: str) -> None:
        """Say what one part of the replay came to."""
        found, verdicts = self._found
        verdict = verdicts[part]
        for text in verdict.warnings:
            warn(text, check=f"replay[{part}]")
        if verdict.outcome == "not applicable":
            raise NotApplicable(verdict.message)
        measured = _measured(found, part)
        for figure in found.changed.figures[1:] if part == "answers" and found.changed else ():
            record({"check": "replay[answers]", "figure": figure})
        conclude(verdict.message, verdict.outcome, measured, inconclusive="allowed")


def _name(given: Given, release: ReleaseRef | None, otherwise: str) -> str:
    return f"{given.context.model}@{release.number}" if release is not None and release.number else otherwise


def _measured(found: Replayed, part: str) -> dict[str, Any]:
    """Return what is kept with the release: the numbers of this part, and the figure that says most."""
    measured: dict[str, Any] = {"check": f"replay[{part}]", "requests": found.requests, "rows": found.rows}
    if part == "errors":
        refused = {"refused": found.refused[:20], "refused_by_both": found.refused_by_both[:20]}
        span = {"first_at": found.first_at, "last_at": found.last_at, "releases": found.releases}
        return measured | msgspec.to_builtins(refused) | span | {"only_candidate": found.only_candidate}
    if part == "answers" and found.changed is not None:
        changed = found.changed
        fields = {"changed": changed.changed, "share": changed.share, "low": changed.low, "high": changed.high}
        figure = {"figure": changed.figures[0]} if changed.figures else {}
        slices = msgspec.to_builtins(changed.slices[:20])
        return measured | fields | changed.measured | {"means": changed.means, "slices": slices} | figure
    more = {"labels": found.labels, "latency": found.latency}.get(part)
    return measured | (msgspec.to_builtins(more) if more is not None else {})
