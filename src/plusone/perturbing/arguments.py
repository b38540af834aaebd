"""The arguments of changes, refused where they are given and not where they are used: whatever comes, of any type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..base.errors import UsageError

__all__ = ["chosen", "number", "seed_of", "share_of", "text", "whole", "words"]

_MOST = 1_000_000_000


def number(name: str, what: str, value: Any) -> float:
    """Return a finite number."""
    kinds = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        raise UsageError(f"{name}: {what} = {value!r}: expected a finite number.", mend=f"{what}=0.5")
    return float(value)


def whole(name: str, what: str, value: Any) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or abs(int(value)) > _MOST:
        raise UsageError(f"{name}: {what} = {value!r}: expected a whole number.", mend=f"{what}=1")
    return int(value)


def seed_of(name: str, value: Any) -> int:
    """Return a seed."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{name}: seed = {value!r}: expected a whole number, 0 or more.", mend="seed=0")
    return value


def share_of(name: str, what: str, value: Any) -> float:
    """Return a share of rows or letters: above 0, up to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise UsageError(f"{name}: {what} = {value!r}: expected a number above 0 and at most 1.", mend=f"{what}=0.1")
    return float(value)


def chosen(name: str, what: str, value: Any, known: Iterable[str]) -> str:
    """Return one of the words that are known."""
    listed = list(known)
    if not isinstance(value, str) or value not in listed:
        raise UsageError(
            f"{name}: {what} = {value!r}: expected one of {', '.join(map(repr, listed))}.", mend=f"{what}={listed[0]!r}"
        )
    return value


def text(name: str, what: str, value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise UsageError(f"{name}: {what} = {str(value)[:80]!r}: expected a text.", mend=f"{what}='...'")
    return value


def words(name: str, what: str, value: Any) -> tuple[str, ...]:
    """Return words: the items of a list, or the keys of a dict whose values are texts."""
    whole = value.values() if isinstance(value, Mapping) else ()
    found = () if isinstance(value, (str, bytes)) or not isinstance(value, Iterable) else tuple(value)
    if (
        not found
        or not all(isinstance(one, str) and one for one in found)
        or not all(isinstance(one, str) for one in whole)
    ):
        kind = "dict of words" if isinstance(value, Mapping) or name == "replaced" else "list of words"
        raise UsageError(
            f"{name}: {what} = {str(value)[:80]}: expected a {kind}.",
            mend="{'word': 'another'}" if kind.startswith("dict") else "['word', 'another']",
        )
    return found
