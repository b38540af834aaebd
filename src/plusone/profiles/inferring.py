"""What is expected of a table, inferred from one that was good: wide enough for the next one, and no wider."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from ..data.views import DAY, HOUR, ColumnView, TableView
from ..expectations.rows import find_key
from ..expectations.times import longest_gap
from ..expectations.values import is_coded

__all__ = ["Expectations", "Expected", "infer", "kind_of"]

_MOST_CATEGORIES = 30
_MOST_LETTERS = 40
_ROOM = 0.5
"""How much of its range a column may grow on each side."""

Word = Literal["number", "integer", "text", "truth", "time", "any"]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of one column."""

    name: str
    kind: Word
    missing: float
    """The share of its values that may be missing, 0 to 1."""
    low: float | None = None
    high: float | None = None
    """Where its numbers should lie; None: anywhere."""
    seen: tuple[float, float] | None = None
    """Where they lay."""
    values: tuple[str, ...] | None = None
    """The words that it should hold; None: any."""


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of a table."""

    rows: int
    """How many rows it had."""
    at_least: int
    """How many it should have at least."""
    columns: tuple[Expected, ...]
    key: tuple[str, ...] = ()
    """The columns whose values no two rows share; empty: there are none."""
    clock: str = ""
    """The column of times without gaps; empty: there is none."""
    longest_gap: str = ""
    """How far apart two neighbouring times may be."""


def infer(table: TableView) -> Expectations:
    """Return what a table that was good says of the next one. It holds of that table itself.

    Rows: at least half as many. Nothing missing stays so, a share may double. Numbers may leave their range by half of
    it, but not go below 0 where none did. Up to 30 words are a list; numbers that are codes are ranges as they are.
    """
    clock, gap = "", ""
    if (found := table.clock) is not None and found.distinct >= 10:
        clock, gap = found.name, _gap(longest_gap(found.values)[0])
    return Expectations(
        rows=table.rows,
        at_least=max(1, _rounded(table.rows // 2)) if table.rows else 0,
        columns=tuple(_column(column) for column in table),
        key=tuple(find_key(table)),
        clock=clock if gap else "",
        longest_gap=gap,
    )


def kind_of(column: ColumnView) -> Word:
    """Return the word for what a column holds: 'any' where nothing that it holds says so."""
    if column.type == "null":
        return "any"
    if column.kind == "number":
        return "integer" if column.whole else "number"
    kinds: dict[str, Word] = {"word": "text", "truth": "truth", "moment": "time"}
    return kinds.get(column.kind, "any") if column.nulls < column.rows else "any"


def _column(column: ColumnView) -> Expected:
    share = column.nulls / column.rows if column.rows else 0.0
    expected = Expected(name=column.name, kind=kind_of(column), missing=_missing(share))
    if column.kind == "number" and len(column.values) and not column.infinite:
        low, high = _range(column)
        return msgspec.structs.replace(expected, low=low, high=high, seen=column.ends)
    if column.kind == "word" and column.is_category and column.distinct <= _MOST_CATEGORIES:
        words = sorted(column.counts)
        if all(len(word) <= _MOST_LETTERS for word in words):
            return msgspec.structs.replace(expected, values=tuple(words))
    return expected


def _missing(share: float) -> float:
    """Return twice the share, rounded up to two digits, so that it holds of the data that it is inferred from."""
    if not share:
        return 0.0
    if share >= 0.5:
        return 1.0
    step = 10 ** math.floor(math.log10(2 * share)) / 10
    return min(1.0, round(math.ceil(2 * share / step) * step, 12))


def _range(column: ColumnView) -> tuple[float | None, float | None]:
    low, high = column.ends
    if is_coded(column):
        return low, high
    room = (high - low) * _ROOM or abs(high) * _ROOM or 1.0
    first, last = low - room, high + room
    if not (math.isfinite(first) and math.isfinite(last)):
        return None, None
    step = 10.0 ** math.floor(math.log10(room)) if room > 1e-300 else 0.0
    if step:
        first, last = _digits(math.floor(first / step) * step), _digits(math.ceil(last / step) * step)
    if low >= 0 > first:
        first = 0.0
    return min(first, low), max(last, high)


def _digits(value: float) -> float:
    """Return a number without the last digits that the arithmetic of floats left in it."""
    return float(f"{value:.12g}")


def _rounded(count: int) -> int:
    """Return a count with two digits, rounded down."""
    step = 10 ** max(0, len(str(count)) - 2)
    return count // step * step


def _gap(gap: float) -> str:
    """Return one and a half times a gap as text, in whole days or hours; '' for one that is shorter than an hour."""
    if gap >= DAY:
        days = math.ceil(1.5 * gap / DAY) if gap > DAY else 1
        return f"{days} day{'s' if days > 1 else ''}"
    hours = math.ceil(1.5 * gap / HOUR)
    return f"{hours} hours" if gap >= HOUR else ""
