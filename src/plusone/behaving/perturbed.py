"""Rows as they are and as a change leaves them, with a model's answers to both."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import PlusoneError, UsageError
from ..data.tables import to_arrow
from ..data.tensors import is_array, shape_of
from .answers import show

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..predictor import Answer, Predictor

__all__ = ["Perturbed"]

_SHOWN = 10
_CELL = 160


class Perturbed:
    """What a model answers before and after a change of its rows.

    Attributes:
        before, after: the answers.
        touched: whether the change left a row other than it was, in what the model is asked with, shape (rows,).
        name: what the change is called.

    Args:
        data: a dataframe, an Arrow table, a list of dicts or a dict of numpy arrays. The change gets a copy of it.
        change: takes the table and returns one with as many rows in the same order.

    Raises:
        UsageError: when the change is none, or leaves other rows, or what the model is asked with as it was.
        InvalidInput: when the model does not take the rows.
    """

    def __init__(self, model: Predictor, data: Any, change: Callable[[Any], Any]) -> None:
        if not callable(change):
            raise UsageError(
                f"change = {str(change)[:80]}: expected a function of the table.",
                mend='plusone.check.perturb.typos("text")',
            )
        self.name = _name(change)
        self._output = model.signature.output
        first = _table(data, "The data")
        self.before: Answer = model.run(model.columns(first))
        second = _table(_changed(change, data, self.name), f"What {self.name} returned")
        if second.num_rows != first.num_rows:
            raise UsageError(
                f"{self.name} was given {first.num_rows:,} rows and returned {second.num_rows:,}: expected each row "
                "changed, in the same order.",
                mend="return a table of as many rows, in the same order: frame.assign(x=...)",
            )
        self._columns = _differing(first, second)
        fields = [field.name for field in model.signature.fields]
        self.touched: NDArray[np.bool_] = np.zeros(first.num_rows, dtype=bool)
        for name, rows in self._columns.items():
            # A column that came or went is one that the model must not stumble over: it counts, field or not.
            if name in fields or (name in first.column_names) != (name in second.column_names):
                self.touched |= rows
        if self._columns and not self.touched.any():
            raise UsageError(
                f"{self.name} changed {', '.join(self._columns)} alone, which the model does not ask for: nothing was "
                f"tested. Its fields: {', '.join(fields[:30])}.",
                mend="change one of its fields",
            )
        if not self.touched.any():
            raise UsageError(
                f"{self.name} left all of the {first.num_rows:,} rows as they were: nothing was tested.",
                mend="change a column that the table has, or give rows that have what is changed",
            )
        self.after: Answer = model.run(model.columns(second))
        self._first, self._second = first, second

    def examples(self, worst: NDArray[Any], wanted: NDArray[np.bool_]) -> list[dict[str, Any]]:
        """Return the wanted rows with the largest of the numbers `worst`, at most 10: what changed, and the answers."""
        rows = np.flatnonzero(wanted)
        order = rows[np.argsort(-worst[rows], kind="stable")][:_SHOWN]
        return [self._example(int(row)) for row in order]

    def _example(self, row: int) -> dict[str, Any]:
        names = [name for name, differ in self._columns.items() if differ[row]]
        pairs = {name: _clipped(_cell(self._first, name, row), _cell(self._second, name, row)) for name in names[:20]}
        return {
            "row": row,
            "before": {name: pair[0] for name, pair in pairs.items()},
            "after": {name: pair[1] for name, pair in pairs.items()},
            "answer_before": show(self._output, self.before, row),
            "answer_after": show(self._output, self.after, row),
        }


def _name(change: Any) -> str:
    if not hasattr(change, "__qualname__"):
        return repr(change)[:200]
    name = change.__qualname__.rpartition(".")[2]
    return "the change" if name.startswith("<") else name


def _table(data: Any, what: str) -> pa.Table:
    try:
        return to_arrow(data)
    except PlusoneError as error:
        raise UsageError(f"{what} can't be read as a table: {error.message}", mend=error.mend) from error


def _changed(change: Callable[[Any], Any], data: Any, name: str) -> Any:
    """Return what the change makes of a copy: a function may write into the table that it gets."""
    kind = type(data).__module__.partition(".")[0]
    own = data if kind in ("pyarrow", "polars") else data.copy(deep=True) if kind == "pandas" else copy.deepcopy(data)
    try:
        return change(own)
    except PlusoneError:
        raise
    except Exception as error:
        raise UsageError(
            f"{name} could not change the rows: {type(error).__name__}: {str(error)[:300]}.",
            mend="try it by hand on the same rows",
        ) from error


def _differing(first: pa.Table, second: pa.Table) -> dict[str, NDArray[np.bool_]]:
    """Return which rows of each column differ; of columns that nothing changed in, nothing."""
    found: dict[str, NDArray[np.bool_]] = {}
    for name in dict.fromkeys((*first.column_names, *second.column_names)):
        if name not in first.column_names or name not in second.column_names:
            found[name] = np.ones(first.num_rows, dtype=bool)
            continue
        a, b = first.column(name), second.column(name)
        if a.type == b.type and a.equals(b):
            continue
        differ = np.array(
            [x != y and not (x != x and y != y) for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)]
        )
        if differ.any():
            found[name] = differ
    return found


def _cell(table: pa.Table, name: str, row: int) -> Any:
    """Return a cell as a plain JSON value; None where the table has no such column."""
    if name not in table.column_names:
        return None
    column = table.column(name)
    shape = shape_of(column.type)
    if shape is not None:
        return f"{column.type.value_type} of shape {list(shape)}"
    value = column[row].as_py()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    text = str(value.tolist() if is_array(value) else value)
    return text if len(text) <= _CELL else f"{text[: _CELL - 2]} …"


def _clipped(before: Any, after: Any) -> tuple[Any, Any]:
    """Return long texts as the part around where they begin to differ."""
    if not isinstance(before, str) or not isinstance(after, str) or max(len(before), len(after)) <= _CELL:
        return before, after
    start = next((place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, start - _CELL // 4)
    return _part(before, start), _part(after, start)


def _part(text: str, start: int) -> str:
    part = text[start : start + _CELL]
    return f"{'… ' if start else ''}{part}{' …' if start + _CELL < len(text) else ''}"
