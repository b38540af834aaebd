"""Text to counts of its terms, before a graph: ONNX has no regular expressions that find what Python's find.

What scikit-learn's vectorisers do to a text is done here with the standard library alone: the same order of the same
steps, so that what was learnt about a term in training is looked up under that term. The steps are those of the
analysers in sklearn/feature_extraction/text.py, the hash is MurmurHash3 of 32 bits (Austin Appleby, public domain).

This module knows text and arrays. It knows no graph, no field and no model.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

__all__ = ["TEXTS", "Text", "read_texts", "write_texts"]

TEXTS = "plusone.texts"
"""The key of a graph's metadata under which it says which of its inputs are made from text, and how."""

_SPACES = re.compile(r"\s\s+")
_HASHED = 65536


class Text(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """How one field of text becomes two inputs of a graph: the numbers of its terms, and how often each is in it."""

    input: str
    """Two inputs begin with this name: `.terms` and `.counts`, each of shape (rows, terms), filled up with a term that
    is none (`width`) and the count 0."""
    block: str
    column: int
    """Which column of which block holds the text."""
    kind: str
    """`word`, `char` or `char_wb`: what its terms are made of."""
    lowercase: bool
    accents: str | None
    """`ascii` or `unicode`: how accents are taken off."""
    pattern: str
    stop: tuple[str, ...]
    ngrams: tuple[int, int]
    binary: bool
    vocabulary: tuple[str, ...] = ()
    """The terms, in the order of their numbers; none when they are hashed."""
    hashed: int = 0
    """How many numbers a hash is spread over."""
    signed: bool = False
    """Whether a hash counts up or down."""

    @property
    def width(self) -> int:
        """Return how many terms there are."""
        return self.hashed or len(self.vocabulary)

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {term: place for place, term in enumerate(self.vocabulary)}

    @functools.cached_property
    def _find(self) -> Any:
        return re.compile(self.pattern).findall

    @functools.cached_property
    def _stop(self) -> frozenset[str]:
        return frozenset(self.stop)

    def feed(self, values: Iterable[str]) -> dict[str, np.ndarray[Any, Any]]:
        """Return the two inputs for these texts."""
        counted = [self.count(value) for value in values]
        longest = max(1, *(len(one) for one in counted)) if counted else 1
        terms = np.full((len(counted), longest), self.width, dtype=np.int64)
        counts = np.zeros((len(counted), longest))
        for row, one in enumerate(counted):
            terms[row, : len(one)] = list(one.keys())
            counts[row, : len(one)] = list(one.values())
        return {f"{self.input}.terms": terms, f"{self.input}.counts": counts}

    def count(self, value: str) -> dict[int, float]:
        """Return the numbers of the terms in a text, and how often each is in it."""
        found: dict[int, float] = {}
        if self.hashed:
            for term in self.terms(value):
                place, sign = _hashed_place(term, self.hashed)
                found[place] = found.get(place, 0.0) + (sign if self.signed else 1.0)
        else:
            places = self._places
            for term in self.terms(value):
                place = places.get(term, -1)
                if place >= 0:
                    found[place] = found.get(place, 0.0) + 1.0
        return dict.fromkeys(found, 1.0) if self.binary else found

    def terms(self, value: str) -> list[str]:
        """Return the terms of a text, in its order."""
        if self.lowercase:
            value = value.lower()
        if self.accents and not value.isascii():
            value = _without_accents(value, self.accents)
        low, high = self.ngrams
        if self.kind == "word":
            tokens: list[str] = self._find(value)
            if self._stop:
                tokens = [token for token in tokens if token not in self._stop]
            return _word_grams(tokens, low, high)
        value = _SPACES.sub(" ", value)
        if self.kind == "char":
            lengths = range(low, min(high + 1, len(value) + 1))
            return [value[start : start + n] for n in lengths for start in range(len(value) - n + 1)]
        return [term for word in value.split() for term in _inside(f" {word} ", low, high)]


def write_texts(texts: Sequence[Text]) -> str:
    """Return the texts as a graph's metadata holds them: JSON in ASCII, since terms may hold half a surrogate pair."""
    return json.dumps([msgspec.to_builtins(text) for text in texts])


def read_texts(data: str) -> tuple[Text, ...]:
    """Return the texts that a graph's metadata holds."""
    return msgspec.convert(json.loads(data), tuple[Text, ...])


def _without_accents(value: str, how: str) -> str:
    parts = unicodedata.normalize("NFKD", value)
    if how == "ascii":
        return parts.encode("ascii", "ignore").decode("ascii")
    return "".join(character for character in parts if not unicodedata.combining(character))


def _word_grams(tokens: list[str], low: int, high: int) -> list[str]:
    if high == 1:
        return tokens
    out = list(tokens) if low == 1 else []
    for n in range(max(low, 2) if low == 1 else low, min(high + 1, len(tokens) + 1)):
        out += [" ".join(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    return out


def _inside(word: str, low: int, high: int) -> list[str]:
    """Return the pieces of one word with its two spaces; one that is shorter than `n` is counted once."""
    out: list[str] = []
    for n in range(low, high + 1):
        starts = max(1, len(word) - n + 1)
        out += [word[start : start + n] for start in range(starts)]
        if starts == 1:
            break
    return out


@functools.lru_cache(maxsize=_HASHED)
def _hashed_place(term: str, width: int) -> tuple[int, float]:
    """Return the number of a hashed term, and the sign with which it counts."""
    value = _murmur(term.encode())
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return abs(signed) % width, 1.0 if signed >= 0 else -1.0


def _murmur(data: bytes) -> int:
    """Return MurmurHash3 of 32 bits, with the seed 0."""
    mask = 0xFFFFFFFF
    value = 0
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        value ^= _mixed(int.from_bytes(data[start : start + 4], "little"))
        value = (value << 13 | value >> 19) & mask
        value = (value * 5 + 0xE6546B64) & mask
    if whole < len(data):
        value ^= _mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = ((value ^ value >> 16) * 0x85EBCA6B) & mask
    value = ((value ^ value >> 13) * 0xC2B2AE35) & mask
    return value ^ value >> 16


def _mixed(block: int) -> int:
    block = (block * 0xCC9E2D51) & 0xFFFFFFFF
    block = (block << 15 | block >> 17) & 0xFFFFFFFF
    return (block * 0x1B873593) & 0xFFFFFFFF
