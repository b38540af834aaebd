"""Records to rows and back: scalars as they are, everything else as JSON text. One mapping for every noun."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, get_type_hints

import msgspec

from ..base.ids import canonical_json
from ..base.records import Record

__all__ = ["from_row", "to_row"]

R = TypeVar("R", bound=Record)


def to_row(record: Record) -> dict[str, Any]:
    """Return the record's fields as bound parameters: str, int, float and None as they are, the rest as JSON text."""
    row: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, bool):
            value = int(value)
        elif value is not None and not isinstance(value, (str, int, float)):
            value = canonical_json(value).decode()
        row[name] = value
    return row


def from_row(kind: type[R], row: dict[str, Any]) -> R:
    """Return the record that `row` holds; columns that the record does not have are left out."""
    values = {}
    for name, (hint, is_json) in _hints(kind).items():
        if name in row:
            value = row[name]
            values[name] = msgspec.json.decode(value, type=hint) if is_json and value is not None else value
    return msgspec.convert(values, kind, strict=False)


@cache
def _hints(kind: type[Record]) -> dict[str, tuple[Any, bool]]:
    return {
        name: (hint, _is_json(hint)) for name, hint in get_type_hints(kind).items() if name in kind.__struct_fields__
    }


def _is_json(hint: Any) -> bool:
    """Say whether values of this type are stored as JSON text: containers and records are, scalars are not."""
    info = msgspec.inspect.type_info(hint)
    parts = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    scalar = (
        msgspec.inspect.StrType,
        msgspec.inspect.IntType,
        msgspec.inspect.FloatType,
        msgspec.inspect.BoolType,
        msgspec.inspect.NoneType,
        msgspec.inspect.LiteralType,
    )
    return not all(isinstance(part, scalar) for part in parts)
