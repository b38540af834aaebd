"""How far the answers of two releases to the same rows lie apart, by the buckets that serving counts answers in.

A rollout compares the answers of two releases, too, on traffic; what its tests measured here is what it expects there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..base.records import Output
    from ..graphs.runner import Answer

__all__ = ["prediction_shift"]

_TWENTIETHS = 20
_DETAILED = 50
_PER_OCTAVE = 8
_SMALLEST, _LARGEST = -320, 480


def prediction_shift(a: Answer, a_output: Output, b: Answer, b_output: Output) -> float:
    """Return the total variation distance of the distributions of two models' answers to as many rows, 0 to 1.

    That is half the sum, over all buckets, of how much their shares of rows differ. A class's bucket is its label and,
    with up to 50 classes, the twentieth of its probability; a number's is its sign and an eighth of a doubling. A
    vector counts by the mean of its numbers, a ranking by its first item, labels of several targets by their
    combination and, with up to 50 of these, the least of their probabilities.

    Example: of two rows one model answers yes, 0.91 and no, 0.6, the other yes, 0.94 and yes, 0.6. They share one
    bucket of half the rows each: the distance is 0.5.
    """
    import numpy as np

    from ..statistics.drift import total_variation

    rows = (a.rows, b.rows)
    if 0 in rows:
        return 0.0
    keys = np.concatenate([_buckets(a, a_output), _buckets(b, b_output)])
    names, places = np.unique(keys, return_inverse=True)
    places = places.reshape(-1)
    ours, theirs = (
        np.bincount(part, minlength=len(names)).astype(np.float64) for part in (places[: rows[0]], places[rows[0] :])
    )
    return round(total_variation(ours, theirs).value, 6)


def _buckets(answer: Answer, output: Output) -> Any:
    """Return the bucket of each row, shape (n,), as text."""
    import numpy as np

    if answer.codes is None:
        numbers = np.asarray(answer.numbers, dtype=np.float64)
        numbers = numbers.mean(axis=1) if numbers.ndim == 2 else numbers
        with np.errstate(divide="ignore", invalid="ignore"):
            places = np.floor(np.log2(np.abs(numbers)) * _PER_OCTAVE)
            size = np.clip(places, _SMALLEST - 1, _LARGEST) - _SMALLEST + 2
        signed = np.where(np.isfinite(numbers), np.where(size > 1, np.copysign(size, numbers), 0), np.inf)
        return signed.astype("U")
    if output.kind == "labels":
        return _combinations(answer, output)
    classes = output.classes
    codes = np.asarray(answer.codes).astype(np.int64)
    if answer.scores is not None:
        names = np.array([*(f"{type(one).__name__} {one}" for one in classes), "none"])
        return names[codes[:, 0]]
    sure: Any = None
    if answer.probabilities is not None and len(classes) <= _DETAILED:
        sure = np.asarray(answer.probabilities)[np.arange(len(codes)), codes]
    return _detailed(np.array([f"{type(one).__name__} {one}" for one in classes])[codes], sure)


def _combinations(answer: Answer, output: Output) -> Any:
    import numpy as np

    from ..evidence.histograms import said
    from ..evidence.several import Combinations

    several = Combinations(output)
    numbers, sure, _ = several.read(said(answer))
    names: Any = np.array(several.names)[numbers] if several.names else numbers.astype("U")
    return _detailed(names, sure if several.count <= _DETAILED else None)


def _detailed(names: Any, sure: Any) -> Any:
    """Return the names with the twentieth of what they are sure of behind them, the last where that is not known."""
    import numpy as np

    part = np.full(len(names), _TWENTIETHS - 1)
    if sure is not None:
        part = np.clip(np.nan_to_num(sure) * _TWENTIETHS, 0, _TWENTIETHS - 1).astype(np.int64)
    headed: Any = np.char.add(names, "/")
    return np.char.add(headed, np.asarray(part, dtype=np.str_))
