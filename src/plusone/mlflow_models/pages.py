"""Pages of a search whose records are few enough to be sorted at once: a token says how far the last page went."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from ..base.errors import UsageError
from ..base.ids import digest_json

__all__ = ["page_of"]

T = TypeVar("T")


class _Token(msgspec.Struct, frozen=True):
    offset: int
    asked: str


def page_of(
    found: Sequence[T], *, count: int, most: int, token: str | None, asked: Any
) -> tuple[Sequence[T], str | None]:
    """Return one page of `found`, and the token of the next one if there is more.

    Args:
        asked: what was searched for; a token fits the same search only.

    Raises:
        UsageError: when `count` is not from 1 to `most`, or the token is none, or of another search.
    """
    if not 1 <= count <= most:
        raise UsageError(
            f"Invalid value for request parameter max_results: {count}. It must be at least 1 and at most {most}."
        )
    key = digest_json(asked)[:16]
    start = _offset(token, key) if token else 0
    more = start + count < len(found)
    return found[start : start + count], _write(_Token(start + count, key)) if more else None


def _write(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()


def _offset(text: str, key: str) -> int:
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=_Token)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise UsageError(f"{text[:100]!r} is no page token: expected one of an answer of this search.") from None
    if token.asked != key or token.offset < 0:
        raise UsageError("This page token is of another search: expected the same filter and order as before.")
    return token.offset
