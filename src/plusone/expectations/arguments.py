"""What people name of a table: the table itself, its columns, ends of a range, spans of time."""

from __future__ import annotations

import datetime as dt
import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..base.errors import UsageError
from ..data.views import DAY, HOUR, ColumnView, TableView

__all__ = ["closest", "column_of", "end_of", "names_of", "number_of", "span_of", "view_of"]


def _is_said(found: Any) -> bool:
    """Return whether what was raised is about what a person named: pytest shows their line then, and not ours."""
    return found is not None and isinstance(found.value, UsageError)


__tracebackhide__ = _is_said

_UNITS = {"day": DAY, "days": DAY, "hour": HOUR, "hours": HOUR, "minute": HOUR // 60, "minutes": HOUR // 60}


def view_of(table: Any) -> TableView:
    """Return any table by its columns.

    Raises:
        UsageError: when it is none.
    """
    from ..base.errors import UnsafeValue
    from ..data.tables import to_arrow

    try:
        return TableView(to_arrow(table))
    except UnsafeValue as error:
        raise UsageError(error.message, mend=error.mend) from None


def names_of(what: str, given: Any) -> list[str]:
    """Return the names of columns that were given: one as a text, or several.

    Raises:
        UsageError: they are none.
    """
    found = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
    if not found or not all(isinstance(one, str) for one in found):
        raise UsageError(
            f"{what} = {str(given)[:80]}: expected the name of a column, or a list of them.",
            mend="name columns of the table: ['origin', 'carrier']",
        )
    return found


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like another one; the first where none is like it, '' where there is none."""
    names = list(known)
    return next(iter([*difflib.get_close_matches(name, names, 1), *names]), "")


def column_of(view: TableView, name: str, *kinds: str) -> ColumnView:
    """Return a column of a table, which must hold one of these kinds."""
    found = view.columns.get(name)
    if found is None:
        known = ", ".join(list(view.columns)[:30]) or "none"
        raise UsageError(
            f"The table has no column {name!r}. It has: {known}.",
            mend=f"name one that it has: {closest(name, view.columns)!r}",
        )
    if kinds and found.kind not in kinds and found.nulls < found.rows:
        words = {"number": "numbers", "moment": "times", "word": "text", "truth": "truths"}
        raise UsageError(
            f"The column {name!r} is {found.type}: expected {' or '.join(words[kind] for kind in kinds)}.",
            mend="name another column, or change its type in the step that makes it",
        )
    return found


def end_of(value: Any, column: ColumnView, without: float) -> float:
    """Return an end of a range as the column has its values; `without` for None."""
    if value is None or column.type == "null":  # of a column without any value nobody knows what it would hold
        return without
    if column.kind == "moment":
        return _moment(value, column.name)
    return number_of(value, column.name)


def number_of(value: Any, column: str) -> float:
    """Return a number that a column is held against."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or math.isnan(value):
        raise UsageError(
            f"{value!r} is held against {column!r}, which has numbers: expected a number.",
            mend="give numbers, or change the column in the step that makes it",
        )
    try:
        return float(value)
    except OverflowError:
        raise UsageError(
            f"A number of {column!r} is too large: expected at most 1.8e308.", mend="give a number of 64 bits"
        ) from None


def _moment(value: Any, column: str) -> float:
    try:
        found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(found, dt.date) and not isinstance(found, dt.datetime):
            found = dt.datetime(found.year, found.month, found.day, tzinfo=dt.UTC)
        if isinstance(found, dt.datetime):
            found = found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
            return (found - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{value!r} is held against {column!r}, which has times: expected a date, a datetime or ISO text.",
        mend="'2013-01-31', or '2013-01-31T12:00:00Z'",
    )


def span_of(text: str) -> float:
    """Return a span of time, as 1 day, in microseconds."""
    amount, _, unit = str(text).strip().partition(" ")
    try:
        count = float(amount)
    except ValueError:
        count = math.nan
    if unit.strip() not in _UNITS or not 0 < count < 1e9:
        raise UsageError(f"longest = {text!r}: expected a number and a unit.", mend="longest='1 day', or '36 hours'")
    return count * _UNITS[unit.strip()]
