"""What came of the traffic: failed requests, gaps between answers, and when one release took over from another.

Times are seconds of `time.monotonic`, which all processes of a machine share. Knows no process and no HTTP.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "Answer",
    "Log",
    "Span",
    "Switch",
    "control_spans",
    "count_releases",
    "find_switch",
    "longest_gap",
    "quantile",
]


class Answer(NamedTuple):
    """One request and what came back: `status` is 0 when the connection failed, `release` 0 when none answered."""

    sent: float
    answered: float
    status: int
    release: int
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the caller got anything but an answer by a release."""
        return self.status != 200 or self.release < 1


class Span(NamedTuple):
    """A stretch of time."""

    start: float
    end: float


class Switch(NamedTuple):
    """When the traffic went from one release to another: the first answer by the new, the last one by the old."""

    first_new: float
    last_old: float


class Log:
    """Reads the answers that the traffic process appends to a file, as they come."""

    def __init__(self, path: Path) -> None:
        self.answers: list[Answer] = []
        self.failed: list[Answer] = []
        self._path = path
        self._offset = 0

    def read(self) -> None:
        """Take in the lines that are complete by now."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        fresh = [Answer(*json.loads(line)) for line in whole.splitlines()]
        self.answers += fresh
        self.failed += [answer for answer in fresh if answer.failed]


def count_releases(answers: Iterable[Answer]) -> dict[int, int]:
    """Return how many requests each release answered, in the order of their numbers."""
    counts = Counter(answer.release for answer in answers if not answer.failed)
    return dict(sorted(counts.items()))


def longest_gap(answers: Iterable[Answer], span: Span) -> float:
    """Return the longest time within `span` in which no good answer came, its edges included."""
    inside = sorted(a.answered for a in answers if not a.failed and span.start <= a.answered <= span.end)
    moments = [span.start, *inside, span.end]
    return max(after - before for before, after in itertools.pairwise(moments))


def control_spans(whole: Span, length_s: float, avoid: Sequence[Span]) -> list[Span]:
    """Return the spans of `length_s` that fit side by side into `whole` and touch none of `avoid`."""
    found: list[Span] = []
    start = whole.start
    while start + length_s <= whole.end:
        span = Span(start, start + length_s)
        hit = [other.end for other in avoid if other.start < span.end and span.start < other.end]
        if not hit:
            found.append(span)
        start = max([span.end, *hit]) if not hit else max(hit)
    return found


def find_switch(answers: Iterable[Answer], *, old: int, new: int, span: Span) -> Switch | None:
    """Return when `new` took over from `old` within `span`; None if it did not."""
    good = [answer for answer in answers if not answer.failed and span.start <= answer.answered <= span.end]
    first = min((answer.answered for answer in good if answer.release == new), default=None)
    if first is None:
        return None
    return Switch(first, max((answer.answered for answer in good if answer.release == old), default=span.start))


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
