"""How the fields of a request enter a compiled graph: a few blocks of columns, not one input per field.

For fields of one value a graph has at most three inputs: `numbers` (float64: floats, booleans as 0 and 1, and integers
that a float64 holds exactly), `integers` (int64: fields that held larger integers in training) and `strings`. One array
per block keeps the cost of a single row low. A missing number is NaN; a missing string is `MISSING`, as a graph has no
null strings. Strings that a graph would look up first of all are looked up before it and enter among the numbers: a
block's `codes`.
Each field that holds tensors has a block of its own: an array of shape (rows, *shape) in the field's dtype.

This module knows fields and arrays. It knows no model, no JSON and no onnxruntime.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np

from ..base.records import Field

__all__ = ["MISSING", "Block", "Columns", "plan_blocks"]

MISSING = "\ue000missing"
"""What stands for a missing string inside a graph. It begins with a private-use character, so no real text is it."""

_EXACT = 2.0**53


class Code(msgspec.Struct, frozen=True, dict=True):
    """What stands for the strings of one field, where a graph takes a number in their place.

    Attributes:
        values: by string, its number, None for NaN; `MISSING` may be among the strings.
        other: the number of all other strings, and of a missing one if `MISSING` is not among them.
    """

    values: dict[str, float | None]
    other: float | None

    @cached_property
    def table(self) -> Mapping[str | None, float]:
        """The same, to be asked with `[]` for any string or None."""
        return _Table(self)


class _Table(dict[Any, float]):
    """A dict that answers for every key: its lookup is C all the same, so that `map` over it stays fast."""

    def __init__(self, code: Code) -> None:
        nan = math.nan
        super().__init__((key, nan if value is None else value) for key, value in code.values.items())
        self._other = nan if code.other is None else code.other
        self[None] = self[MISSING]

    def __missing__(self, key: Any) -> float:
        return self._other


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input of the graph: an array of shape (rows, fields), or (rows, *shape) where its one field holds tensors."""

    name: str
    dtype: Literal["float64", "int64", "string", "float32", "uint8"]
    fields: tuple[str, ...]
    codes: dict[str, Code] = {}
    """By field: what stands for its strings, in a block of numbers."""
    shape: tuple[int, ...] | None = None
    """That of one row's tensor; None for a block of fields of one value each."""

    @property
    def kind(self) -> np.dtype[Any]:
        """The dtype of its array."""
        return np.dtype(object if self.dtype == "string" else self.dtype)

    def join(self, rows: int, columns: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Return the block of validated values, one list or array of `rows` for each field."""
        if self.shape is not None:
            return np.asarray(columns[0], dtype=self.kind).reshape(rows, *self.shape)
        out: Any = np.empty((rows, len(self.fields)), dtype=self.kind)
        for index, (name, values) in enumerate(zip(self.fields, columns, strict=True)):
            if name in self.codes:
                out[:, index] = np.fromiter(map(self.codes[name].table.__getitem__, values), np.float64, rows)
            elif self.dtype == "string":
                out[:, index] = [MISSING if value is None else value for value in values]
            else:
                out[:, index] = np.asarray(values, dtype=None if isinstance(values, np.ndarray) else out.dtype)
        return out


class Columns:
    """Validated rows, ready to enter the graph: one array per block.

    Attributes:
        rows: how many.
        feeds: by block name, an array of shape (rows, fields of the block), or (rows, *shape of the block).
    """

    __slots__ = ("feeds", "rows")

    def __init__(self, rows: int, feeds: dict[str, np.ndarray[Any, Any]]) -> None:
        self.rows = rows
        self.feeds = feeds

    def take(self, start: int, stop: int) -> Columns:
        """Return the rows `start` to `stop` (exclusive), without a copy."""
        feeds = {name: array[start:stop] for name, array in self.feeds.items()}
        return Columns(max(0, min(stop, self.rows) - start), feeds)

    @staticmethod
    def concat(parts: Sequence[Columns]) -> Columns:
        """Return the rows of all parts, one after the other; the parts must be of one layout, at least one."""
        if len(parts) == 1:
            return parts[0]
        feeds = {name: np.concatenate([part.feeds[name] for part in parts]) for name in parts[0].feeds}
        return Columns(sum(part.rows for part in parts), feeds)


def plan_blocks(fields: Sequence[Field]) -> tuple[Block, ...]:
    """Return the blocks for these fields; each field lies in exactly one, in the order given."""
    numbers: list[str] = []
    integers: list[str] = []
    strings: list[str] = []
    tensors: list[Block] = []
    for field in fields:
        if field.shape is not None:
            dtype: Any = field.dtype
            tensors.append(Block(f"tensor_{len(tensors)}", dtype, (field.name,), shape=field.shape))
        elif field.dtype == "string":
            strings.append(field.name)
        elif field.dtype == "int64" and not field.nullable and _is_large(field):
            integers.append(field.name)
        else:
            numbers.append(field.name)
    blocks = (
        Block("numbers", "float64", tuple(numbers)),
        Block("integers", "int64", tuple(integers)),
        Block("strings", "string", tuple(strings)),
        *tensors,
    )
    return tuple(block for block in blocks if block.fields)


def _is_large(field: Field) -> bool:
    return max(abs(field.minimum or 0.0), abs(field.maximum or 0.0)) >= _EXACT
