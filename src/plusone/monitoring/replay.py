"""How the answers of two releases to the same rows differ: how many, how far, where, and who was right.

Arrays and records only: who asks the releases, and where the rows come from, is known elsewhere.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.records import Output
from ..labels.several import singles
from ..signatures.words import what_is_answered
from ..statistics.bootstrap import paired_difference
from ..statistics.proportions import mcnemar, tango, wilson
from .replayed import FEWEST_LABELS, Changed, Labelled, Slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..predictor import Answer

__all__ = ["FAR", "Differences", "comparable", "compare", "compare_labels", "describe_change", "slices_of"]

FAR = 0.5
"""A number is another one when it is off by so many standard deviations of the live release's answers: what Cohen
(1988), "Statistical Power Analysis for the Behavioral Sciences", chapter 2.2, calls a medium effect. Answers of a weak
model vary little, and retraining alone moves many of them by a small one."""
FEW = 0.25
"""A ranking is another one when less than this share of its items is the same."""
_LARGEST = 1e150
_CHUNK = 10_000
_MOST_VALUES = 20
_BINS = 5
_FEWEST_ROWS = 50
_MOST_SLICES = 40
_CONFIDENCE = 0.95


class Differences(NamedTuple):
    """How the answers of two releases differ, row by row.

    Attributes:
        changed: shape (rows,): whether it is another answer.
        size: shape (rows,): how far apart the two are, 0 or more; what it is `unit` says.
        measured: what of it is a number for all rows.
        means: what counts as another answer.
        judged: whether a bound can be held against the share.
    """

    changed: NDArray[np.bool_]
    size: NDArray[np.float64]
    unit: str
    measured: dict[str, float]
    means: str
    judged: bool = True


def comparable(output: Output, live: Output) -> str:
    """Return why what the candidate and the live release answer can't be compared; '' when it can."""
    if output.kind != live.kind:
        ours, theirs = what_is_answered(output), what_is_answered(live)
        return f"the candidate answers {ours}, the live release {theirs}: every answer is another one"
    several = output.kind in ("vector", "labels")
    if several and (set(output.names) != set(live.names) or output.width != live.width):
        ours, theirs = (", ".join(one.names) or f"{one.width} numbers" for one in (output, live))
        return f"the candidate answers {ours}, the live release {theirs}: every answer is another one"
    return ""


def compare(output: Output, answer: Answer, live_output: Output, live_answer: Answer) -> Differences:
    """Return how the answers of the candidate differ from those of the live release to the same rows, one or more.

    - classes: another label. How far: half the sum over the classes of how much their probabilities differ, 0 to 1 (of
      two classes, what either differs by).
    - a number: off by more than `FAR` standard deviations of the live release's answers. How far: in these.
    - several labels: another label for at least one target. How far: as far as that of the target that is furthest.
    - several numbers: the root of the mean square of the above over them is more than `FAR`.
    - a ranking: less than a quarter of the items are the same, whatever their order. How far: the share that is not.

    By hand: labels a, b, b and a, a, b: one of three rows has changed.
    """
    kinds = {"classes": _classes, "ranking": _rankings, "labels": _several}
    with np.errstate(invalid="ignore", over="ignore"):  # answers may be anything
        return kinds.get(output.kind, _numbers)(output, answer, live_output, live_answer)


def describe_change(found: Differences, slices: Sequence[Slice], figures: Sequence[dict[str, Any]] = ()) -> Changed:
    """Return the record of differences: the share of changed answers with its 95 % interval, and the slices."""
    rows, changed = len(found.changed), int(found.changed.sum())
    low, high = wilson(changed, rows)
    return Changed(
        rows=rows,
        changed=changed,
        share=changed / rows,
        low=low,
        high=high,
        means=found.means,
        measured={name: value for name, value in found.measured.items() if math.isfinite(value)},
        judged=found.judged,
        slices=tuple(slices),
        figures=tuple(figures),
    )


# ---------------------------------------------------------------------------------------------- kinds of answers


def _coded(labels: Sequence[Any], known: dict[tuple[str, Any], int]) -> NDArray[np.int64]:
    """Return the code of each label in a numbering that both releases share: 1 and True are two labels."""
    return np.array([known.setdefault((type(one).__name__, one), len(known)) for one in labels], dtype=np.int64)


def _classes(output: Output, answer: Answer, live_output: Output, live_answer: Answer) -> Differences:
    known: dict[tuple[str, Any], int] = {}
    theirs, ours = _coded(live_output.classes, known), _coded(output.classes, known)
    changed = ours[answer.codes] != theirs[live_answer.codes]
    means = "another label"
    if answer.probabilities is None or live_answer.probabilities is None:
        return Differences(changed, changed.astype(np.float64), "0: the same label, 1: another", {}, means)
    size = np.empty(len(changed))
    for begin in range(0, len(changed), _CHUNK):
        cut = slice(begin, begin + _CHUNK)
        wide = np.zeros((len(changed[cut]), len(known)))
        wide[:, ours] = answer.probabilities[cut]
        wide[:, theirs] -= live_answer.probabilities[cut]
        size[cut] = np.abs(wide).sum(axis=1) / 2.0
    # Where a probability is no number, the label is none either.
    none, none_before = (_none(one.probabilities) for one in (answer, live_answer))
    changed = np.where(none | none_before, none != none_before, changed)
    size = np.where(none | none_before, (none != none_before).astype(np.float64), size)
    measured = {"probability_difference": float(size.mean())}
    return Differences(changed, size, "difference of the probabilities", measured, means)


def _several(output: Output, answer: Answer, live_output: Output, live_answer: Answer) -> Differences:
    """Return how the labels of several targets differ, those of each by the name of its target."""
    theirs = {one.name: (one, part) for one, part in _parts(live_output, live_answer)}
    each = {one.name: _classes(one, part, *theirs[one.name]) for one, part in _parts(output, answer)}
    changed = np.any([found.changed for found in each.values()], axis=0)
    size = np.max([found.size for found in each.values()], axis=0)
    measured = {f"changed:{name}": float(found.changed.mean()) for name, found in each.items()}
    unit = next(iter(each.values())).unit
    return Differences(changed, size, f"{unit}, of the furthest target", measured, "another label for a target")


def _parts(output: Output, answer: Answer) -> list[tuple[Output, Answer]]:
    return list(zip(singles(output), answer.each(output.sizes), strict=True))


def _none(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(np.asarray(values, dtype=np.float64).sum(axis=1))


def _numbers(output: Output, answer: Answer, live_output: Output, live_answer: Answer) -> Differences:
    theirs = np.asarray(live_answer.numbers, dtype=np.float64).reshape(live_answer.rows, -1)
    ours = np.asarray(answer.numbers, dtype=np.float64).reshape(answer.rows, -1)
    ours = ours[:, _order(output, live_output)]
    none, none_before = ~np.isfinite(ours).all(axis=1), ~np.isfinite(theirs).all(axis=1)
    both = ~(none | none_before)
    # In units of the largest, since squares of very large numbers are none.
    largest = np.maximum(np.abs(theirs[both]).max(axis=0, initial=0.0), 1e-300)
    spread = (theirs[both] / largest).std(axis=0) * largest if both.any() else np.zeros(theirs.shape[1])
    off = np.zeros_like(theirs)
    off[both] = np.abs(ours[both] - theirs[both])
    # Answers that do not vary have no unit of their own: any difference that is more than rounding is one.
    unit = np.where(
        spread > 0.0, spread, np.maximum(np.abs(theirs[both]).mean(axis=0) * 1e-6 if both.any() else 0, 1e-12)
    )
    size = np.sqrt(((off / unit) ** 2).mean(axis=1))
    changed = np.where(both, size > FAR, none != none_before)
    size = np.where(both, np.minimum(np.nan_to_num(size, nan=1e6), 1e6), changed.astype(np.float64))
    means = f"off by more than {FAR:g} standard deviations of the live release's answers"
    measured: dict[str, float] = {}
    if output.kind == "number":
        measured = {
            "mean_absolute_difference": float(off.mean()),
            "tolerance": float(FAR * unit[0]),
            "mean_difference": float((ours[both] - theirs[both]).mean()) if both.any() else 0.0,
        }
    judged = output.kind == "number" or bool(output.names)
    return Differences(changed, size, "difference in standard deviations", measured, means, judged)


def _order(output: Output, live: Output) -> list[int]:
    """Return the places of the live release's numbers among those of the other one."""
    return [output.names.index(name) for name in live.names] or list(range(output.width))


def _rankings(output: Output, answer: Answer, live_output: Output, live_answer: Answer) -> Differences:
    known: dict[tuple[str, Any], int] = {}
    theirs, ours = _coded(live_output.classes, known), _coded(output.classes, known)
    width = min(answer.codes.shape[1], live_answer.codes.shape[1])
    now, before = (
        np.where(codes >= 0, numbers[codes], -1)
        for numbers, codes in ((ours, answer.codes[:, :width]), (theirs, live_answer.codes[:, :width]))
    )
    same = np.zeros(len(now))
    for place in range(width):
        item = now[:, place : place + 1]
        same += (item >= 0)[:, 0] & (before == item).any(axis=1)
    longest = np.maximum((now >= 0).sum(axis=1), (before >= 0).sum(axis=1))
    overlap = np.where(longest > 0, same / np.maximum(longest, 1), 1.0)
    top = now[:, 0] == before[:, 0]
    measured = {"top_1_the_same": float(top.mean()), f"overlap_at_{width}": float(overlap.mean())}
    means = f"less than a quarter of the first {width} items are the same"
    return Differences(overlap < FEW, 1.0 - overlap, f"share of the first {width} items that differ", measured, means)


# ---------------------------------------------------------------------------------------------- who changed


def slices_of(changed: NDArray[np.bool_], fields: Mapping[str, NDArray[Any]]) -> list[Slice]:
    """Return where answers changed, the worst first: up to 40 slices, by the values of each field, or fifths of them.

    A slice has 50 rows or more. Its interval is Wilson's, at a confidence at which those of all slices that were
    looked at hold together with 95 % (Bonferroni).

    Args:
        fields: by name, shape (rows,): float64, NaN where missing, or strings, '' where missing.
    """
    total = float(changed.mean()) if len(changed) else 0.0
    found: list[tuple[str, str, int, int]] = []
    for name, values in fields.items():
        places, names = _numbered(values) if values.dtype.kind == "f" else _worded(values)
        rows = np.bincount(places, minlength=len(names))
        counts = np.bincount(places, weights=changed, minlength=len(names))
        some = [
            (name, text, int(count), int(of))
            for text, count, of in zip(names, counts, rows, strict=True)
            if of >= _FEWEST_ROWS
        ]
        found += some if len(some) > 1 else []
    slices: list[Slice] = []
    for name, text, count, of in found:
        low, high = wilson(count, of, 1 - (1 - _CONFIDENCE) / len(found))
        slices.append(Slice(field=name, values=text, rows=of, share=count / of, low=low, high=high, more=low > total))
    slices.sort(key=lambda one: (-one.low, -one.share, one.field, one.values))
    return slices[:_MOST_SLICES]


def _numbered(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the slice of each row, and what the slices are called: each value where there are few, else fifths."""
    missing = ~np.isfinite(values)
    there = values[~missing]
    distinct = np.unique(there)
    places = np.zeros(len(values), dtype=np.int64)
    if len(distinct) <= _MOST_VALUES:
        names = [f"{one:.6g}" for one in distinct]
        places[~missing] = np.searchsorted(distinct, there)
    else:
        edges = np.unique(np.quantile(there, np.arange(1, _BINS) / _BINS))
        ends = [there.min(), *edges, there.max()]
        names = [f"{low:.4g} to {high:.4g}" for low, high in itertools.pairwise(ends)]
        places[~missing] = np.searchsorted(edges, there, side="left")
    places[missing] = len(names)
    return places, [*names, "(missing)"]


def _worded(values: NDArray[Any]) -> tuple[NDArray[np.int64], list[str]]:
    distinct, codes, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = order[:_MOST_VALUES]
    place_of = np.full(len(distinct), len(kept), dtype=np.int64)
    place_of[kept] = np.arange(len(kept))
    names = [str(distinct[one])[:60] or "(missing)" for one in kept]
    return place_of[codes.reshape(-1)], [*names, "(others)"]


# ---------------------------------------------------------------------------------------------- who was right


def compare_labels(
    output: Output,
    answer: Answer,
    live_output: Output,
    live_answer: Answer,
    truths: Sequence[Any],
    *,
    margin: float,
) -> Labelled:
    """Return who was right on the rows whose labels have arrived; both answered them, one or more.

    Classes are right or wrong (accuracy), several labels right when all of them are; a ranking is right when an item of
    the label is in it (hit rate); of numbers the mean absolute error counts. The interval of the difference is Tango's
    for shares of rows and a paired bootstrap's for errors, as in `check.no_worse`: the same rows for both.

    Args:
        truths: the label of each row, as it is kept.
        margin: how much worse the candidate may be: a share of rows or, of numbers, of the live release's error.
    """
    order = _order(output, live_output)
    with np.errstate(invalid="ignore", over="ignore"):
        ours, theirs = _scores(output, answer, truths, order), _scores(live_output, live_answer, truths)
    numbers = output.kind in ("number", "vector")
    ranked = f"hit_rate@{output.width}"
    metric = {"number": "mae", "vector": "mae", "ranking": ranked}.get(output.kind, "accuracy")
    sign = -1.0 if numbers else 1.0
    candidate, live = sign * float(ours.mean()), sign * float(theirs.mean())
    found: dict[str, Any] = {"allowed": margin * live if numbers else margin}
    gap, enough = ours - theirs, len(truths) >= FEWEST_LABELS
    if not numbers:
        first, second = int((gap > 0).sum()), int((gap < 0).sum())
        found |= {"only_candidate": first, "only_live": second, "p_value": mcnemar(first, second)}
        if enough:
            low, high = tango(first, second, len(gap), _CONFIDENCE)
            found |= {"difference": float(gap.mean()), "low": low, "high": high}
    elif enough:
        interval = paired_difference(
            lambda weights: weights @ ours / len(gap),
            lambda weights: weights @ theirs / len(gap),
            len(gap),
            confidence=_CONFIDENCE,
            effective=int((gap != 0).sum()),
        )
        found |= {"difference": interval.value, "low": interval.low, "high": interval.high}
    return Labelled(rows=len(truths), metric=metric, candidate=candidate, live=live, **found)


def _scores(
    output: Output, answer: Answer, truths: Sequence[Any], order: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """Return how good each answer is: 1 right, 0 wrong; of numbers the error, negative. What is no number is wrong."""
    if output.kind == "classes":
        known: dict[tuple[str, Any], int] = {}
        codes = _coded(output.classes, known)
        return (codes[answer.codes] == _coded(truths, known)).astype(np.float64)
    if output.kind == "labels":
        parts = _parts(output, answer)
        return np.min([_scores(one, part, [truth[one.name] for truth in truths]) for one, part in parts], axis=0)
    if output.kind == "ranking":
        items = answer.labels.tolist()
        right = [set(one) if isinstance(one, list) else {one} for one in truths]
        return np.array([float(bool(one & set(row))) for one, row in zip(right, items, strict=True)])
    numbers = np.asarray(answer.numbers, dtype=np.float64).reshape(answer.rows, -1)
    truth = np.array(truths, dtype=np.float64).reshape(answer.rows, -1)
    numbers = numbers if order is None else numbers[:, order]
    # Capped, so that means of them are numbers.
    error = -np.minimum(np.abs(numbers - truth), _LARGEST).mean(axis=1)
    # An answer that is no number is as wrong as the worst one that is.
    worst = float(np.min(error, where=np.isfinite(error), initial=0.0))
    return np.where(np.isfinite(error), error, worst if math.isfinite(worst) else 0.0)
