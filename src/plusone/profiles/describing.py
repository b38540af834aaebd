"""A table in numbers that a person reads: what each column holds, how much is missing, and how it is spread."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from ..data.views import HOUR, ColumnView, TableView
from ..expectations.rows import find_key, repeated
from ..expectations.times import day_text, longest_gap
from .inferring import Word, kind_of

__all__ = ["ColumnProfile", "TableProfile", "describe"]

_BINS = 16
_TOP = 10
_LETTERS = 60
_PLACES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a column holds. Times are text in UTC."""

    name: str
    kind: Word
    type: str
    missing: int
    """How many values are missing, NaN among them."""
    distinct: int
    """How many different values there are; 0 for a column of lists, structs or tensors."""
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    quantiles: dict[str, float | str] = {}
    """The values below which 5, 25, 50, 75 and 95 % of the rows lie."""
    top: dict[str, int] = {}
    """The ten most frequent words, with their counts."""
    longest: int | None = None
    """How many letters the longest word has."""
    infinite: int = 0
    shares: tuple[float, ...] = ()
    """How the values are spread: shares of 16 equal parts of the range, or of the most frequent words."""


class TableProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a table holds."""

    rows: int
    repeated: int | None
    """How many rows are equal to an earlier one; None: it can't be told."""
    key: tuple[str, ...]
    """The columns whose values no two rows share; empty: none were found."""
    clock: str
    """The column of dates or times that is always there; '': there is none."""
    longest_gap_hours: float | None
    """The longest time between two neighbours of it."""
    columns: tuple[ColumnProfile, ...]


def describe(table: TableView) -> TableProfile:
    """Return what a table holds."""
    clock = table.clock
    return TableProfile(
        rows=table.rows,
        repeated=repeated(table) if table.columns and table.rows else 0,
        key=tuple(find_key(table)),
        clock=clock.name if clock is not None else "",
        longest_gap_hours=longest_gap(clock.values)[0] / HOUR if clock is not None else None,
        columns=tuple(_describe(column) for column in table),
    )


def _describe(column: ColumnView) -> ColumnProfile:
    found: dict[str, Any] = {}
    if column.kind in ("number", "moment") and len(column.values):
        found = _numbers(column)
    elif column.kind in ("word", "truth") and column.counts:
        found = _words(column)
    nulls = column.nulls
    return ColumnProfile(
        name=column.name, kind=kind_of(column), type=column.type, missing=nulls, distinct=column.distinct, **found
    )


def _numbers(column: ColumnView) -> dict[str, Any]:
    low, high = column.ends
    quantiles = column.quantiles(_PLACES)
    shown: Any = day_text if column.kind == "moment" else float
    found: dict[str, Any] = {
        "minimum": shown(low),
        "maximum": shown(high),
        "quantiles": {f"{place:g}": shown(float(value)) for place, value in zip(_PLACES, quantiles, strict=True)},
        "shares": _spread(column, low, high),
    }
    if column.kind == "number":
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(column.values.mean())
        found |= {"mean": mean if np.isfinite(mean) else None, "infinite": column.infinite}
    return found


def _spread(column: ColumnView, low: float, high: float) -> tuple[float, ...]:
    values, counts = column.heaps
    if len(values) <= _BINS:
        return tuple(float(count) / len(column.values) for count in counts)
    # By halves: the difference of two large numbers may be none.
    places = (values / 2 - low / 2) / (high / 2 - low / 2) * _BINS
    sums = np.bincount(np.clip(places, 0, _BINS - 1).astype(np.int64), counts, minlength=_BINS)
    return tuple(float(count) / len(column.values) for count in sums)


def _words(column: ColumnView) -> dict[str, Any]:
    top = list(column.counts.items())
    shown = {word if len(word) <= _LETTERS else word[: _LETTERS - 1] + "…": count for word, count in top[:_TOP]}
    there = column.rows - column.nulls
    return {
        "top": shown,
        "longest": max(len(word) for word in column.counts) if column.kind == "word" else None,
        "shares": tuple(count / there for _, count in top[:_BINS]),
    }
