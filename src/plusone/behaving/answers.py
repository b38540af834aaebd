"""Answers of every kind, row by row, as the tests of behaviour look at them: shown, compared, and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import UsageError
from ..labels.several import singles
from ..signatures.words import what_is_answered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.records import Output
    from ..predictor import Answer

__all__ = ["check_first", "distances", "quantity", "show"]

Floats = Any


def check_first(output: Output, first: Any) -> None:
    """Raise UsageError unless `first` is None, or so many items are ranked."""
    if first is None:
        return
    if output.kind != "ranking":
        raise UsageError(
            f"first = {first!r} is about rankings, and the model answers {what_is_answered(output)}.",
            mend="leave first= out",
        )
    if isinstance(first, bool) or not isinstance(first, int) or not 1 <= first <= output.width:
        raise UsageError(
            f"first = {first!r}: expected a number of items, 1 to {output.width}.", mend=f"first={output.width}"
        )


def show(output: Output, answer: Answer, row: int) -> Any:
    """Return one answer as a plain JSON value: a label with its probability, a number, numbers or items."""
    if output.kind == "classes":
        label = answer.labels[row]
        label = label.item() if hasattr(label, "item") else label
        if answer.probabilities is None:
            return label
        return {"label": label, "probability": _number(answer.probabilities[row][int(answer.codes[row])])}
    if output.kind == "labels":
        return {one.name: show(one, part, row) for one, part in _parts(output, answer)}
    if output.kind == "ranking":
        return [one for one in answer.labels[row].tolist() if one is not None]
    if output.kind == "number":
        return _number(np.asarray(answer.numbers).reshape(-1)[row])
    numbers = [_number(one) for one in np.asarray(answer.numbers)[row].tolist()]
    return dict(zip(output.names, numbers, strict=True)) if output.names else numbers[:20]


def _parts(output: Output, answer: Answer) -> list[tuple[Output, Answer]]:
    return list(zip(singles(output), answer.each(output.sizes), strict=True))


def _number(value: Any) -> float | str:
    """Return a number that JSON holds: others as text."""
    return round(float(value), 6) if np.isfinite(value) else str(float(value))


def distances(
    output: Output, before: Answer, after: Answer, tolerance: float | None, first: int | None
) -> tuple[Any, Any]:
    """Return how far the answers to each row lie apart, and whether they count as changed: both of shape (rows,).

    - classes: the largest difference of a class's probability; changed is another label, or with a tolerance a
      difference above it. Without probabilities it is 1 where the label is another one.
    - labels of several targets: as far as the target that is furthest; changed where one of them is.
    - numbers: the difference; of vectors the largest of its numbers. Changed is more than the tolerance (default 0).
    - rankings: the share of the items (the `first` ones) of one that the other does not have, whatever their order;
      by hand, [a, b, c] and [b, a, d] are 1/3 apart.

    An answer that is not finite has changed where the other one is.
    """
    if output.kind == "classes":
        other = np.asarray(before.codes) != np.asarray(after.codes)
        if after.probabilities is None:
            if tolerance is not None:
                raise UsageError(
                    f"tolerance = {tolerance:g} is about probabilities, and the model answers labels only.",
                    mend="leave it out: then other labels are counted",
                )
            return other.astype(np.float64), other
        apart = _apart(before.probabilities, after.probabilities).max(axis=1)
        return apart, other if tolerance is None else ~(apart <= tolerance)
    if output.kind == "labels":
        pairs = zip(_parts(output, before), _parts(output, after), strict=True)
        found = [distances(one, old, new, tolerance, first) for (one, old), (_, new) in pairs]
        return np.max([apart for apart, _ in found], axis=0), np.any([moved for _, moved in found], axis=0)
    if output.kind == "ranking":
        pairs = zip(_items(before, first), _items(after, first), strict=True)
        apart = np.array([1.0 - len(set(a) & set(b)) / max(len(a), len(b), 1) if a or b else 0.0 for a, b in pairs])
    else:
        apart = _apart(before.numbers, after.numbers).reshape(before.rows, -1).max(axis=1)
    return apart, ~(apart <= (tolerance or 0.0))


def _apart(before: Any, after: Any) -> Floats:
    """Return the differences of numbers; 0 where both are the same infinity or none, infinite where one alone is."""
    a, b = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(b - a)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _items(answer: Answer, first: int | None) -> list[list[Any]]:
    return [[item for item in row[:first] if item is not None] for row in answer.labels.tolist()]


def quantity(output: Output, answer: Answer, of: Any) -> tuple[NDArray[Any], str]:
    """Return what of each answer goes up or down, shape (rows,), and what it is called.

    Of several targets `of` is a pair of the target's name and what it is of its answers, `("late", "yes")`.

    A number; of a vector the number named `of`; of classes the probability of the class `of` (of two classes the second
    one, when it is left out); of a ranking the place of the item `of`, as a height: minus how many items stand before
    it, so that up is towards the first place, and an item that is not in the list stands after the last.

    Raises:
        UsageError: when the model has none, or `of` has to be said.
    """
    if output.kind == "labels":
        target, wanted = of if isinstance(of, (tuple, list)) and len(of) == 2 else (None, None)
        for one, part in _parts(output, answer):
            if one.name == target:
                values, what = quantity(one, part, wanted)
                return values, f"{target}: {what}"
        first = singles(output)[0]
        raise UsageError(
            f"of = {of!r}: expected a target and its label, of the targets {', '.join(output.names)}.",
            mend=f"of={(first.name, first.classes[-1])!r}",
        )
    if output.kind == "number":
        if of not in (None, output.name):
            raise UsageError(f"of = {of!r}: the model answers one number, {output.name!r}.", mend="leave of= out")
        return np.asarray(answer.numbers, dtype=np.float64).reshape(-1), output.name
    known: tuple[Any, ...] = output.names if output.kind == "vector" else output.classes
    if output.kind == "classes" and answer.probabilities is None:
        raise UsageError(
            "The model answers labels only: there is nothing that goes up or down.",
            mend="return a classifier that has predict_proba from the train function",
        )
    if output.kind == "vector" and not known:
        known = tuple(range(output.width))
    if of is None and output.kind == "classes" and len(known) == 2:
        of = known[1]
    of = of.item() if isinstance(of, np.generic) else of
    place = next((i for i, one in enumerate(known) if one == of and type(one) is type(of)), None)
    if place is None:
        shown = ", ".join(map(repr, known[:20])) + (" ..." if len(known) > 20 else "")
        raise UsageError(
            f"of = {of!r}: expected what is to go up or down, one of {shown}.", mend=f"of={next(iter(known), None)!r}"
        )
    if output.kind == "vector":
        return np.asarray(answer.numbers, dtype=np.float64)[:, place], f"{of!r}" if output.names else f"number {of}"
    if output.kind == "classes":
        return np.asarray(answer.probabilities, dtype=np.float64)[:, place], f"the probability of {of!r}"
    hits = np.asarray(answer.codes) == place
    heights = np.where(hits.any(axis=1), -hits.argmax(axis=1), -hits.shape[1])
    return heights.astype(np.float64), f"the place of {of!r}"
