"""A change of one column of a table: a small object that is called with the table and returns a changed copy.

It takes any table: a dataframe, an Arrow table, the rows of a request (a list of dicts, or one dict), a dict of numpy
arrays. What comes back is of the same kind; a dataframe that is neither of pandas nor of polars comes back as Arrow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base.errors import UsageError
from ..data.tables import flavour_of, from_arrow, to_arrow
from ..data.tensors import is_array, read_lists, shape_of, to_table
from .arguments import seed_of, text

__all__ = ["Change", "each", "nested"]

Work = Callable[[Any, np.random.Generator], Any]


class Change:
    """One change, or several in turn: `typos("text") | case("text", to="upper")`.

    Called with a table it returns a changed copy, with as many rows in the same order. The same change of the same
    table is always the same.

    Args:
        name: what it is called.
        column: the column that is changed.
        work: gets the column's values (a list, or an array of numpy where `tensors`) and a random generator, and
            returns as many.
        shown: the arguments, for the repr.
        tensors: give an array, of shape (rows, *shape of a value).
        added: the column need not be there.
    """

    def __init__(
        self,
        name: str,
        column: str,
        work: Work,
        shown: dict[str, Any],
        *,
        seed: int = 0,
        tensors: bool = False,
        added: bool = False,
    ) -> None:
        self.column = text(name, "column", column)
        seed_of(name, seed)
        self._name = name
        self._work = work
        self._seed = seed
        self._tensors = tensors
        self._added = added
        self._shown = shown
        self._then: tuple[Change, ...] = ()

    def __repr__(self) -> str:
        parts = [repr(self.column), *(f"{key}={value!r}" for key, value in self._shown.items() if value is not None)]
        own = f"{self._name}({', '.join(parts)})"
        return " | ".join([own, *map(repr, self._then)])

    def __or__(self, other: Any) -> Change:
        """Return both in turn, this one first."""
        if not isinstance(other, Change):
            return NotImplemented
        both = Change(
            self._name, self.column, self._work, self._shown, seed=self._seed, tensors=self._tensors, added=self._added
        )
        both._then = (*self._then, other)
        return both

    def __call__(self, data: Any) -> Any:
        """Return a changed copy of a table.

        Raises:
            UsageError: when it is no table, has no such column, or the column's values are of another kind.
        """
        changed = self._once(data)
        for other in self._then:
            changed = other(changed)
        return changed

    def _once(self, data: Any) -> Any:
        if isinstance(data, dict) and data and not all(is_array(part) for part in data.values()):
            return self._once([data])[0]
        if not isinstance(data, (dict, list)) and not flavour_of(data):
            raise UsageError(
                f"{self!r} was given a {type(data).__name__}: expected a dataframe, an Arrow table, a list of dicts or "
                "a dict of numpy arrays.",
                mend="give it the table that the test got, holdout say",
            )
        generator = np.random.default_rng(self._seed)
        values = _read(data, self.column, added=self._added, who=repr(self))
        gone: list[int] = []
        if self._tensors and not is_array(values):
            gone = [row for row, value in enumerate(values) if value is None]
            values = _array(values, repr(self))
        try:
            changed = self._work(values, generator)
        except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise UsageError(
                f"{self!r} does not fit the values of {self.column!r}: {error}.",
                mend="name a column whose values it is made for, or look at the row that is named",
            ) from error
        if gone:
            changed = nested(changed)
            for row in gone:
                changed[row] = None
        return _write(data, self.column, changed)


# ------------------------------------------------------------------------------------------------ reading


def _read(data: Any, column: str, *, added: bool, who: str) -> Any:
    """Return the values of a column, nulls as None: a list, or an array where the column is one of several axes."""
    names = _names(data)
    if column not in names:
        if added:
            return [None] * _rows(data)
        raise UsageError(
            f"{who}: the table has no column {column!r}. Its columns: {', '.join(names) or 'none'}.",
            mend=f"name one of them in place of {column!r}",
        )
    if isinstance(data, dict):
        values = data[column]
        return values if values.ndim > 1 else values.tolist()
    if isinstance(data, list):
        return [row.get(column) for row in data]
    if flavour_of(data) == "pandas":
        return [None if _is_missing(one) else one for one in data[column].tolist()]
    arrow = to_arrow(data).column(column)
    shape = shape_of(arrow.type)
    if shape is None or arrow.null_count:
        return arrow.to_pylist()
    array, bad = read_lists(arrow, shape)
    return arrow.to_pylist() if bad.any() else array


def _names(data: Any) -> list[str]:
    if isinstance(data, dict):
        return list(data)
    if isinstance(data, list):
        if odd := next((row for row in data if not isinstance(row, dict)), None):
            raise UsageError(
                f"A row is a {type(odd).__name__}: expected a dict, with an entry for each column.",
                mend="[{'column': value, ...}, ...]",
            )
        return list(dict.fromkeys(name for row in data for name in row))
    if flavour_of(data) == "pandas":
        return list(data.columns)
    return to_arrow(data).column_names


def _rows(data: Any) -> int:
    return len(next(iter(data.values()))) if isinstance(data, dict) else len(data)


def _is_missing(value: Any) -> bool:
    """Whether a value of a column of pandas is none: NaN, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _array(values: list[Any], who: str) -> Any:
    """Return numbers, or nested lists of them of one shape, as an array; nulls are filled with 0.

    Raises:
        UsageError: when they are others.
    """
    listed = [value.tolist() if is_array(value) else value for value in values]
    there = next((value for value in listed if value is not None), 0)
    filler: Any = np.zeros_like(there).tolist() if isinstance(there, list) else 0
    try:
        array = np.array([filler if value is None else value for value in listed])
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(
            f"{who}: the values are not numbers of one shape: {error}.",
            mend="name a column of numbers, or of tensors of one shape",
        ) from error
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{who} is for numbers, and a value is {str(there)[:60]!r}.", mend="name a column of numbers")
    return array


# ------------------------------------------------------------------------------------------------ writing


def _write(data: Any, column: str, values: Any) -> Any:
    """Return a copy of the table with other values in a column, of the type it had wherever they fit it."""
    if isinstance(data, dict):
        old = data.get(column)
        return {**data, column: values if is_array(values) else _like(old, values)}
    listed = nested(values)
    if isinstance(data, list):
        return [{**row, column: value} for row, value in zip(data, listed, strict=True)]
    flavour = flavour_of(data)
    if flavour == "pandas":
        return _to_pandas(data, column, listed)
    if flavour == "polars":
        return _to_polars(data, column, listed)
    return _to_arrow(to_arrow(data), column, values, listed)


def _like(old: Any, values: list[Any]) -> Any:
    """Return values as an array of the type that the old one has, wherever they fit it."""
    objects = any(value is None or isinstance(value, str) for value in values)
    array = np.array(values, dtype=object if objects else None)
    if old is None or old.dtype.kind != array.dtype.kind or array.dtype.kind not in "iufb":
        return array
    return array.astype(old.dtype)


def nested(values: Any) -> list[Any]:
    """Return the values as a list of plain ones."""
    return values.tolist() if is_array(values) else [one.tolist() if is_array(one) else one for one in values]


def _to_pandas(frame: Any, column: str, values: list[Any]) -> Any:
    import pandas as pd

    kind = frame[column].dtype if column in frame.columns else None
    if kind is None or isinstance(kind, pd.CategoricalDtype):
        # A category that is not among the old ones would silently become a null.
        new = pd.Series(values, index=frame.index)
        new = new if kind is None else new.astype("category")
    else:
        # A null among numpy's booleans would silently become false.
        wanted = "boolean" if str(kind) == "bool" and None in values else kind
        try:
            new = pd.Series(values, index=frame.index, dtype=wanted)
        except (TypeError, ValueError):
            new = pd.Series(values, index=frame.index, dtype=object).convert_dtypes()
    changed = frame.copy()
    changed[column] = new
    return changed


def _to_polars(frame: Any, column: str, values: list[Any]) -> Any:
    import polars as pl

    kind = frame.schema.get(column)
    try:
        new = pl.Series(column, values, dtype=kind)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        new = pl.Series(column, values)
    return frame.with_columns(new)


def _to_arrow(table: Any, column: str, values: Any, listed: list[Any]) -> Any:
    import pyarrow as pa

    if column not in table.column_names:
        return table.append_column(column, pa.array(listed))
    place = table.column_names.index(column)
    kind = table.schema.field(place).type
    if shape_of(kind) is not None:
        return table.set_column(place, column, to_table({column: np.asarray(values)}).column(0))
    if pa.types.is_dictionary(kind):
        return table.set_column(place, column, pa.array(listed).dictionary_encode())
    try:
        new = pa.array(listed, type=kind)
    except (pa.ArrowException, OverflowError):
        new = pa.array(listed)
    return from_arrow(table.set_column(place, column, new), "pyarrow")


# ------------------------------------------------------------------------------------------------ for the changes


def each(change: Callable[[Any, np.random.Generator], Any], *, kind: type | tuple[type, ...], what: str) -> Work:
    """Return what changes the values of a column one by one; nulls stay as they are.

    Raises:
        TypeError: by what is returned, when a value is not of `kind`.
    """

    def work(values: Any, generator: np.random.Generator) -> list[Any]:
        found: list[Any] = []
        for row, value in enumerate(values):
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise TypeError(f"in row {row} is {str(value)[:60]!r}, and it is for {what}")
            found.append(None if value is None else change(value, generator))
        return found

    return work
