"""What a filter and an order say of one record, in Python: for nouns of which there are few, and to prove the SQL by.

A record is asked by its values: `{"attribute": {"name": "a"}, "tag": {...}, "metric": {...}, "param": {...},
"dataset": [{"name": ..., "digest": ..., "context": ...}]}`; what a noun does not have may be left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .filter import Condition, Order

__all__ = ["Values", "is_like", "matches", "select", "sort_key"]

Values = Mapping[str, Any]
T = TypeVar("T")
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def matches(conditions: Sequence[Condition], values: Values) -> bool:
    """Say whether a record fulfils every condition.

    What a record does not have fulfils IS NULL and nothing else, not even `!=`; so does NaN no comparison of numbers.
    """
    return all(_holds(condition, values) for condition in conditions)


def sort_key(orders: Sequence[Order], values: Values) -> tuple[Any, ...]:
    """Return what a record is sorted by: values as the order says, behind them NaN, and what is missing at the end."""
    return tuple(_placed(order, values) for order in orders)


def select(
    records: Iterable[T], conditions: Sequence[Condition], orders: Sequence[Order], values: Callable[[T], Values]
) -> list[T]:
    """Return the records that fulfil every condition, sorted; equal ones stay in the order in which they came."""
    found = [(values(record), record) for record in records]
    kept = [(sort_key(orders, one), record) for one, record in found if matches(conditions, one)]
    return [record for _, record in sorted(kept, key=lambda pair: pair[0])]


def is_like(text: str, pattern: str, *, ignore_case: bool = False) -> bool:
    """Say whether `text` fits a pattern in which `%` stands for any text and `_` for one character.

    `ignore_case` is about A to Z alone, as it is in the databases.
    """
    if ignore_case:
        text, pattern = text.translate(_LOWER), pattern.translate(_LOWER)
    at = place = 0
    star, mark = -1, 0
    while at < len(text):
        # '%' comes first: in the text it may stand for itself too.
        if place < len(pattern) and pattern[place] == "%":
            star, mark = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("_", text[at]):
            at += 1
            place += 1
        elif star >= 0:  # the last '%' takes one character more
            mark += 1
            at, place = mark, star + 1
        else:
            return False
    return not pattern[place:].strip("%")


def _holds(condition: Condition, values: Values) -> bool:
    found = values.get(condition.kind)
    if condition.kind == "dataset":
        return any(_compare(condition, one.get(condition.key)) for one in found or ())
    return _compare(condition, (found or {}).get(condition.key))


def _compare(condition: Condition, value: Any) -> bool:
    comparator = condition.comparator
    if value is None or comparator in ("IS NULL", "IS NOT NULL"):
        return (value is None) == (comparator == "IS NULL")
    if isinstance(value, float) and math.isnan(value):
        return False
    return _COMPARE[comparator](value, condition.value)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    ">": lambda value, wanted: value > wanted,
    ">=": lambda value, wanted: value >= wanted,
    "<": lambda value, wanted: value < wanted,
    "<=": lambda value, wanted: value <= wanted,
    "IN": lambda value, wanted: value in wanted,
    "NOT IN": lambda value, wanted: value not in wanted,
    "LIKE": is_like,
    "ILIKE": lambda value, wanted: is_like(value, wanted, ignore_case=True),
}


class _Down:
    """A value that sorts the other way round."""

    __slots__ = ("value",)
    __hash__ = None  # pyright: ignore[reportAssignmentType]  # it is compared, never kept in a set

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Down) -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and other.value == self.value


def _placed(order: Order, values: Values) -> tuple[int, Any]:
    value = (values.get(order.kind) or {}).get(order.key)
    if value is None:
        return 2, 0
    if isinstance(value, float) and math.isnan(value):
        return 1, 0
    return 0, _Down(value) if order.descending else value
