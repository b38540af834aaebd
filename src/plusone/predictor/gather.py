"""Rows of plain values to the arrays that enter a graph: little work for one row, and less per row for many.

The rows are validated: this module checks nothing. Rows of many requests may be gathered at once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ..base.records import Field
from ..graphs.layout import MISSING, Block, Columns

__all__ = ["Gatherer"]

Row = tuple[Any, ...]
Step = tuple[int, Callable[[Any], Any]]

_LETTERS = {"float64": "d", "int64": "q"}
_MANY = 128
"""From so many rows on they are put together by columns: that costs more for each field, less for each value."""
_MANY_IN_COLUMNS = 64
"""The same for what comes in columns already."""
_MOST = 4096
"""So many rows at a time are taken apart into columns: that needs an iterator for each."""


class Gatherer:
    """Builds the columns of one layout. Nothing in it changes after it was made, so threads may share it."""

    def __init__(self, fields: Sequence[Field], blocks: Sequence[Block]) -> None:
        nullable = {field.name for field in fields if field.nullable}
        integers = {field.name for field in fields if field.dtype in ("int64", "bool")}
        start = 0
        self._parts: list[_Part | _Tensors] = []
        for block in blocks:
            part = _Tensors(block, start) if block.shape is not None else _Part(block, start, nullable, integers)
            self._parts.append(part)
            start += len(block.fields)
        self._only = self._parts[0] if len(self._parts) == 1 else None
        self._by_columns = all(part.is_number for part in self._parts)
        self.many = _MANY_IN_COLUMNS if self._by_columns else None
        """From how many rows on `join` is quicker, for what comes in columns, than rows are; None: never."""

    def columns(self, rows: Sequence[Row]) -> Columns:
        """Return the columns of validated rows, one tuple each, in the order of the layout's blocks; at least one."""
        count = len(rows)
        if self._by_columns and count >= _MANY:
            return self._many(rows)
        only = self._only
        if only is not None:
            flat = list(rows[0]) if count == 1 else list(chain.from_iterable(rows))
            return Columns(count, {only.name: only.read(flat, count)})
        feeds: dict[str, np.ndarray[Any, Any]] = {}
        for part in self._parts:
            cut = part.cut
            flat = list(rows[0][cut]) if count == 1 else list(chain.from_iterable([row[cut] for row in rows]))
            feeds[part.name] = part.read(flat, count)
        return Columns(count, feeds)

    def join(self, columns: Sequence[Sequence[Any]]) -> Columns:
        """Return the same of validated columns, in the order of the layout's blocks, where all blocks are of numbers.

        Args:
            columns: for each field its values, as many as for the others, at least one.
        """
        count = len(columns[0])
        feeds: dict[str, np.ndarray[Any, Any]] = {}
        for part in self._parts:
            feeds[part.name] = out = np.empty((count, part.width), part.dtype)
            part.fill(out, columns[part.cut], count)
        return Columns(count, feeds)

    def _many(self, rows: Sequence[Row]) -> Columns:
        if len(rows) <= _MOST:
            return self.join(list(zip(*rows, strict=True)))
        return Columns.concat(
            [self.join(list(zip(*rows[at : at + _MOST], strict=True))) for at in range(0, len(rows), _MOST)]
        )


class _Part:
    """Builds one block."""

    def __init__(self, block: Block, start: int, nullable: set[str], integers: set[str]) -> None:
        self.name = block.name
        self.cut = slice(start, start + len(block.fields))
        self.width = len(block.fields)
        self._letter = _LETTERS.get(block.dtype, "")
        self.is_number = bool(self._letter)
        self.dtype: Any = np.dtype(block.dtype if self._letter else object)
        # By number of rows; one for more is looked up by its format.
        self._packs = [
            struct.Struct(f"{count * self.width}{self._letter}").pack for count in range(_MANY if self._letter else 0)
        ]
        self._steps: list[Step] = []
        for place, name in enumerate(block.fields):
            if name in block.codes:
                self._steps.append((place, block.codes[name].table.__getitem__))
            elif name in nullable:
                self._steps.append((place, _number if self._letter else _text))
        # What is surely an integer (or a truth) is packed as one: as a float, an object would be made of it first.
        taken = {place for place, _ in self._steps}
        whole = [place for place, name in enumerate(block.fields) if place not in taken and name in integers]
        self._integers = whole if block.dtype == "float64" else []
        self._others = [place for place in range(self.width) if place not in set(self._integers)]
        self._at_integers, self._at_others = _where(self._integers), _where(self._others)
        self._step_of = dict(self._steps)

    def read(self, flat: list[Any], count: int) -> np.ndarray[Any, Any]:
        """Return the block, shape (count, fields of the block), of its values row after row; `flat` is used up."""
        width = self.width
        if count == 1:
            for place, step in self._steps:
                flat[place] = step(flat[place])
        else:
            for place, step in self._steps:
                flat[place::width] = map(step, flat[place::width])
        # struct packs faster than numpy reads a list, and takes booleans and integers for floats as numpy does.
        if count < len(self._packs):
            return np.ndarray((count, width), self.dtype, self._packs[count](*flat))
        if self._letter:
            return np.ndarray((count, width), self.dtype, struct.pack(f"{len(flat)}{self._letter}", *flat))
        return np.array(flat, dtype=object).reshape(count, width)

    def fill(self, out: np.ndarray[Any, Any], columns: Sequence[Sequence[Any]], count: int) -> None:
        """Write the block, of numbers, into `out`; `columns`: the values of each of its fields."""
        flat: list[Any] = []
        steps = self._step_of
        for place in self._others:
            step = steps.get(place)
            flat += columns[place] if step is None else map(step, columns[place])
        floats = len(self._others) * count
        for place in self._integers:
            flat += columns[place]
        packed = struct.pack(f"{floats}{self._letter}{len(flat) - floats}q", *flat)
        if self._others:
            out[:, self._at_others] = np.ndarray((len(self._others), count), self.dtype, packed).T
        if self._integers:
            out[:, self._at_integers] = np.ndarray((len(self._integers), count), np.int64, packed, floats * 8).T


class _Tensors:
    """Builds a block of tensors: each value is lists, nested as its shape is, or an array."""

    is_number = False

    def __init__(self, block: Block, start: int) -> None:
        self.name = block.name
        self.cut = slice(start, start + 1)
        self.dtype = block.kind
        self.width = 1

    def read(self, flat: list[Any], count: int) -> np.ndarray[Any, Any]:
        """Return the block, shape (count, *shape), of its values row after row."""
        return np.array(flat, dtype=self.dtype)

    def fill(self, out: np.ndarray[Any, Any], columns: Sequence[Sequence[Any]], count: int) -> None:
        """Write the block into `out`."""
        out[:] = self.read(list(columns[0]), count)


def _where(places: list[int]) -> Any:
    """Return what selects these columns: a slice where they stand side by side, which is quicker."""
    if places and places[-1] - places[0] == len(places) - 1:
        return slice(places[0], places[-1] + 1)
    return places


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _text(value: Any) -> Any:
    return MISSING if value is None else value
