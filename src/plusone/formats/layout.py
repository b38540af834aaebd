"""How the fields of a request enter a compiled graph: a few blocks of columns, not one input per field.

A graph has at most three inputs: `numbers` (float64: floats, booleans as 0 and 1, and integers that a float64 holds
exactly), `integers` (int64: fields that held larger integers in training) and `strings`. One array per block keeps the
cost of a single row low. A missing number is NaN; a missing string is `MISSING`, because a graph has no null strings.

This module knows fields and arrays. It knows no model, no JSON and no onnxruntime.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from ..base.records import Field

__all__ = ["MISSING", "Block", "Columns", "plan_blocks"]

MISSING = "\ue000missing"
"""What stands for a missing string inside a graph. It begins with a private-use character, so no real text is it."""

_EXACT = 2.0**53


class Block(msgspec.Struct, frozen=True):
    """One input of the graph: an array of shape (rows, fields)."""

    name: str
    dtype: Literal["float64", "int64", "string"]
    fields: tuple[str, ...]


class Columns:
    """Validated rows, ready to enter the graph: one array per block.

    Attributes:
        rows: how many.
        feeds: by block name, an array of shape (rows, fields of the block).
    """

    __slots__ = ("feeds", "rows")

    def __init__(self, rows: int, feeds: dict[str, np.ndarray[Any, Any]]) -> None:
        self.rows = rows
        self.feeds = feeds

    def take(self, start: int, stop: int) -> Columns:
        """Return the rows `start` to `stop` (exclusive), without a copy."""
        feeds = {name: array[start:stop] for name, array in self.feeds.items()}
        return Columns(max(0, min(stop, self.rows) - start), feeds)


def plan_blocks(fields: Sequence[Field]) -> tuple[Block, ...]:
    """Return the blocks for these fields; each field lies in exactly one, in the order given."""
    numbers: list[str] = []
    integers: list[str] = []
    strings: list[str] = []
    for field in fields:
        if field.dtype == "string":
            strings.append(field.name)
        elif field.dtype == "int64" and not field.nullable and _is_large(field):
            integers.append(field.name)
        else:
            numbers.append(field.name)
    blocks = (
        Block("numbers", "float64", tuple(numbers)),
        Block("integers", "int64", tuple(integers)),
        Block("strings", "string", tuple(strings)),
    )
    return tuple(block for block in blocks if block.fields)


def _is_large(field: Field) -> bool:
    return max(abs(field.minimum or 0.0), abs(field.maximum or 0.0)) >= _EXACT
