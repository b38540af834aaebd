"""Counts how often releases were right, and how far off their numbers were, by the labels that came since somebody
looked last."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

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
_LEAST = 2.0**-64
"""A difference of nothing, where the label is 0 and has no thousandth."""
NONE_OFF, FARTHEST = -513, 513
"""The bins of answers that are as good as their labels, and of those that are no numbers or have nothing right."""


class Judged(NamedTuple):
    """Predictions whose first label came, by release; and where to go on.

    Attributes:
        labelled: how many named a class.
        wrong: how many of them another one than the label.
        off: of all others, how many lie how far from their labels: by bin, see `bin_of`.
    """

    labelled: dict[int, int]
    wrong: dict[int, int]
    off: dict[int, dict[str, int]]
    place: tuple[str, str]


def judge_labels(
    store: Store, model: str, releases: Mapping[int, Output | None], *, since: str, place: tuple[str, str], until: str
) -> Judged:
    """Return what the next labels, at most 2,000, say of predictions that these releases made since a time.

    A prediction counts by its first label, in whichever protocol it was answered. At most 32 chunks of predictions are
    read, the newest; labels of others are passed over.

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
        for bin_, answer, truth in _answers(store, chunk, labels, set(wanted), clock.parse(since), releases):
            if bin_ is not None:
                off[release][str(bin_)] = off[release].get(str(bin_), 0) + 1
            else:
                labelled[release] += 1
                wrong[release] += truth != answer
    return Judged(labelled, wrong, off, (rows[-1]["received_at"], rows[-1]["prediction_id"]))


def bin_of(answer: Any, truth: Any) -> int | None:
    """Return how far an answer lies from its label, as a whole number of eighths of a doubling; None: they do not fit.

    - a number: by the difference. Less than a thousandth of the label counts as no distance.
    - a vector (a tuple of numbers): by the geometric mean of the differences, each at least a thousandth of its label,
      so that no unit of one target counts for more than another's.
    - a ranking (a list of items; the label is the list of those that were right): by the place of the first that was.
      The first place is no distance.

    What is no number, or ranks nothing that was right, is the farthest.

    By hand: 3.0 for 1.0 is off by 2, which is bin 8, one doubling; 2 and 8 off have the mean 4, which is bin 16; the
    third place is floor(8 log2 3) = bin 12.
    """
    if isinstance(answer, list):
        return _place_of(cast("list[Any]", answer), truth) if isinstance(truth, list) else None
    if isinstance(answer, tuple):
        return _mean_bin(cast("tuple[Any, ...]", answer), truth) if isinstance(truth, list) else None
    return _of_number(answer, truth) if _is_number(truth) else None


def _of_number(answer: float | None, truth: float) -> int:
    if answer is None:
        return FARTHEST
    distance = abs(answer - truth)
    if distance <= _EQUAL * abs(truth):
        return NONE_OFF
    return _bin(math.log2(distance)) if math.isfinite(distance) else FARTHEST


def _mean_bin(answer: tuple[Any, ...], truth: list[Any]) -> int | None:
    if len(answer) != len(truth) or not truth or not all(map(_is_number, truth)):
        return None
    logs: list[float] = []
    for one, other in zip(answer, truth, strict=True):
        distance = math.inf if one is None else abs(one - other)
        if not math.isfinite(distance):
            return FARTHEST
        logs.append(math.log2(max(distance, _EQUAL * abs(other), _LEAST)))
    if all(_of_number(one, other) == NONE_OFF for one, other in zip(answer, truth, strict=True)):
        return NONE_OFF
    return _bin(sum(logs) / len(logs))


def _place_of(answer: list[Any], truth: list[Any]) -> int:
    place = next((place for place, item in enumerate(answer, 1) if item in truth), None)
    if place is None:
        return FARTHEST
    return NONE_OFF if place == 1 else _bin(math.log2(place))


def _bin(doublings: float) -> int:
    return min(max(math.floor(_OCTAVE * doublings), NONE_OFF + 1), FARTHEST - 1)


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
) -> list[tuple[int | None, Any, Any]]:
    """Return of each row of the chunk that has one of the labels how far it is off, the answer, and the label.

    A class has no distance: None.
    """
    table = read_chunk(store, chunk["id"], ["id", "at", "kind", "answer"])
    output = releases[chunk["release"]]
    found: list[tuple[int | None, Any, Any]] = []
    for place, one in enumerate(table["id"].to_pylist()):
        if one not in wanted or table["at"][place].as_py() < since:
            continue
        given = read_answers(table["kind"][place].as_py(), table["answer"][place].as_py(), output)
        for row, (has_distance, answer) in enumerate(given):
            value = labels.get(f"{one}:{row}", labels.get(one) if row == 0 else None)
            if value is None:
                continue
            truth = msgspec.json.decode(value)
            bin_ = bin_of(answer, truth) if has_distance else None
            # The model answered in another way when the label was given: a number for a list, say.
            if bin_ is not None or (not has_distance and _fits(answer, truth)):
                found.append((bin_, answer, truth))
    return found


def _fits(answer: Any, truth: Any) -> bool:
    """Say whether a label is for what was answered: one label, or one for each of the same targets."""
    if isinstance(answer, dict) or isinstance(truth, dict):
        return isinstance(answer, dict) and isinstance(truth, dict) and answer.keys() == truth.keys()
    return not isinstance(truth, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
