"""Reads the fields of a protobuf message by their numbers, of the few types that answers have.

Source: protobuf.dev/programming-guides/encoding. So that what was answered over gRPC can be read where gRPC is not
installed.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Malformed", "fields_of", "repeated"]

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_MOST_BITS = 70


class Malformed(ValueError):
    """The bytes are no protobuf message."""


def fields_of(data: bytes | memoryview) -> dict[int, list[Any]]:
    """Return the values of each field, in order: an int for a varint, else the bytes of it.

    Example: `08 96 01` is field 1 with 150.

    Raises:
        Malformed: when the bytes are no message.
    """
    view = memoryview(data)
    found: dict[int, list[Any]] = {}
    place = 0
    while place < len(view):
        tag, place = _varint(view, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _varint(view, place)
        else:
            size = {_EIGHT: 8, _FOUR: 4}.get(kind)
            if size is None:
                if kind != _BYTES:
                    raise Malformed(f"a field of type {kind}")
                size, place = _varint(view, place)
            value = view[place : place + size]
            place += size
            if place > len(view):
                raise Malformed("a field ends behind the message")
        found.setdefault(number, []).append(value)
    return found


def repeated(value: int | memoryview) -> list[int]:
    """Return the integers of a repeated field, signed, whether they stand together in bytes or one for each field.

    Raises:
        Malformed: when the bytes are no integers.
    """
    if isinstance(value, int):
        return [_signed(value)]
    found: list[int] = []
    place = 0
    while place < len(value):
        one, place = _varint(value, place)
        found.append(_signed(one))
    return found


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(view) and shift < _MOST_BITS:
        byte = view[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise Malformed("an integer without an end")
