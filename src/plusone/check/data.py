"""Checks of any dataframe: its columns, its values, its rows, what it shares with another one.

Each says which column, how many rows and which ones, counted from 0. Rows of a table are looked at as Arrow sees them,
so that one test does for pandas, polars and pyarrow alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import UsageError
from ..data.views import ColumnView
from ..expectations.arguments import column_of, end_of, names_of, number_of, span_of, view_of
from ..expectations.findings import number, percent
from ..measuring.concluding import check_arguments, check_range, conclude
from ..measuring.outcomes import is_outcome

__all__ = ["between", "columns", "no_gaps", "not_null", "one_of", "rows", "unique"]

__tracebackhide__ = is_outcome

_KINDS = {
    "number": ("number",),
    "integer": ("number",),
    "text": ("word",),
    "truth": ("truth",),
    "time": ("moment",),
    "any": ("number", "word", "truth", "moment", "other"),
}
_FIRST = 5
_LETTERS = 60


def columns(table: Any, expected: Mapping[str, str] | Iterable[str], *, others: bool = True) -> None:
    """Pass when the table has these columns, of these kinds.

    Args:
        table: a dataframe (pandas, polars, pyarrow and others), a list of dicts or a dict of numpy arrays.
        expected: the kind of each column by its name: 'number', 'integer', 'text', 'truth', 'time' or 'any'; or names
            alone. A number without fractions is an integer whatever type it has, so that one missing value, which
            makes floats of a pandas column, changes nothing.
        others: whether the table may have further columns.

    Raises:
        CheckFailed: a column is missing or of another kind, or there are others and `others` is False.
        UsageError: the table or a kind can't be used.
    """
    view = view_of(table)
    wanted = dict(expected) if isinstance(expected, Mapping) else dict.fromkeys(names_of("expected", expected), "any")
    for name, kind in wanted.items():
        if kind not in _KINDS:
            raise UsageError(
                f"The kind of {name!r} is {kind!r}: expected one of {', '.join(_KINDS)}.", mend=f"{{{name!r}: 'any'}}"
            )
    wrong: list[str] = []
    for name, kind in wanted.items():
        found = view.columns.get(name)
        if found is None:
            wrong.append(f"{name} is missing")
        elif found.kind not in _KINDS[kind] and found.nulls < found.rows:
            wrong.append(f"{name} is {found.type}, expected {kind}")
        elif kind == "integer" and len(found.values) and not found.whole:
            part = found.present & (found.numbers != np.rint(found.numbers))
            wrong.append(f"{name} has fractions: {_first(found, part)}")
    if not others and (more := [name for name in view.columns if name not in wanted]):
        wrong.append(f"not expected: {', '.join(more[:_FIRST])}" + (" ..." if len(more) > _FIRST else ""))
    _conclude("columns", "; ".join(wrong), len(wrong), {"columns": len(view.columns), "rows": view.rows})


def between(table: Any, column: str, low: Any = None, high: Any = None, *, at_most: float = 0.0) -> None:
    """Pass when the values of a column are from `low` to `high`, both included. What is missing is left out.

    Args:
        low, high: numbers; for times a date, a datetime or ISO text ('2013-01-31'; UTC without a zone); None: no end.
        at_most: what share of the values may lie outside, 0 to 1.

    Raises:
        CheckFailed: more than that lie outside; the first are named.
        UsageError: there is no such column, or it holds neither numbers nor times.
    """
    _check_share(at_most)
    if low is None and high is None:
        raise UsageError(
            "Neither low nor high is given: nothing could fail.", mend=f"between(table, {column!r}, low=0)"
        )
    found = column_of(view_of(table), column, "number", "moment")
    first, last = end_of(low, found, -math.inf), end_of(high, found, math.inf)
    if first > last:
        raise UsageError(f"low = {low!r} is above high = {high!r}: nothing could pass.", mend="exchange the two")
    outside = found.present & ~((found.numbers >= first) & (found.numbers <= last))
    said = f"up to {high}" if low is None else f"{low} or more" if high is None else f"from {low} to {high}"
    _judge("between", found, outside, f"are not {said}", at_most, rows=found.rows - found.nulls)


def one_of(table: Any, column: str, values: Iterable[Any], *, at_most: float = 0.0) -> None:
    """Pass when each value of a column is one of `values`. What is missing is left out.

    Args:
        values: text, numbers or truths, as the column has them.
        at_most: what share of the values may be others, 0 to 1.

    Raises:
        CheckFailed: more are others; the first are named.
        UsageError: there is no such column, or it holds no values that can be told apart.
    """
    _check_share(at_most)
    given: Any = values
    if isinstance(values, str) or not isinstance(given, Iterable):
        raise UsageError(f"values = {values!r}: expected a list.", mend=f"[{values!r}]")
    found = column_of(view_of(table), column, "number", "word", "truth")
    allowed = list(values)
    if not allowed:
        raise UsageError(
            "values = []: expected at least one: nothing could pass.", mend=f"one_of(table, {column!r}, [...])"
        )
    if found.kind == "number":
        known = np.isin(
            found.numbers, np.array([number_of(one, column) for one in allowed if found.nulls < found.rows])
        )
    else:
        named = {str(value) for value in allowed}
        known = np.array([*(word in named for word in found.words), True])[found.codes]
    shown = ", ".join(repr(value) for value in allowed[:10]) + (" ..." if len(allowed) > 10 else "")
    _judge("one_of", found, found.present & ~known, f"are none of {shown}", at_most, rows=found.rows - found.nulls)


def not_null(table: Any, *names: str, at_most: float = 0.0) -> None:
    """Pass when columns have a value in every row; NaN counts as none.

    Args:
        names: the columns; none: all.
        at_most: what share of each column's values may be missing, 0 to 1.

    Raises:
        CheckFailed: more are missing, in any of them.
        UsageError: there is no such column.
    """
    _check_share(at_most)
    view = view_of(table)
    wrong: list[str] = []
    named = [one for name in names for one in (names_of("names", name))]
    for name in named or tuple(view.columns):
        found = column_of(view, name)
        share = found.nulls / max(1, found.rows)
        if share > at_most:
            wrong.append(f"{name}: {found.nulls:,} of {found.rows:,} values are missing: {_rows(~found.present)}")
    more = f" (allowed: {percent(at_most)})" if at_most else ""
    _conclude("not_null", "; ".join(wrong) + more if wrong else "", len(wrong), {"rows": view.rows, "at_most": at_most})


def unique(table: Any, names: str | Sequence[str], *, at_most: float = 0.0) -> None:
    """Pass when no two rows have the same value in a column, or the same values in several.

    Args:
        names: a column, or several that are a key together.
        at_most: what share of the rows may repeat an earlier one, 0 to 1.

    Raises:
        CheckFailed: more do; the first are named.
        UsageError: there is no such column, or its values can't be compared.
    """
    _check_share(at_most)
    view = view_of(table)
    key = names_of("names", names)
    for name in key:
        column_of(view, name)
    hashed = view.hashes(key)
    if hashed is None:
        raise UsageError(
            f"The values of {' and '.join(key)} can't be compared: expected numbers, text or times.",
            mend="name columns of numbers, text or times as the key: unique(table, [...])",
        )
    _, firsts = np.unique(hashed, return_index=True)
    again = np.ones(view.rows, dtype=np.bool_)
    again[firsts] = False
    count = int(again.sum())
    wrong = count > at_most * view.rows
    said = f"{' and '.join(key)}: {count:,} of {view.rows:,} rows repeat an earlier one: {_rows(again)}"
    if count:
        said += "; first " + ", ".join(f"{name} {_value(view.columns[name], int(np.argmax(again)))}" for name in key)
    _conclude("unique", said if wrong else "", count, {"column": ", ".join(key), "rows": view.rows, "at_most": at_most})


def rows(table: Any, *, at_least: int = 1, at_most: int | None = None) -> None:
    """Pass when the table has from `at_least` to `at_most` rows.

    Raises:
        CheckFailed: it has fewer or more.
        UsageError: the table or a bound can't be used.
    """
    check_arguments(at_least=at_least, at_most=0 if at_most is None else at_most)
    if at_most is not None and at_most < at_least:
        raise UsageError(
            f"at_least = {at_least:,} is above at_most = {at_most:,}: nothing could pass.",
            mend=f"at_least={at_most}, at_most={at_least}",
        )
    count = view_of(table).rows
    wrong = ""
    if count < at_least:
        wrong = f"there are {count:,} rows, expected at least {at_least:,}"
    elif at_most is not None and count > at_most:
        wrong = f"there are {count:,} rows, expected at most {at_most:,}"
    _conclude("rows", wrong, int(bool(wrong)), {"rows": count, "at_least": at_least, "at_most": at_most})


def no_gaps(table: Any, column: str, *, longest: str = "1 day") -> None:
    """Pass when no two neighbouring times in a column lie further apart than `longest`.

    Args:
        column: dates or times; rows may be in any order.
        longest: a number and a unit, as '1 day', '36 hours' or '10 minutes'. Days that follow each other are 1 day
            apart.

    Raises:
        CheckFailed: there are gaps; the first are named.
        UsageError: there is no such column, or it holds no times.
    """
    from ..expectations.times import day_text

    found = column_of(view_of(table), column, "moment")
    wide = span_of(longest)
    moments = found.heaps[0]
    steps = np.diff(moments)
    places = np.flatnonzero(steps > wide)
    shown = ", ".join(
        f"{day_text(float(moments[place]))} to {day_text(float(moments[place + 1]))}" for place in places[:_FIRST]
    )
    many = "1 gap is" if len(places) == 1 else f"{len(places):,} gaps are"
    said = f"{column}: {many} longer than {longest}: nothing between {shown}"
    measured = {"column": column, "rows": found.rows, "longest": longest, "gaps": len(places)}
    _conclude("no_gaps", said if len(places) else "", len(places), measured)


def _judge(check: str, column: ColumnView, wrong: NDArray[np.bool_], what: str, at_most: float, *, rows: int) -> None:
    count = int(wrong.sum())
    measured = {"column": column.name, "rows": rows, "wrong": count, "at_most": at_most}
    said = ""
    if count > at_most * rows:
        said = f"{column.name}: {count:,} of {rows:,} values {what}: {_first(column, wrong)}"
        said += f" (allowed: {percent(at_most)})" if at_most else ""
    _conclude(check, said, count, measured)


def _conclude(check: str, wrong: str, count: int, measured: dict[str, Any]) -> None:
    conclude(wrong, "failed" if wrong else "passed", {"check": check, "wrong": count, **measured})


def _first(column: ColumnView, wrong: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(wrong)
    shown = ", ".join(f"{_value(column, int(place))} (row {place:,})" for place in places[:_FIRST])
    return shown + (", ..." if len(places) > _FIRST else "")


def _rows(wrong: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(wrong)
    shown = ", ".join(f"{place:,}" for place in places[:_FIRST])
    return f"row{'s' if len(places) > 1 else ''} {shown}" + (", ..." if len(places) > _FIRST else "")


def _value(column: ColumnView, place: int) -> str:
    from ..expectations.times import day_text

    if not column.present[place]:
        return "missing"
    if column.kind == "moment":
        return day_text(float(column.numbers[place]))
    if column.kind == "number":
        return number(float(column.numbers[place]))
    if column.kind == "other":
        return column.type
    word = column.words[column.codes[place]]
    return repr(word if len(word) <= _LETTERS else word[: _LETTERS - 1] + "…")


def _check_share(at_most: float) -> None:
    check_arguments(at_most=at_most)
    check_range(0 <= at_most <= 1, "a share of 0 to 1", at_most=(at_most, 0.01))
