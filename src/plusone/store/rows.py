"""Records to rows and back: scalars as they are, everything else as JSON text. One mapping for every noun."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeVar, get_type_hints

import msgspec

from ..base.errors import UsageError
from ..base.ids import canonical_json
from ..base.records import Record

__all__ = ["from_row", "to_row"]

R = TypeVar("R", bound=Record)


def to_row(record: Record) -> dict[str, Any]:
    """Return the record's fields as bound parameters: str, int, float and None as they are, the rest as JSON text.

    Raises:
        UsageError: for text that is no Unicode (a lone surrogate) and for integers of more than 64 bits.
    """
    row: dict[str, Any] = {}
    for name, (hint, is_json) in _hints(type(record)).items():
        value = getattr(record, name)
        try:
            row[name] = _as_json(value, hint) if is_json else _as_scalar(value)
        except (UnicodeEncodeError, OverflowError) as error:
            raise UsageError(
                f"The field {name!r} of a {type(record).__name__} can't be stored: {error}.",
                mend="expected text that is valid Unicode, and integers of 64 bits",
            ) from None
    return row


def from_row(kind: type[R], row: dict[str, Any]) -> R:
    """Return the record that `row` holds; columns that the record does not have are left out."""
    values = {}
    for name, (hint, is_json) in _hints(kind).items():
        if name in row:
            value = row[name]
            if is_json and value is not None:
                value = msgspec.json.decode(value, type=hint)
            values[name] = value
    return msgspec.convert(values, kind, strict=False)


def _as_scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise OverflowError(f"{value} has more than 64 bits")
    elif isinstance(value, float) and math.isnan(value):
        return "nan"  # SQLite would make it NULL
    return value


def _as_json(value: Any, hint: Any) -> str | None:
    if value is None and hint is not Any:
        return None
    return canonical_json(value).decode()


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
