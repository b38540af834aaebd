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
from ..formats.layout import MISSING, Block, Columns

__all__ = ["Gatherer"]

Row = tuple[Any, ...]
Step = tuple[int, Callable[[Any], Any]]

_LETTERS = {"float64": "d", "int64": "q"}


class Gatherer:
    """Builds the columns of one layout. Nothing in it changes after it was made, so threads may share it."""

    def __init__(self, fields: Sequence[Field], blocks: Sequence[Block]) -> None:
        nullable = {field.name for field in fields if field.nullable}
        start = 0
        self._parts: list[_Part] = []
        for block in blocks:
            self._parts.append(_Part(block, start, nullable))
            start += len(block.fields)
        self._only = self._parts[0] if len(self._parts) == 1 else None

    def columns(self, rows: Sequence[Row]) -> Columns:
        """Return the columns of validated rows, one tuple each, in the order of the layout's blocks; at least one."""
        count = len(rows)
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


class _Part:
    """Builds one block."""

    def __init__(self, block: Block, start: int, nullable: set[str]) -> None:
        self.name = block.name
        self.cut = slice(start, start + len(block.fields))
        self._width = len(block.fields)
        self._letter = _LETTERS.get(block.dtype, "")
        self._dtype: Any = np.dtype(block.dtype if self._letter else object)
        one = f"{self._width}{self._letter}"
        self._pack = struct.Struct(one).pack if self._letter else None
        self._steps: list[Step] = []
        for place, name in enumerate(block.fields):
            if name in block.codes:
                self._steps.append((place, block.codes[name].table.__getitem__))
            elif name in nullable:
                self._steps.append((place, _number if self._letter else _text))

    def read(self, flat: list[Any], count: int) -> np.ndarray[Any, Any]:
        """Return the block, shape (count, fields of the block), of its values row after row; `flat` is used up."""
        width = self._width
        # struct packs faster than numpy reads a list, and takes booleans and integers for floats as numpy does.
        if count == 1:
            for place, step in self._steps:
                flat[place] = step(flat[place])
            if self._pack is not None:
                return np.ndarray((1, width), self._dtype, self._pack(*flat))
        else:
            for place, step in self._steps:
                flat[place::width] = map(step, flat[place::width])
            if self._letter:
                return np.ndarray((count, width), self._dtype, struct.pack(f"{len(flat)}{self._letter}", *flat))
        return np.array(flat, dtype=object).reshape(count, width)


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _text(value: Any) -> Any:
    return MISSING if value is None else value
