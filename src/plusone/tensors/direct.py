"""Tensors in bytes straight to the arrays that enter a graph: next to nothing for each row.

It takes what is as the metadata has it, where the graph takes numbers alone (strings are looked up before it: decision
0023). Each value is looked at, many at a time. All else, and all that is wrong, is left to the long way (`arrays`),
which says what it is. Nothing is made of a size that is only claimed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..base.records import Field
from ..graphs.layout import Block, Code, Columns
from ..signatures.tables import Known

__all__ = ["DATATYPES", "LEAST", "Direct", "Plan"]

LEAST = 16
"""From so many rows on arrays are made; of fewer, rows: those of many requests are joined at less cost."""

_SHORT, _FEW = 64, 512
"""Up to which width, and how many, strings of one length are taken apart at once: of more a description grows long."""
_LIMIT = 2.0**63
_TENSOR = "tensor of "
DATATYPES = {"float32": "FP32", "float64": "FP64", "uint8": "UINT8", "int64": "INT64"}
"""By dtype of a field that holds tensors: what the Open Inference Protocol calls it."""
_LENGTH = struct.Struct("<I").unpack_from

Array = np.ndarray[Any, Any]


class Plan(NamedTuple):
    """Where the values of a request lie: found out once for requests of which only the values differ.

    Attributes:
        rows: how many.
        groups: the fields that are read together.
    """

    rows: int
    groups: tuple[_Group, ...]


class _Group(NamedTuple):
    """Fields of one kind and block.

    Attributes:
        where: what selects them in the block.
        places: where they stand in a row.
        spans: where their bytes lie; those of numbers in as few pieces as there are.
        tables: of strings, what stands for each; of a tensor, its shape.
    """

    kind: str
    block: str
    where: Any
    places: tuple[int, ...]
    spans: tuple[slice, ...]
    tables: tuple[Any, ...]


class Direct:
    """The way of one model's tensors. Nothing in it changes after it was made, so threads may share it."""

    def __init__(self, fields: Sequence[Field], blocks: Sequence[Block], known: Known) -> None:
        self._blocks = [(block.name, block.dtype, len(block.fields)) for block in blocks if block.shape is None]
        self._starts: dict[str, int] = {}
        for block in blocks:
            self._starts[block.name] = sum(len(before.fields) for before in blocks[: len(self._starts)])
        self._slots: dict[str, _Slot] = {}
        by_name = {field.name: field for field in fields}
        for block in blocks:
            for place, name in enumerate(block.fields):
                found = _find_slot(by_name[name], block, place, known)
                if found is not None:
                    self._slots[name] = found
        self._possible = len(self._slots) == len(fields)
        self._least = 1 if any(field.shape is not None for field in fields) else LEAST

    def plan(self, tensors: Sequence[tuple[str, str, Sequence[int], Any]], start: int = 0) -> Plan | None:
        """Return how to read tensors whose bytes follow each other; None where one is not as the metadata has it.

        Args:
            start: where the first one begins in what `read` will be given.
        """
        if not self._possible or len(tensors) != len(self._slots) or not tensors[0][2]:
            return None
        count = tensors[0][2][0]
        if count < 1:
            return None
        flat, tall, slots = [count], [count, 1], self._slots
        # Equal work is done together: a call of numpy takes as long as a hundred values do.
        groups: dict[tuple[str, str], list[tuple[int, slice, Any]]] = {}
        for name, datatype, shape, data in tensors:
            slot = slots.get(name)
            if slot is None or datatype != slot.datatype or type(data) is list:
                return None
            if (shape != flat and shape != tall) if slot.shape is None else list(shape) != [count, *slot.shape]:
                return None
            size = len(data)
            if slot.size * count != size and (slot.table is None or size < 4 * count):
                return None
            what = slot.table if slot.shape is None else slot.shape
            groups.setdefault(slot.group, []).append((slot.place, slice(start, start + size), what))
            start += size
        planned: list[_Group] = []
        for (block, kind), members in groups.items():
            places, spans, tables = zip(*members, strict=True)
            if len(set(places)) != len(places):  # one is there twice
                return None
            at = tuple(self._starts[block] + place for place in places)
            spans = spans if kind == "codes" else _merged(spans)
            planned.append(_Group(kind, block, _where(places), at, spans, tables))
        return Plan(count, tuple(planned))

    def read(self, plan: Plan, body: bytes) -> list[tuple[Any, ...]] | Columns | None:
        """Return the rows of a request that lies as `plan` says, as columns if they are many.

        None where a value is not as the metadata has it. `body` must have the bytes that the plan names.
        """
        count = plan.rows
        if count < self._least:
            return self._rows(plan, body)
        feeds = {name: np.empty((count, width), dtype) for name, dtype, width in self._blocks}
        for kind, block, where, places, spans, tables in plan.groups:
            if kind.startswith(_TENSOR):
                found = _tensors(body[spans[0]], kind.removeprefix(_TENSOR), (count, *tables[0]))
                if found is None:
                    return None
                feeds[block] = found
                continue
            if kind == "codes":
                values = _strings([body[span] for span in spans], count, tables)
            else:
                values = _NUMBERS[kind](_cut(body, spans))
            if values is None:
                return None
            feeds[block][:, where] = values.reshape(len(places), count).T
        return Columns(count, feeds)

    def _rows(self, plan: Plan, body: bytes) -> list[tuple[Any, ...]] | None:
        count = plan.rows
        columns: list[Any] = [None] * len(self._slots)
        for kind, _, _, places, spans, tables in plan.groups:
            if kind == "codes":
                try:
                    for place, span, table in zip(places, spans, tables, strict=True):
                        columns[place] = list(map(table.text, _texts(body[span], count)))
                except (KeyError, UnicodeDecodeError, struct.error):
                    return None
                continue
            letter = _LETTERS.get(kind)
            if letter is None:
                return None
            data = _cut(body, spans)
            if kind == "bool" and max(data) > 1:
                return None
            flat: Any = struct.unpack(f"<{len(places) * count}{letter}", data)
            if kind == "nullable float64":
                flat = [None if value != value else value for value in flat]
            if letter == "d" and not all(value is None or math.isfinite(value) for value in flat):
                return None
            for number, place in enumerate(places):
                columns[place] = flat[number * count : (number + 1) * count]
        return list(zip(*columns, strict=True))

    def read_parts(self, tensors: Sequence[tuple[str, str, Sequence[int], Any]]) -> Columns | None:
        """Return the columns of many rows whose tensors are bytes, each by itself; None as in `plan` and `read`."""
        if not tensors[0][2] or tensors[0][2][0] < self._least or (plan := self.plan(tensors)) is None:
            return None
        found = self.read(plan, b"".join([tensor[3] for tensor in tensors]))
        return found if isinstance(found, Columns) else None


class _Slot(NamedTuple):
    """What is known of one field's tensor.

    Attributes:
        size: the bytes of a row's value; 0 for strings.
        table: by its bytes, what stands for a string.
        shape: of a field that holds tensors, that of a row's.
    """

    datatype: str
    size: int
    group: tuple[str, str]
    place: int
    table: _Table | None
    shape: tuple[int, ...] | None = None


def _find_slot(field: Field, block: Block, place: int, known: Known) -> _Slot | None:
    """Return how a field is read; None where that is for the long way."""
    if field.shape is not None:
        datatype = DATATYPES[field.dtype]
        size = math.prod(field.shape) * np.dtype(field.dtype).itemsize
        return _Slot(datatype, size, (block.name, _TENSOR + field.dtype), place, None, field.shape)
    code = block.codes.get(field.name)
    if code is not None and field.dtype == "string":
        return _Slot("BYTES", 0, (block.name, "codes"), place, _Table(code, known.get(field.name)))
    if field.name in known or block.dtype == "string":
        return None
    if field.nullable:
        return _Slot("FP64", 8, (block.name, f"nullable {field.dtype}"), place, None)
    datatype, size = {"float64": ("FP64", 8), "int64": ("INT64", 8), "bool": ("BOOL", 1)}[field.dtype]
    return _Slot(datatype, size, (block.name, field.dtype), place, None)


def _where(places: Sequence[int]) -> Any:
    """Return what selects these columns: a slice where they stand side by side, which is quicker."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if list(places) == list(range(first, last + 1)) else list(places)


def _cut(body: bytes, spans: Sequence[slice]) -> bytes:
    return body[spans[0]] if len(spans) == 1 else b"".join([body[span] for span in spans])


def _merged(spans: Sequence[slice]) -> tuple[slice, ...]:
    """Return one slice for those that follow each other."""
    found = [spans[0]]
    for span in spans[1:]:
        if span.start == found[-1].stop:
            found[-1] = slice(found[-1].start, span.stop)
        else:
            found.append(span)
    return tuple(found)


def _integers(data: bytes) -> Array | None:
    return np.frombuffer(data, "<i8")


def _truths(data: bytes) -> Array | None:
    values = np.frombuffer(data, np.uint8)
    return values if values.max() <= 1 else None


def _floats(data: bytes) -> Array | None:
    values = np.frombuffer(data, "<f8")
    return values if np.isfinite(values).all() else None


def _tensors(data: bytes, dtype: str, shape: tuple[int, ...]) -> Array | None:
    values = np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return None if values.dtype.kind == "f" and not np.isfinite(values).all() else values


def _missing_floats(data: bytes) -> Array | None:
    values = np.frombuffer(data, "<f8")
    return None if np.isinf(values).any() else values


def _missing_integers(data: bytes) -> Array | None:
    values = np.frombuffer(data, "<f8")
    there = values[~np.isnan(values)]
    fit = (np.floor(there) == there) & (there >= -_LIMIT) & (there < _LIMIT)
    return values + 0.0 if fit.all() else None  # -0.0 is 0, too


def _missing_truths(data: bytes) -> Array | None:
    values = np.frombuffer(data, "<f8")
    fit = np.isnan(values) | (values == 0.0) | (values == 1.0)
    return values + 0.0 if fit.all() else None  # likewise


def _strings(parts: Sequence[bytes], count: int, tables: Sequence[_Table]) -> Array | None:
    flat: list[float] = []
    try:
        for part, table in zip(parts, tables, strict=True):
            flat += map(table.__getitem__, _texts(part, count))
    except (KeyError, UnicodeDecodeError, struct.error):
        return None
    return np.ndarray(len(flat), np.float64, struct.pack(f"{len(flat)}d", *flat))


_LETTERS = {"int64": "q", "bool": "?", "float64": "d", "nullable float64": "d"}
_NUMBERS: dict[str, Callable[[bytes], Array | None]] = {
    "int64": _integers,
    "bool": _truths,
    "float64": _floats,
    "nullable float64": _missing_floats,
    "nullable int64": _missing_integers,
    "nullable bool": _missing_truths,
}


class _Table(dict[bytes, float]):
    """The numbers that stand for strings, by their bytes; asked with `[]`, it answers for every text."""

    def __init__(self, code: Code, allowed: Iterable[str] | None) -> None:
        """`allowed`: the only strings that may be there; None: any."""
        texts = code.values if allowed is None else allowed
        super().__init__((text.encode(), code.table[text]) for text in texts)
        self._other = math.nan if code.other is None else code.other
        self._closed = allowed is not None

    def __missing__(self, text: bytes) -> float:
        if self._closed:
            raise KeyError(text)
        text.decode()  # raises where it is no text
        return self._other

    def text(self, text: bytes) -> str:
        """Return a string; raises KeyError or UnicodeDecodeError where it may not be there."""
        if self._closed and text not in self:
            raise KeyError(text)
        return text.decode()


def _texts(data: bytes, count: int) -> Sequence[bytes]:
    """Return the strings of BYTES.

    Raises:
        struct.error: when the bytes are not those of so many strings.
    """
    size = len(data)
    width = size // count
    # All of one length, as codes and short names often are: no need to go from one to the next.
    if width * count == size and width <= _SHORT and count <= _FEW and _LENGTH(data)[0] == width - 4:
        found = _unpacker(width - 4, count)(data)
        if found[::2].count(width - 4) == count:
            return found[1::2]
    out: list[bytes] = []
    start = 0
    for _ in range(count):
        begin = start + 4
        start = begin + _LENGTH(data, start)[0]
        out.append(data[begin:start])
    if start != size:
        raise struct.error("the lengths do not add up")
    return out


@lru_cache(maxsize=64)
def _unpacker(length: int, count: int) -> Callable[[bytes], tuple[Any, ...]]:
    """Return what takes so many strings of one length apart, each behind its length."""
    return struct.Struct("<" + f"I{length}s" * count).unpack
