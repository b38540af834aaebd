"""Proves that a compiled model answers as the trained one does, on real rows and on the edges of its signature.

The compiled side is read and run by the very code that serves: `tables.read_table` and the runner of its format.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..base.errors import Incompatible, UsageError
from ..base.records import Output, Signature
from ..data.tables import from_arrow
from ..data.tensors import shape_of, tabled, to_arrays
from ..estimators.several import classes_of, has_probabilities
from ..graphs.layout import Block, Columns
from ..graphs.runner import Answer, class_array
from ..labels.several import parts_of
from ..native.several import join_probabilities, labels_to_codes
from ..signatures.signature import UNSEEN, base_row, with_value
from ..signatures.tables import Known, read_table
from .rankings import compare_rankings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Case", "Runner", "Trained", "make_cases", "prove"]

MAX_ROWS = 10_000
_NAMED = 5
_ROUNDED = 1e-4
"""So far beyond 0 and 1 a probability may lie that was computed in 32 bits."""


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
        self._arrays = flavour == "numpy"
        self._flavour = flavour if flavour in ("pandas", "polars") else "pandas"
        self._named = getattr(model, "feature_names_in_", None) is not None or hasattr(model, "takes_frames")
        self._width = getattr(model, "n_features_in_", None)
        self._classes = getattr(model, "classes_", None)
        self._several = classes_of(model)

    def frame(self, table: pa.Table) -> Any:
        """Return the features of a table as the model wants them: a dataframe, or a matrix if it was fitted on one.

        Of arrays, and where there are tensors: a dict of arrays, or the array itself of a model with one feature; a
        matrix if the model says of how many columns (`n_features_in_`).
        """
        table = tabled(table.select(self._features), self._features)
        if not self._as_arrays(table):
            frame = from_arrow(table, self._flavour)
            return frame if self._named else frame.to_numpy()
        arrays = to_arrays(table)
        if self._width is not None and not self._named:
            return np.concatenate([array.reshape(table.num_rows, -1) for array in arrays.values()], axis=1)
        return arrays[self._features[0]] if len(arrays) == 1 else arrays

    def _as_arrays(self, table: pa.Table) -> bool:
        if any(shape_of(field.type) is not None for field in table.schema):
            return True
        return self._arrays and not (self._named and self._width is not None)

    def frame_of(self, table: pa.Table) -> tuple[str, Any]:
        """Return of what kind the things are that the model is asked with, and the features of a table before that: a
        dataframe, or arrays by name, whose columns have their types.
        """
        table = tabled(table.select(self._features), self._features)
        if self._as_arrays(table):
            return ("numpy" if self._width is None or self._named else "matrix"), to_arrays(table)
        return (self._flavour if self._named else "matrix"), from_arrow(table, self._flavour)

    def probabilities(self, table: pa.Table) -> Any:
        """Return the probabilities, shape (rows, classes), or None when the model has none."""
        if self._classes is None or not hasattr(self.model, "predict_proba"):
            return None
        if self._several is not None and not has_probabilities(self.model, self._several):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self.model.predict_proba(self.frame(table))
        if self._several is None:
            return np.asarray(found)
        return join_probabilities(found, table.num_rows, [len(labels) for labels in self._several])

    def answers(self, table: pa.Table) -> Any:
        """Return the labels or the numbers, shape (rows,); vectors, (rows, width), and so the codes of ranked items and
        the labels of several targets.

        Raises:
            Incompatible: when the model answers more than a list to each row.
        """
        ranking = self.ranking(table)
        if ranking is not None:
            return ranking[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = self.model.predict(self.frame(table))
        if self._several is not None:
            labels = [label for one in self._several for label in one.tolist()]
            return class_array(tuple(labels))[
                labels_to_codes(answers, table.num_rows, [one.tolist() for one in self._several])
            ]
        out = np.asarray(answers)
        if out.ndim == 2 and out.shape[1] == 1:
            out = out[:, 0]
        if out.ndim not in (1, 2):
            what = f"an array of shape {out.shape}" if out.ndim else f"one {type(answers).__name__}"
            raise Incompatible(
                f"The model answers {what} to {table.num_rows} rows: expected a label, a number or a list of numbers "
                "for each.",
                mend="flatten what it answers to one list for each row" if out.ndim else "return a list from predict",
            )
        return out

    def width(self, row: pa.Table) -> int:
        """Return how many numbers the model answers to a row; 1 where it does not answer, which is found out later."""
        try:
            out = np.asarray(self.answers(row))
        except Exception:  # whatever the model raises
            return 1
        return out.shape[1] if out.ndim == 2 else 1

    def ranking(self, table: pa.Table) -> tuple[Any, Any] | None:
        """Return the codes of the ranked items and their scores, each of shape (rows, width); None for other models."""
        if not hasattr(self.model, "rank"):
            return None
        codes, scores = self.model.rank(self.frame(table))
        return codes, scores

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
    scores: Any = None
    """Of a ranking: those of the items whose codes the answers are."""


def make_cases(
    trained: Trained,
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    tables: Sequence[tuple[str, pa.Table]],
) -> list[Case]:
    """Return the cases to prove on: up to 10,000 evenly spread rows of each table, and the edges of the signature.

    Of a ranking they are different rows, unless there are tensors among the fields.

    Raises:
        Incompatible: when the trained model fails on rows that its signature accepts.
        UsageError: when a table lacks a feature.
    """
    names = [field.name for field in signature.fields]
    found: list[Case] = []
    for what, table in tables:
        if absent := [name for name in names if name not in table.column_names]:
            raise UsageError(f"The {what} has no column {', '.join(map(repr, absent))}, which the features name.")
        rows = table.select(names)
        plain = all(field.shape is None for field in signature.fields)
        if signature.output.kind == "ranking" and plain:  # tables of what users did hold each of them many times
            rows = rows.group_by(names).aggregate([])
        found.append(_case(trained, signature, blocks, known, what, _spread(rows)))
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
        ranking = trained.ranking(table)
        if ranking is not None:
            return Case(what, table, ranking[0], None, refused, ranking[1])
        answers, probabilities = trained.answers(table), trained.probabilities(table)
        _check_answers(answers, probabilities, signature.output, table.num_rows, what)
        return Case(what, table, answers, probabilities, refused)
    except Incompatible:
        raise
    except Exception as error:
        raise Incompatible(
            f"The trained model fails on rows of its own kind ({what}): {type(error).__name__}: {error}",
            mend="look at the values of that table, or handle them in the model",
        ) from error


def _check_answers(answers: Any, probabilities: Any, output: Output, rows: int, what: str) -> None:
    """Raise Incompatible for what is no answer of this kind, whoever gives it: the wrong number, type or label."""
    if len(answers) != rows:
        raise Incompatible(
            f"The model answers {len(answers)} values to {rows} rows ({what}): expected one for each row.",
            mend="return as many values as the frame has rows, in their order",
        )
    if output.kind in ("number", "vector") and answers.dtype.kind not in "fiub":
        other = next((one for one in answers.ravel().tolist() if isinstance(one, (str, bytes, complex))), None)
        if other is not None or answers.dtype.kind in "mM":
            shown = repr(other) if other is not None else f"times ({answers.dtype})"
            raise Incompatible(
                f"The model answers {shown} to rows of the {what}: expected numbers.",
                mend="return numbers; or say the labels that it answers in an attribute classes_",
            )
    elif output.kind == "classes":
        known = set(output.classes)
        other = next((one for one in answers.tolist() if one not in known), None)
        if other is not None:
            raise Incompatible(
                f"The model answers {other!r} to a row of the {what}, which is none of its classes: "
                f"{', '.join(map(repr, output.classes[:_NAMED]))}.",
                mend="name all labels in classes_, each as predict answers it",
            )
    # NaN is no number outside of 0 to 1: it is compared, and found by the checks.
    if probabilities is not None and ((probabilities < -_ROUNDED) | (probabilities > 1 + _ROUNDED)).any():
        worst = max(probabilities.ravel().tolist(), key=lambda one: abs(one - 0.5))
        raise Incompatible(
            f"The model answers the probability {worst:g} to a row of the {what}: expected 0 to 1.",
            mend="return probabilities from predict_proba, a column for each class; sums and logits are none",
        )


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

    A probability may differ by `tolerance`; a number by `tolerance`, absolute or relative, whichever is larger, and so
    may each number of a vector. A label may differ only where the two largest probabilities are within the tolerance of
    each other, of several targets those of its own; of rankings see `compare_rankings`.

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
            raise _differs(case, answer, differences, bad, tolerance, precision, signature.output.classes)
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
    if signature.output.kind == "ranking":
        return compare_rankings((case.answers, case.scores), (answer.codes, answer.scores), tolerance)
    if signature.output.kind == "vector":
        expected = np.asarray(case.answers, dtype=np.float64).reshape(len(case.answers), -1)
        gaps = _distance(answer.numbers, expected)
        return gaps.max(axis=1, initial=0.0), ~_near(gaps, expected, tolerance).all(axis=1), 0
    if signature.output.kind == "number":
        expected = np.asarray(case.answers, dtype=np.float64)
        differences = _distance(answer.numbers, expected)
        return differences, ~_near(differences, expected, tolerance), 0
    other = answer.labels != case.answers
    if signature.output.kind == "labels":
        return _compare_several(case, answer, other, signature.output.sizes, tolerance)
    if case.probabilities is None:
        return other.astype(np.float64), other, 0
    differences = _distance(answer.probabilities, case.probabilities).max(axis=1)
    tied = np.zeros(len(other), dtype=bool)
    if case.probabilities.shape[1] > 1:
        top = np.sort(case.probabilities, axis=1)
        tied = top[:, -1] - top[:, -2] <= tolerance
    return differences, ~(differences <= tolerance) | (other & ~tied), int((other & tied).sum())


def _compare_several(
    case: Case, answer: Any, other: Any, sizes: Sequence[int], tolerance: float
) -> tuple[Any, Any, int]:
    """Compare the labels of several targets, of which each may differ where it would if it was the only one."""
    if case.probabilities is None:
        bad = other.any(axis=1)
        return bad.astype(np.float64), bad, 0
    differences = _distance(answer.probabilities, case.probabilities).max(axis=1)
    tied = np.zeros(other.shape, dtype=bool)
    for place, (start, stop) in enumerate(parts_of(sizes)):
        if stop - start > 1:
            top = np.sort(case.probabilities[:, start:stop], axis=1)
            tied[:, place] = top[:, -1] - top[:, -2] <= tolerance
    return differences, ~(differences <= tolerance) | (other & ~tied).any(axis=1), int((other & tied).sum())


def _distance(left: Any, right: Any) -> Any:
    """Return the absolute difference; equal infinities and two NaNs are 0 apart."""
    left, right = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if left.shape != right.shape:
        return np.full(right.shape, np.inf)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.abs(left - right))


def _near(gaps: Any, expected: Any, tolerance: float) -> Any:
    """Return which numbers are near enough: of an infinite one only the same, however large its share would be."""
    with np.errstate(over="ignore"):  # of the largest numbers there are, a hundred times as much is infinite
        return (gaps == 0) | (np.isfinite(gaps) & (gaps <= tolerance * np.maximum(1.0, np.abs(expected))))


def _prove_single(case: Case, columns: Columns, runner: Runner, answer: Any, tolerance: float, precision: str) -> None:
    """A row answers the same alone as among others."""
    for row in {0, columns.rows - 1}:
        alone = runner.run(columns.take(row, row + 1))
        left, right = alone.probabilities, answer.probabilities
        if alone.numbers is not None:
            left, right = alone.numbers, answer.numbers
        if alone.scores is not None:
            whole = (answer.codes[row : row + 1], answer.scores[row : row + 1])
            same = not compare_rankings(whole, (alone.codes, alone.scores), tolerance)[1].any()
        elif left is None:
            same = bool(np.all(alone.labels[0] == answer.labels[row]))
        else:
            gap = _distance(left[0], right[row])
            same = bool(_near(gap, np.asarray(right[row], dtype=np.float64), tolerance).all())
        if not same:
            raise Incompatible(
                f"The compiled model ({precision}) answers row {row} of {case.what} differently when it is alone.",
                row=case.table.slice(row, 1).to_pylist()[0],
            )


def _differs(
    case: Case,
    answer: Any,
    differences: Any,
    bad: Any,
    tolerance: float,
    precision: str,
    classes: Sequence[Any],
) -> Incompatible:
    places = np.flatnonzero(bad)
    named: list[dict[str, Any]] = []
    for place in places[:_NAMED]:
        trained = case.answers[place] if case.probabilities is None else case.probabilities[place]
        compiled = answer.labels[place] if answer.probabilities is None else answer.probabilities[place]
        if answer.scores is not None:
            trained = [classes[code] if code >= 0 else None for code in trained.tolist()]
        named.append(
            {
                "row": int(place),
                "fields": case.table.slice(int(place), 1).to_pylist()[0],
                "trained": np.asarray(trained, dtype=None if answer.scores is None else object).tolist(),
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
