"""Counts how often releases were right, and how far off their numbers were, by the labels that came since somebody
looked last."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..base import clock
from ..base.records import Output
from ..predictions.reading import chunks_of, read_chunk
from ..store import Store
from .answers import read_answers

__all__ = ["FARTHEST", "NONE_OFF", "Judged", "bin_of", "judge_labels"]

_MOST_LABELS = 2000
_MOST_CHUNKS = 32
_OCTAVE = 8
_EQUAL = 0.001
NONE_OFF, FARTHEST = -513, 513
"""The bins of numbers that are as good as their labels, and of answers that are no numbers."""


class Judged(NamedTuple):
    """Predictions whose first label came, by release; and where to go on.

    Attributes:
        labelled: how many named a class.
        wrong: how many of them another one than the label.
        off: of those that are numbers, how many lie how far from their labels: by bin, see `bin_of`.
    """

    labelled: dict[int, int]
    wrong: dict[int, int]
    off: dict[int, dict[str, int]]
    place: tuple[str, str]


def judge_labels(
    store: Store, model: str, releases: Mapping[int, Output | None], *, since: str, place: tuple[str, str], until: str
) -> Judged:
    """Return what the next labels, at most 2,000, say of predictions that these releases made since a time.

    A prediction counts by its first label. Counted are answers that name a class or are a number, in whichever protocol
    they were given; vectors and rankings are not judged. At most 32 chunks of predictions are read, the newest; labels
    of others are passed over.

    Args:
        releases: what each of them answers; of None no tensors can be read.
        place: what the call before returned; at first `(since, "")`.
        until: labels that came later are left for the next time; predictions take a second or two to the store.
    """
    rows = store.db.all("label_first_since", model=model, since=place[0], after_id=place[1], count=_MOST_LABELS)
    rows = [row for row in rows if row["received_at"] <= until]
    if not rows:
        return Judged({}, {}, {}, place)
    labels = {row["prediction_id"]: row["value"] for row in rows}
    labelled: dict[int, int] = dict.fromkeys(releases, 0)
    wrong: dict[int, int] = dict.fromkeys(releases, 0)
    off: dict[int, dict[str, int]] = {release: {} for release in releases}
    wanted = sorted({base for one in labels for base in _bases(one)})
    chunks = [row for row in chunks_of(store, model, since=since) if row["release"] in labelled and _meets(row, wanted)]
    for chunk in chunks[:_MOST_CHUNKS]:
        release = chunk["release"]
        for is_number, answer, truth in _answers(store, chunk, labels, set(wanted), clock.parse(since), releases):
            if is_number:
                name = str(bin_of(answer, truth))
                off[release][name] = off[release].get(name, 0) + 1
            else:
                labelled[release] += 1
                wrong[release] += truth != answer
    return Judged(labelled, wrong, off, (rows[-1]["received_at"], rows[-1]["prediction_id"]))


def bin_of(answer: float | None, truth: float) -> int:
    """Return how far a number lies from its label, as a whole number of eighths of a doubling.

    Less than a thousandth of the label counts as no distance, and what is no number as the farthest. Example: 3.0 for
    1.0 is off by 2, which is bin 8.
    """
    if answer is None:
        return FARTHEST
    distance = abs(answer - truth)
    if distance <= _EQUAL * abs(truth):
        return NONE_OFF
    if not math.isfinite(distance):
        return FARTHEST
    return min(max(math.floor(_OCTAVE * math.log2(distance)), NONE_OFF + 1), FARTHEST - 1)


def _bases(label_id: str) -> Sequence[str]:
    """Return the predictions that a label may be for: that of its id, and `ID` of `ID:3`."""
    one, _, row = label_id.rpartition(":")
    return (label_id, one) if one and row.isascii() and row.isdigit() else (label_id,)


def _meets(chunk: dict[str, Any], wanted: Sequence[str]) -> bool:
    return any(chunk["first_id"] <= one <= chunk["last_id"] for one in wanted)


def _answers(
    store: Store,
    chunk: dict[str, Any],
    labels: dict[str, str],
    wanted: set[str],
    since: dt.datetime,
    releases: Mapping[int, Output | None],
) -> list[tuple[bool, Any, Any]]:
    """Return of each row of the chunk that has one of the labels whether it is a number, the answer, and the label."""
    table = read_chunk(store, chunk["id"], ["id", "at", "kind", "answer"])
    output = releases[chunk["release"]]
    found: list[tuple[bool, Any, Any]] = []
    for place, one in enumerate(table["id"].to_pylist()):
        if one not in wanted or table["at"][place].as_py() < since:
            continue
        given = read_answers(table["kind"][place].as_py(), table["answer"][place].as_py(), output)
        for row, (is_number, answer) in enumerate(given):
            value = labels.get(f"{one}:{row}", labels.get(one) if row == 0 else None)
            truth = None if value is None else msgspec.json.decode(value)
            if value is None or isinstance(truth, list):  # a list is the truth of a vector or a ranking
                continue
            if not is_number or _is_number(truth):
                found.append((is_number, answer, truth))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
