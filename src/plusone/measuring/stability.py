"""Whether a model's answers are finite, and the same however often and in whatever company a row is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from ..predictor import Answer, Predictor

__all__ = ["not_finite", "unstable"]


def unstable(model: Predictor, table: pa.Table, rows: int, tolerance: float) -> tuple[str, float]:
    """Return what is wrong, '' when nothing is, and how far answers to the same row lay apart at most.

    Args:
        rows: how many are asked one by one.
        tolerance: relative to the size of an answer where that is over 1.
    """
    columns = model.columns(table)
    first = model.run(columns)
    if problem := not_finite(first):
        return problem, 0.0
    problem, apart = _differ(first, model.run(columns), tolerance)
    if problem:
        return f"asked the same again, the model answers otherwise: {problem}", apart
    places = np.unique(np.linspace(0, table.num_rows - 1, min(rows, table.num_rows)).round().astype(np.int64))
    whole = first.at(places.tolist())
    reverse = model.run(model.columns(table.take(places[::-1])))
    problem, other = _differ(whole, reverse.at(range(len(places) - 1, -1, -1)), tolerance)
    apart = max(apart, other)
    if problem:
        return f"in another order the model answers otherwise: {problem}", apart
    for at, place in enumerate(places.tolist()):
        alone = model.run(model.columns(table.slice(place, 1)))
        problem, other = _differ(whole.take(at, at + 1), alone, tolerance)
        apart = max(apart, other)
        if problem:
            return f"asked alone, row {place} is answered otherwise than among {table.num_rows:,}: {problem}", apart
    return "", apart


def not_finite(answer: Answer) -> str:
    """Return which rows have answers that are no finite numbers, '' when none has."""
    values = _values(answer)
    if values is None:
        return ""
    wrong: NDArray[np.bool_] = np.asarray(~np.isfinite(values).all(axis=1))
    if not wrong.any():
        return ""
    row = int(wrong.argmax())
    shown = values[row][~np.isfinite(values[row])][0]
    return f"the model answers {shown} in {int(wrong.sum()):,} of {len(wrong):,} rows, first in row {row}"


def _values(answer: Answer) -> NDArray[Any] | None:
    """Return the numbers of an answer, shape (rows, n); None where it is labels alone."""
    if answer.scores is not None:
        values = np.where(np.asarray(answer.codes) < 0, 0.0, np.asarray(answer.scores))
    else:
        values = answer.probabilities if answer.codes is not None else answer.numbers
    return None if values is None else np.asarray(values, dtype=np.float64).reshape(answer.rows, -1)


def _differ(first: Answer, second: Answer, tolerance: float) -> tuple[str, float]:
    if first.rows != second.rows:
        return f"{second.rows} answers to {first.rows} rows", float("inf")
    mine, other = _values(first), _values(second)
    apart = 0.0
    if mine is not None and other is not None and mine.shape == other.shape:
        away = np.abs(mine - other) / np.maximum(np.abs(mine), 1.0)
        away = np.where(np.isfinite(away), away, np.inf)
        apart = float(away.max(initial=0.0))
        if apart > tolerance:
            row, place = np.unravel_index(int(away.argmax()), away.shape)
            return f"{mine[row, place]:.6g} and {other[row, place]:.6g}", apart
    elif mine is not None:
        return "answers of another shape", float("inf")
    if first.codes is None:
        return "", apart
    codes, others = np.asarray(first.codes), np.asarray(second.codes)
    changed = codes != others
    if first.probabilities is not None and first.scores is None:
        changed &= ~_tied(np.asarray(first.probabilities), codes, others, 2 * tolerance)
    if first.scores is not None:
        changed &= np.zeros_like(changed)  # the scores are the same within the tolerance: equal ones may change places
    changed = changed.reshape(first.rows, -1).any(axis=1)
    if changed.any():
        return f"another label in {int(changed.sum())} of {first.rows} rows", apart
    return "", apart


def _tied(chances: NDArray[Any], codes: NDArray[Any], others: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    rows = np.arange(len(codes)).reshape(-1, *([1] * (codes.ndim - 1)))
    return np.abs(chances[rows, codes] - chances[rows, others]) <= tolerance
