"""Pages: the token says behind which place the next one begins, and belongs to one question alone."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from ..base.errors import UsageError
from ..base.ids import digest_json
from ..base.records import as_number
from .filter import Condition, Order, write_filter, write_order
from .matching import Values, select, sort_key

__all__ = ["MOST", "check_count", "page_of", "question", "read_token", "write_token"]

MOST = 50_000
_MOST_CHARACTERS = 100_000
T = TypeVar("T")


class _Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    question: str
    keys: list[tuple[int, float | str | None]]
    started_at: str
    last: int | str


def check_count(count: int) -> int:
    """Return `count` if a page may have that many.

    Raises:
        UsageError: when it is not from 1 to 50,000.
    """
    if not 1 <= count <= MOST:
        raise UsageError(f"A page can't have {count} entries: expected 1 to {MOST}.")
    return count


def question(noun: str, conditions: Sequence[Condition], orders: Sequence[Order], *others: Any) -> str:
    """Return the digest of what was asked: a token of one question is refused by another."""
    return digest_json([noun, write_filter(conditions), write_order(orders), *others])[:16]


def write_token(asked: str, keys: Sequence[tuple[int, Any]], started_at: str, last: int | str) -> str:
    """Return the token of the page behind a place, as text for an address.

    Args:
        keys: for each key of the order 0 and its value, or 1 for NaN, or 2 where there is none.
        last: what tells apart those that are equal in the order.
    """
    plain = [(rank, as_number(value) if isinstance(value, float) else value) for rank, value in keys]
    data = msgspec.json.encode(_Token(asked, plain, started_at, last))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read_token(
    token: str, asked: str, orders: Sequence[Order], numbers: Callable[[Order], bool], last: type
) -> tuple[tuple[tuple[int, Any], ...], str, Any]:
    """Return the keys, the start and the last of a token.

    Args:
        numbers: whether the values of a key are numbers; else they are texts.

    Raises:
        UsageError: when it is no token, or that of another question.
    """
    try:
        if len(token) > _MOST_CHARACTERS:
            raise ValueError
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(data, type=_Token, strict=True)
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        raise _refused(token, "it is no page token") from None
    if found.question != asked:
        raise _refused(token, "it belongs to another filter, order or set of experiments")
    if len(found.keys) != len(orders) or type(found.last) is not last or "\0" in f"{found.started_at}{found.last}":
        raise _refused(token, "it is no page token")
    if isinstance(found.last, int) and not 0 <= found.last < 2**63:
        raise _refused(token, "it is no page token")
    keys: list[tuple[int, Any]] = []
    for order, (rank, value) in zip(orders, found.keys, strict=True):
        try:
            keys.append(_key(rank, value, numbers(order)))
        except ValueError:
            raise _refused(token, "it is no page token") from None
    return tuple(keys), found.started_at, found.last


def page_of(
    records: Iterable[T],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    values: Callable[[T], Values],
    identity: Callable[[T], str],
    *,
    noun: str,
    count: int,
    page: str | None,
    numbers: Callable[[Order], bool],
) -> tuple[list[T], str | None]:
    """Return a page of records that are all at hand, and the token of the next; for nouns of which there are few.

    Equal ones are sorted by their identity.

    Raises:
        UsageError: when `count` or `page` can't be used.
    """
    check_count(count)
    asked = question(noun, conditions, orders)
    found = select(sorted(records, key=identity), conditions, orders, values)
    if page:
        keys, _, last = read_token(page, asked, orders, numbers, str)
        place = sort_key(orders, _as_values(orders, keys)), last
        found = [one for one in found if (sort_key(orders, values(one)), identity(one)) > place]
    shown = found[:count]
    if len(found) <= count:
        return shown, None
    ends = values(shown[-1])
    keys = [_ranked((ends.get(order.kind) or {}).get(order.key)) for order in orders]
    return shown, write_token(asked, keys, "", identity(shown[-1]))


def _ranked(value: Any) -> tuple[int, Any]:
    if value is None:
        return 2, None
    return (1, None) if isinstance(value, float) and math.isnan(value) else (0, value)


def _as_values(orders: Sequence[Order], keys: Sequence[tuple[int, Any]]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for order, (rank, value) in zip(orders, keys, strict=True):
        values.setdefault(order.kind, {})[order.key] = {0: value, 1: math.nan, 2: None}[rank]
    return values


def _key(rank: int, value: float | str | None, is_number: bool) -> tuple[int, Any]:
    if rank not in (0, 1, 2) or (rank != 0) != (value is None):
        raise ValueError
    if rank != 0 or value is None:
        return rank, None
    if is_number:
        number = {"Infinity": math.inf, "-Infinity": -math.inf}.get(value) if isinstance(value, str) else value
        if number is None or math.isnan(number):
            raise ValueError
        return 0, number
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return 0, value


def _refused(token: str, why: str) -> UsageError:
    return UsageError(
        f"The page token {token[:40]!r} can't be used: {why}.",
        mend="leave it out to begin with the first page, or repeat the question that it came with",
    )
