"""Many answers and times to counts by key, at once: what `Evidence` calls `latency` and `outputs`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base.records import Output
from ..predictor import Answer, Predictor
from ..predictor.encode import key_of
from .several import Combinations

__all__ = ["INVALID", "Outputs", "Tally", "count_latencies", "count_outputs", "counter_of", "name_classes", "said"]

INVALID = "invalid"
"""The key of rows whose answer can't be."""

_PER_OCTAVE = 8  # of times and of numbers: each bucket is 2^(1/8), 9 %, wide
_LATENCIES = (-160, 80)
_NUMBERS = (-320, 480)
_TWENTIETHS = 20
_DETAILED = 50
_MOST_CLASSES = 1000
_SLACK = 1e-6  # of a probability: a sum of rounded shares may come out a little over 1

Array = np.ndarray[Any, Any]


class Outputs(NamedTuple):
    """What some answers come to.

    Attributes:
        rows: how many.
        invalid: of how many the answer is no number, no probability or no class.
        counts: rows by what was answered; see `count_outputs`.
    """

    rows: int
    invalid: int
    counts: dict[str, int]


class Tally:
    """Counts the answers of one model, one after the other, where they are computed: of many rows only this goes on."""

    def __init__(self, predictor: Predictor) -> None:
        self._count = counter_of(predictor.signature.output)
        self._rows = self._invalid = 0
        self._counts: dict[str, int] = {}

    def add(self, answer: Answer) -> None:
        """Count the rows of an answer."""
        found = self._count(said(answer))
        self._rows += found.rows
        self._invalid += found.invalid
        for key, count in found.counts.items():
            self._counts[key] = self._counts.get(key, 0) + count

    def outputs(self) -> Outputs:
        """Return what was counted so far."""
        return Outputs(self._rows, self._invalid, dict(self._counts))


def counter_of(output: Output) -> Callable[[Array], Outputs]:
    """Return what counts the rows of a model's answers, as `said` has them, by `count_outputs`.

    Of several targets a row counts by its combination of labels (see `Combinations`), with up to 50 of these and the
    twentieth of the least sure label's probability.
    """
    if output.kind == "labels":
        several = Combinations(output)
        named = several.names or [f"#{group}" for group in range(several.count)]
        texts = name_classes(named, named)
        return lambda rows: _count_codes(*several.read(rows), texts, several.count)
    names = name_classes(output.classes, [key_of(label) for label in output.classes])
    return lambda rows: count_outputs(rows, names, len(output.classes))


def count_latencies(seconds: Array) -> dict[str, int]:
    """Return times, shape (n,), by `floor(8 log2(seconds))` as text, from -160 (a microsecond) to 80 (1,024 s).

    Example: 0.001 s is in the bucket -80, floor(8 x -9.966), which begins at 2^-10 s = 0.977 ms.
    """
    low, high = _LATENCIES
    return _named(_buckets(seconds, low, high) - low, lambda place: str(place + low))


def name_classes(classes: Sequence[Any], keys: Sequence[str]) -> list[str]:
    """Return the keys of a classifier's answers. `keys`: its classes as text.

    With up to 50 classes a key is a class and the twentieth of its probability, `late/17` for one of 0.85 up to 0.9;
    with more it is the class. Classes beyond the first 1,000 are counted together, as `other`.
    """
    if len(classes) <= _DETAILED:
        return [f"{key}/{part}" for key in keys for part in range(_TWENTIETHS)]
    return [*keys[:_MOST_CLASSES], "other"]


def said(answer: Answer) -> Array:
    """Return what there is to count of an answer, one row each: its probabilities, shape (rows, classes), or else its
    codes (integers) or numbers (floats), shape (rows,).

    Of several targets they are those of all, the codes of shape (rows, targets). Of a ranking it is the first item. Of
    a vector it is the mean of its numbers: one that is not finite shows.
    """
    if answer.numbers is not None:
        return answer.numbers if answer.numbers.ndim == 1 else answer.numbers.mean(axis=1)
    if answer.scores is not None:
        return answer.codes[:, 0]
    return answer.codes if answer.probabilities is None else answer.probabilities


def count_outputs(rows: Array, names: Sequence[str], classes: int) -> Outputs:
    """Count the rows of some answers of one model by what they say. At most about 1,600 keys.

    A number's key is the end of its bucket that is nearer to 0, in three digits: buckets begin at powers of 2^(1/8), so
    each is 9 % wide; `98.7` goes up to 107.6, `-98.7` down to -107.6. They go from 10^-12 to 10^18; what is smaller is
    `0`, what is larger is in the last one. A class's key is one of `name_classes`; where a model has no probabilities,
    that with the twentieth 19.

    Args:
        rows: as `said` has them.
        names: what `name_classes` says; empty for numbers.
        classes: how many the model has; 0 for numbers.
    """
    if not classes:
        return _count_numbers(rows.reshape(-1))
    sure: Array | None = None
    if rows.ndim == 1:
        codes = rows
        wrong = (codes < 0) | (codes >= classes)
    else:
        codes = rows.argmax(axis=1)
        # The class is that of the largest, or of the first that is no number: so that one tells of them all but the
        # negative ones.
        sure = rows[np.arange(len(codes)), codes]
        wrong = ~((sure >= -_SLACK) & (sure <= 1.0 + _SLACK))
        if rows.min(initial=0.0) < -_SLACK:
            wrong |= (rows < -_SLACK).any(axis=1)
    return _count_codes(codes, sure, wrong, names, classes)


def _count_codes(codes: Array, sure: Array | None, wrong: Array, names: Sequence[str], classes: int) -> Outputs:
    """Count codes, those of rows that are wrong as invalid. `sure`: the probability of each."""
    invalid = int(np.count_nonzero(wrong))
    if invalid:
        codes = codes[~wrong]
        sure = None if sure is None else sure[~wrong]
    if classes <= _DETAILED:
        part = _TWENTIETHS - 1 if sure is None else np.clip(sure * _TWENTIETHS, 0, _TWENTIETHS - 1).astype(np.int64)
        places = codes * _TWENTIETHS + part
    else:
        places = np.minimum(codes, _MOST_CLASSES)
    return _outputs(_named(places, names.__getitem__), invalid, len(codes))


def _count_numbers(numbers: Array) -> Outputs:
    finite = np.isfinite(numbers)
    invalid = int(len(numbers) - np.count_nonzero(finite))
    if invalid:
        numbers = numbers[finite]
    low, high = _NUMBERS
    width = high - low + 1
    places = _buckets(np.abs(numbers), low - 1, high) - low + 1  # 0 is what is smaller than all buckets
    signed = np.where((numbers < 0) & (places > 0), -places, places) + width
    return _outputs(_named(signed, lambda place: _number(place - width, low)), invalid, len(numbers))


def _number(place: int, low: int) -> str:
    size = 2.0 ** ((abs(place) - 1 + low) / _PER_OCTAVE)
    return "0" if place == 0 else f"{math.copysign(size, place):.3g}"


def _outputs(counts: dict[str, int], invalid: int, valid: int) -> Outputs:
    if invalid:
        counts[INVALID] = invalid
    return Outputs(valid + invalid, invalid, counts)


def _buckets(values: Array, low: int, high: int) -> Array:
    """Return the bucket of each value, shape (n,), none below `low` or above `high`. Values are at least 0."""
    with np.errstate(divide="ignore"):
        places = np.floor(np.log2(values) * _PER_OCTAVE)
    return np.clip(places, low, high).astype(np.int64)


def _named(places: Array, name: Callable[[int], str]) -> dict[str, int]:
    """Count places, each at least 0, and name those that occur."""
    counts = np.bincount(places)
    found = np.flatnonzero(counts)
    return dict(zip(map(name, found.tolist()), counts[found].tolist(), strict=True))
