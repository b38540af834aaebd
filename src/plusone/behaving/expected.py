"""Cases with the answers that are expected of them, for answers of every kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import UsageError
from ..labels.several import singles
from ..signatures.words import what_is_answered
from .answers import check_first, show
from .cases import BECAUSE, case_names, column_types, read_cases

if TYPE_CHECKING:
    from ..base.records import Output, Signature
    from ..predictor import Answer

__all__ = ["Expected"]


class Expected:
    """A table of cases, and what is expected of each.

    Attributes:
        table: the cases.
        what: what is measured of each: a probability, a deviation, whether it is right.
        limit: what that is held against, where it is the same for all.

    Args:
        column: the column that says what is expected; the target's where there is no such column.
        given: `tolerance`, `relative` and `probability`, or None for each.

    Raises:
        UsageError: when the table does not say what is expected of each case, or says what no answer can be.
    """

    def __init__(
        self, signature: Signature, cases: Any, column: str, given: dict[str, float | None], first: int | None
    ) -> None:
        self.output: Output = signature.output
        self.table = read_cases(cases, column_types(signature, column) | column_types(signature, self.output.name))
        self._names = case_names(self.table)
        self._given = given
        self._first = first
        self.limit: float | None = None
        kind = self.output.kind
        self._check_arguments(kind)
        self._because = self._cells(BECAUSE)
        self._wanted = self._read(column)
        self._tolerance = self._each("tolerance")
        self._probability = self._each("probability")
        if kind in ("number", "vector") and None in self._tolerance and given["relative"] is None:
            raise UsageError(
                "The model answers numbers, and nothing says how near is near enough.",
                mend="minimum(..., tolerance=0.5)",
            )
        self.what = {"number": "Deviation", "vector": "Largest deviation"}.get(kind, "Right or not")
        if any(one is not None for one in self._probability):
            self.what, self.limit = "Probability of what is expected", given["probability"]
        elif kind in ("number", "vector") and not given["relative"]:
            self.limit = given["tolerance"]

    def judge(self, answer: Answer) -> list[dict[str, Any]]:
        """Return for each case its name, whether it passed, what was measured, answered and expected, and why."""
        found: list[dict[str, Any]] = []
        for row, name in enumerate(self._names):
            passed, value = self._judged(answer, row)
            found.append(
                {
                    "case": name,
                    "passed": passed,
                    "value": value if math.isfinite(value) else None,
                    "answered": show(self.output, answer, row),
                    "expected": self._shown(row),
                    "because": str(self._because[row] or ""),
                }
            )
        return found

    # ------------------------------------------------------------------------------------------------ judging

    def _judged(self, answer: Answer, row: int) -> tuple[bool, float]:
        wanted = self._wanted[row]
        if self.output.kind == "classes":
            place = self.output.classes.index(wanted)
            least = self._probability[row]
            if least is not None:
                value = float(answer.probabilities[row][place])
                return value >= least, value
            return int(answer.codes[row]) == place, float(int(answer.codes[row]) == place)
        if self.output.kind == "labels":
            right = [label for label, one in zip(answer.labels[row].tolist(), wanted, strict=True) if label == one]
            return len(right) == len(wanted), len(right) / len(wanted)
        if self.output.kind == "ranking":
            listed = [one for one in answer.labels[row][: self._first].tolist() if one is not None]
            right = all(item in listed for item in wanted)
            return right, float(right)
        numbers = np.asarray(answer.numbers, dtype=np.float64)[row].reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(numbers - np.asarray(wanted))
        allowed = (self._tolerance[row] or 0.0) + (self._given["relative"] or 0.0) * np.abs(wanted)
        return bool((apart <= allowed).all()), float(apart.max())

    def _shown(self, row: int) -> Any:
        wanted = self._wanted[row]
        if self.output.kind == "classes":
            least = self._probability[row]
            return wanted if least is None else f"{wanted!r} with at least {least:g}"
        if self.output.kind == "labels":
            return dict(zip(self.output.names, wanted, strict=True))
        if self.output.kind == "ranking":
            return wanted if self._first is None else f"{wanted} among the first {self._first}"
        numbers = wanted[0] if self.output.kind == "number" else wanted
        parts = [f"{self._tolerance[row]:g}"] if self._tolerance[row] is not None else []
        parts += [f"{self._given['relative']:.4g} of it"] if self._given["relative"] is not None else []
        return f"{numbers} ± {' + '.join(parts)}"

    # ------------------------------------------------------------------------------------------------ reading

    def _check_arguments(self, kind: str) -> None:
        for name, value in self._given.items():
            fits = ("classes",) if name == "probability" else ("number", "vector")
            if value is not None and kind not in fits:
                raise UsageError(
                    f"{name} = {value:g} does not fit: the model answers {what_is_answered(self.output)}.",
                    mend=f"leave {name}= out",
                )
            if value is not None and (value < 0 or (name == "probability" and value > 1)):
                raise UsageError(
                    f"{name} = {value:g}: expected 0 {'to 1' if name == 'probability' else 'or more'}.",
                    mend=f"{name}={0.5 if name == 'probability' else 0}",
                )
        if self._given["probability"] is not None and not self.output.probabilities:
            raise UsageError("The model answers labels only: it has no probabilities.", mend="leave out probability=")
        check_first(self.output, self._first)

    def _cells(self, name: str) -> list[Any]:
        if name not in self.table.column_names:
            return [None] * self.table.num_rows
        return self.table.column(name).to_pylist()

    def _each(self, name: str) -> list[float | None]:
        """Return a number for each case: its cell in the column of that name, or what was given for all."""
        given, taken = self._given[name], ("classes",) if name == "probability" else ("number", "vector")
        if self.output.kind not in taken or name not in self.table.column_names:
            return [given] * self.table.num_rows
        if name == "probability" and not self.output.probabilities:
            raise UsageError(
                "The table has a column 'probability', and the model answers labels only.",
                mend="take the column out, or return a classifier that has predict_proba",
            )
        found: list[float | None] = []
        for row, cell in enumerate(self._cells(name)):
            if cell is not None and (not _is_number(cell) or cell < 0 or (name == "probability" and cell > 1)):
                raise UsageError(
                    f"{self._names[row]}: {name} is {cell!r}: expected a number, 0 or more.",
                    mend="write a number there, or leave the cell empty",
                )
            found.append(given if cell is None else float(cell))
        return found

    def _read(self, column: str) -> list[Any]:
        known = self.table.column_names
        several = self.output.kind in ("vector", "labels")
        if several and column not in known and set(self.output.names) <= set(known):
            parts = [self._cells(name) for name in self.output.names] if self.output.names else []
            if parts:
                return [self._one(list(cells), row) for row, cells in enumerate(zip(*parts, strict=True))]
        name = column if column in known else self.output.name
        if name not in known:
            raise UsageError(
                f"The cases have no column {column!r} that says what is expected. Their columns: {', '.join(known)}.",
                mend=f"add a column {column!r}, or name it: minimum(..., expected='...')",
            )
        return [self._one(cell, row) for row, cell in enumerate(self._cells(name))]

    def _one(self, cell: Any, row: int) -> Any:
        """Return what is expected of one case: a label, or a list: of labels, items, or numbers."""
        output, name = self.output, self._names[row]
        if cell is None:
            raise UsageError(
                f"{name} does not say what is expected: the cell is empty.",
                mend="write there what is expected, or take the row out",
            )
        if output.kind == "classes":
            return self._known(cell, name, output)
        if output.kind == "labels":
            cells = [cell.get(one) for one in output.names] if isinstance(cell, dict) else cell
            if not isinstance(cells, list) or len(cells) != output.width or None in cells:
                raise UsageError(
                    f"{name} expects {str(cell)[:80]!r}: expected a label for each target.",
                    mend="write the labels as {'TARGET': LABEL, ...}, or a column for each target",
                )
            return [self._known(label, name, one) for label, one in zip(cells, singles(output), strict=True)]
        if output.kind == "ranking":
            items = cell if isinstance(cell, list) else [cell]
            if not items:
                raise UsageError(
                    f"{name} does not say what is expected: the list is empty.",
                    mend="write there the items that are expected, or take the row out",
                )
            return [self._known(item, name, output) for item in items]
        numbers = cell if isinstance(cell, list) else [cell]
        width = output.width if output.kind == "vector" else 1
        if len(numbers) != width or not all(_is_number(one) for one in numbers):
            raise UsageError(
                f"{name} expects {str(cell)[:80]!r}: expected {width} finite number{'s'[: width - 1]}.",
                mend="write the number that is expected, of several targets a list",
            )
        return [float(one) for one in numbers]

    def _known(self, value: Any, name: str, output: Output) -> Any:
        """Return the class or item that a cell means; a whole float is an integer, as pandas has it."""
        classes = output.classes
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) == isinstance(classes[0], bool) and value in classes:
            return value
        shown = ", ".join(map(repr, classes[:20])) + (" ..." if len(classes) > 20 else "")
        raise UsageError(
            f"{name} expects {str(value)[:80]!r}, which the model can't answer. It answers {shown}.",
            mend="write one of those there, or take the row out",
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
