"""Proves that a compiled model answers as the trained one does, on real rows and on the edges of its signature.

The compiled side is read and run by the very code that serves: `tables.read_table` and the runner of its format.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..base.errors import Incompatible, UsageError
from ..base.records import Signature
from ..data.tables import from_arrow
from ..graphs.layout import Block, Columns
from ..graphs.runner import Answer
from .signature import UNSEEN, base_row, with_value
from .tables import Known, read_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Case", "Runner", "Trained", "make_cases", "prove"]

MAX_ROWS = 10_000
_NAMED = 5


class Runner(Protocol):
    """What answers for a packaged model: `graphs.runner.OnnxRunner` or `native.runner.NativeRunner`."""

    def run(self, columns: Columns) -> Answer:
        """Return the answers for these rows."""
        ...


class Trained:
    """The trained model, asked as its train function's own code would ask it.

    Args:
        flavour: the dataframe that the train function got.
    """

    def __init__(self, model: Any, features: Sequence[str], flavour: str) -> None:
        self.model = model
        self._features = list(features)
        self._flavour = flavour if flavour in ("pandas", "polars") else "pandas"
        self._named = getattr(model, "feature_names_in_", None) is not None or hasattr(model, "takes_frames")
        self._classes = getattr(model, "classes_", None)

    def frame(self, table: pa.Table) -> Any:
        """Return the features of a table as the model wants them: a dataframe, or a matrix if it was fitted on one."""
        frame = from_arrow(table.select(self._features), self._flavour)
        return frame if self._named else frame.to_numpy()

    def frame_of(self, table: pa.Table) -> tuple[str, Any]:
        """Return of what kind the things are that the model is asked with, and the features of a table before that: a
        dataframe whose columns have their types.
        """
        frame = from_arrow(table.select(self._features), self._flavour)
        return (self._flavour if self._named else "matrix"), frame

    def probabilities(self, table: pa.Table) -> Any:
        """Return the probabilities, shape (rows, classes), or None when the model has none."""
        if self._classes is None or not hasattr(self.model, "predict_proba"):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(self.model.predict_proba(self.frame(table)))

    def answers(self, table: pa.Table) -> Any:
        """Return the labels or the numbers, shape (rows,).

        Raises:
            Incompatible: when the model answers several numbers to a row.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = np.asarray(self.model.predict(self.frame(table)))
        if out.ndim == 2 and out.shape[1] == 1:
            out = out[:, 0]
        if out.ndim != 1:
            raise Incompatible(
                f"The model answers {out.shape[1]} numbers to each row ('multi-output'); one output can be packaged.",
                mend="train one model per target",
            )
        return out

    def ask(self, table: pa.Table) -> Any:
        """Return probabilities where there are some, else the answers."""
        found = self.probabilities(table)
        return self.answers(table) if found is None else found


class Case(NamedTuple):
    """Rows to prove on, and what the trained model answered to them."""

    what: str
    table: pa.Table
    answers: Any
    probabilities: Any
    refused: int
    """Rows of the table that the signature refuses, left out here."""


def make_cases(
    trained: Trained,
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    tables: Sequence[tuple[str, pa.Table]],
) -> list[Case]:
    """Return the cases to prove on: up to 10,000 evenly spread rows of each table, and the edges of the signature.

    Raises:
        Incompatible: when the trained model fails on rows that its signature accepts.
        UsageError: when a table lacks a feature.
    """
    names = [field.name for field in signature.fields]
    found: list[Case] = []
    for what, table in tables:
        if absent := [name for name in names if name not in table.column_names]:
            raise UsageError(f"The {what} has no column {', '.join(map(repr, absent))}, which the features name.")
        found.append(_case(trained, signature, blocks, known, what, _spread(table.select(names))))
    row = base_row(names, tables[0][1])
    for field in signature.fields:
        if field.nullable:
            edge = with_value(row, field.name, None)
            found.append(_case(trained, signature, blocks, known, f"{field.name!r} null", edge))
        if field.dtype == "string" and field.unseen == "accept":
            edge = with_value(row, field.name, UNSEEN)
            found.append(_case(trained, signature, blocks, known, f"{field.name!r} unseen", edge))
    if not any(case.table.num_rows for case in found):
        raise Incompatible("The signature refuses every row of the training data: there is nothing to prove on.")
    return found


def _case(
    trained: Trained, signature: Signature, blocks: Sequence[Block], known: Known, what: str, table: pa.Table
) -> Case:
    _, bad = read_table(table, signature.fields, blocks, known)
    refused = int(bad.sum())
    if refused:
        table = table.take(np.flatnonzero(~bad))
    if not table.num_rows:
        return Case(what, table, np.empty(0), None, refused)
    try:
        return Case(what, table, trained.answers(table), trained.probabilities(table), refused)
    except Incompatible:
        raise
    except Exception as error:
        raise Incompatible(
            f"The trained model fails on rows of its own kind ({what}): {type(error).__name__}: {error}",
            mend="look at the values of that table, or handle them in the model",
        ) from error


def _spread(table: pa.Table) -> pa.Table:
    if table.num_rows <= MAX_ROWS:
        return table
    return table.take(np.linspace(0, table.num_rows - 1, MAX_ROWS).astype(np.int64))


def prove(
    cases: Sequence[Case],
    runner: Runner,
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    tolerance: float,
    precision: str,
) -> dict[str, Any]:
    """Return the record of the proof: rows, largest difference, tolerance, labels that differ, precision.

    A probability may differ by `tolerance`; a number by `tolerance`, absolute or relative, whichever is larger. A label
    may differ only where the two largest probabilities are within the tolerance of each other.

    Args:
        blocks: how rows enter the graph of `runner`.

    Raises:
        Incompatible: naming the first rows that differ, both answers and by how much.
    """
    largest, ties, rows = 0.0, 0, 0
    for case in cases:
        if not case.table.num_rows:
            continue
        columns, _ = read_table(case.table, signature.fields, blocks, known)
        answer = runner.run(columns)
        differences, bad, tied = _compare(case, answer, signature, tolerance)
        if bad.any():
            raise _differs(case, answer, differences, bad, tolerance, precision)
        _prove_single(case, columns, runner, answer, tolerance, precision)
        largest = max(largest, float(differences.max(initial=0.0)))
        ties += tied
        rows += columns.rows
    return {
        "rows": rows,
        "refused_rows": sum(case.refused for case in cases),
        "max_difference": largest,
        "tolerance": tolerance,
        "label_differences": ties,
        "precision": precision,
        "cases": [case.what for case in cases],
    }


def _compare(case: Case, answer: Any, signature: Signature, tolerance: float) -> tuple[Any, Any, int]:
    """Return, by row, the difference and whether it is too large; and how many labels differ within the tolerance."""
    if signature.output.kind == "number":
        expected = np.asarray(case.answers, dtype=np.float64)
        differences = _distance(answer.numbers, expected)
        return differences, ~(differences <= tolerance * np.maximum(1.0, np.abs(expected))), 0
    other = answer.labels != case.answers
    if case.probabilities is None:
        return other.astype(np.float64), other, 0
    differences = _distance(answer.probabilities, case.probabilities).max(axis=1)
    tied = np.zeros(len(other), dtype=bool)
    if case.probabilities.shape[1] > 1:
        top = np.sort(case.probabilities, axis=1)
        tied = top[:, -1] - top[:, -2] <= tolerance
    return differences, ~(differences <= tolerance) | (other & ~tied), int((other & tied).sum())


def _distance(left: Any, right: Any) -> Any:
    """Return the absolute difference; equal infinities and two NaNs are 0 apart."""
    left, right = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if left.shape != right.shape:
        return np.full(right.shape, np.inf)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.abs(left - right))


def _prove_single(case: Case, columns: Columns, runner: Runner, answer: Any, tolerance: float, precision: str) -> None:
    """A row answers the same alone as among others."""
    for row in {0, columns.rows - 1}:
        alone = runner.run(columns.take(row, row + 1))
        left, right = alone.probabilities, answer.probabilities
        if alone.numbers is not None:
            left, right = alone.numbers, answer.numbers
        if left is None:
            same = bool(alone.labels[0] == answer.labels[row])
        else:
            gap = _distance(left[0], right[row])
            same = bool((gap <= tolerance * np.maximum(1.0, np.abs(right[row]))).all())
        if not same:
            raise Incompatible(
                f"The compiled model ({precision}) answers row {row} of {case.what} differently when it is alone.",
                row=case.table.slice(row, 1).to_pylist()[0],
            )


def _differs(case: Case, answer: Any, differences: Any, bad: Any, tolerance: float, precision: str) -> Incompatible:
    places = np.flatnonzero(bad)
    named: list[dict[str, Any]] = []
    for place in places[:_NAMED]:
        trained = case.answers[place] if case.probabilities is None else case.probabilities[place]
        compiled = answer.labels[place] if answer.probabilities is None else answer.probabilities[place]
        named.append(
            {
                "row": int(place),
                "fields": case.table.slice(int(place), 1).to_pylist()[0],
                "trained": np.asarray(trained).tolist(),
                "compiled": np.asarray(compiled).tolist(),
                "difference": float(differences[place]),
            }
        )
    lines = [
        f"  row {item['row']} {item['fields']}: trained {item['trained']}, compiled {item['compiled']}, "
        f"difference {item['difference']:.3g}"
        for item in named
    ]
    return Incompatible(
        f"The compiled model ({precision}) does not answer as the trained one: {len(places)} of {len(bad)} rows of "
        f"{case.what} differ by more than {tolerance:g} or in their label, the first of them:\n" + "\n".join(lines),
        mend="use another estimator, or a larger tolerance if such differences do not matter",
        case=case.what,
        rows=named,
        tolerance=tolerance,
    )
