"""The simplest models there are, trained on the spot: what always answers the same, and a linear one.

A release that is no better than these has learned nothing that is worth serving. They need numpy alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from ..base.records import Field, Output

__all__ = ["constant", "linear", "popular"]

Learned = Callable[["pa.Table"], NDArray[Any]]
"""Answers of the rows of a table: (rows, classes), (rows,) or (rows, targets)."""
_CATEGORIES = 30
_WIDEST = 300
_CLASSES = 20
_STEPS = 12
_PENALTY = 1.0


def constant(truth: NDArray[Any], output: Output) -> Learned:
    """Return what answers the shares of the classes, or the mean, of the rows that it learned from.

    By hand: of the truths 0, 0, 0, 1 it says 0.75 and 0.25, whatever it is asked.
    """
    if output.kind == "classes":
        level: NDArray[Any] = np.bincount(truth, minlength=len(output.classes)) / len(truth)
    else:
        level = np.asarray(truth.mean(axis=0))
    return lambda table: np.broadcast_to(level, (table.num_rows, *level.shape)).copy()


def popular(right: Sequence[set[Any]], width: int) -> list[Any]:
    """Return the items that were right most often, at most `width`: the simplest ranking.

    By hand: a, a and b: a before b.
    """
    return [item for item, _ in Counter(item for one in right for item in one).most_common(width)]


def linear(table: pa.Table, truth: NDArray[Any], fields: Sequence[Field], output: Output) -> Learned | None:
    """Return a linear model: ridge regression for numbers, logistic regression for classes (one against the rest).

    Numbers are standardised and a missing one is their mean, with a mark; text is one column for each of its 30 most
    frequent values. Tensors are left out. The penalty is half the squared size of the weights (Hoerl & Kennard 1970,
    "Ridge regression", Technometrics 12); logistic regression by Newton's method (Hastie, Tibshirani & Friedman 2009,
    "The elements of statistical learning", section 4.4.1).

    Returns:
        None when no field could be used, or there are more than 20 classes.
    """
    encode = _encoder(table, fields)
    if encode is None or (output.kind == "classes" and len(output.classes) > _CLASSES):
        return None
    inputs = encode(table)
    if output.kind == "classes":
        return _logistic(encode, inputs, truth, len(output.classes))
    goal = truth.astype(np.float64)
    weights = _solve(inputs.T @ inputs, inputs.T @ goal)
    return lambda asked: encode(asked) @ weights


def _logistic(encode: Learned, inputs: NDArray[Any], truth: NDArray[Any], count: int) -> Learned:
    weights = np.stack(
        [_newton(inputs, (truth == one).astype(np.float64)) for one in range(1 if count == 2 else 0, count)]
    )

    def answer(asked: pa.Table) -> NDArray[Any]:
        chances = _sigmoid(encode(asked) @ weights.T)
        if count == 2:
            return np.hstack([1 - chances, chances])
        return chances / chances.sum(axis=1, keepdims=True)

    return answer


def _newton(inputs: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        chances = _sigmoid(inputs @ weights)
        spread = np.maximum(chances * (1 - chances), 1e-6)
        slope = inputs.T @ (truth - chances) - _penalty(len(weights)) * weights
        step = _solve((inputs * spread[:, None]).T @ inputs, slope)
        weights = weights + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-9))
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _penalty(count: int) -> NDArray[Any]:
    """Return the penalty of each weight: the first one is the level, which has next to none."""
    return np.append(1e-6, np.full(count - 1, _PENALTY))


def _solve(squares: NDArray[Any], goal: NDArray[Any]) -> NDArray[Any]:
    return np.linalg.solve(squares + np.diag(_penalty(len(squares))), goal)


def _sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    return np.clip(1 / (1 + np.exp(-np.clip(values, -40, 40))), 1e-9, 1 - 1e-9)


def _encoder(table: pa.Table, fields: Sequence[Field]) -> Learned | None:
    """Return what makes numbers of the fields of a table, the first of them always 1."""
    parts: list[Learned] = []
    width = 1
    for field in fields:
        if field.shape is not None or field.name not in table.column_names:
            continue
        part = _words(table, field.name) if field.dtype == "string" else _numbers(table, field.name)
        width += part(table.slice(0, 1)).shape[1]
        if width > _WIDEST:
            break
        parts.append(part)
    if not parts:
        return None
    return lambda asked: np.hstack([np.ones((asked.num_rows, 1)), *(part(asked) for part in parts)])


def _numbers(table: pa.Table, name: str) -> Learned:
    values = _floats(table, name)
    good = values[np.isfinite(values)]
    mean, spread = (float(good.mean()), float(good.std())) if len(good) else (0.0, 1.0)
    marked = len(good) < len(values)

    def encode(asked: pa.Table) -> NDArray[Any]:
        found = _floats(asked, name)
        missing = ~np.isfinite(found)
        scaled = np.where(missing, 0.0, (np.where(missing, mean, found) - mean) / (spread or 1.0))
        # Far beyond what was learned from, a line says nothing.
        columns = [np.clip(scaled, -10, 10), *([missing.astype(np.float64)] if marked else [])]
        return np.stack(columns, axis=1)

    return encode


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    import pyarrow as pa

    return np.asarray(table.column(name).cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _words(table: pa.Table, name: str) -> Learned:
    counts = Counter(table.column(name).to_pylist())
    kept = {word: place for place, (word, _) in enumerate(counts.most_common(_CATEGORIES))}

    def encode(asked: pa.Table) -> NDArray[Any]:
        codes = np.array([kept.get(word, len(kept)) for word in asked.column(name).to_pylist()], dtype=np.int64)
        return np.eye(len(kept) + 1)[codes][:, :-1]

    return encode
