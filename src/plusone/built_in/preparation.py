"""Whether a candidate learned from its rows as requests will carry them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..measuring.outcomes import CheckFailed, NotApplicable, record, warn
from .trial import Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..predictor import Predictor

__all__ = ["skew"]

ALPHA = 0.001
_MOST = 40_000
"""So many rows of the training data are asked about: what is looked for is small."""
_SPARE = 1.5
"""Of rows that were learned from the mean is off by far less than by chance: the truths are known to the model."""
_TIMES = 3.0
"""How many times as far off as live's a slice may be besides: where a model fits badly, that differs from one training
to the next."""
_FEWEST = 200
_FIELDS = 50


class _Bias(NamedTuple):
    """How far the mean answer to a slice lies from the mean truth there, and the standard error of that."""

    label: str
    rows: int
    value: float
    error: float


def skew(trial: Trial) -> None:
    """Fail when answers to the training data are shown to be further from the truth there than live's to its own.

    A model that learned from these rows as they are is right about them on average, and so about each slice of them:
    the score of a constant term, and that of a category, is 0 at the optimum. One that learned from rows that were
    prepared in another way is not; nor is one that was given weights, or that fits badly, so that a fifth of the bound
    is a warning. Slices are those of one field of the model: a category, a quarter of the numbers.
    """
    training = trial.given.learning.inputs[0]
    learned = Trial(trial.given, training, most=_MOST)
    bound = trial.given.settings.bias
    apart = _apart(learned, learned.model)
    whole = _bias("all rows", apart)
    text = f"the answers to {training} lie {whole.value:.3g} from the truth on average"
    measured = {"check": "skew", "bias": whole.value, "rows": whole.rows, "bound": bound}
    try:
        before = learned.earlier()
        others = _apart(before, before.live)
    except NotApplicable:
        record(measured | {"message": text})
        if whole.value > bound / 5 + _SPARE * whole.error:
            warn(f"{text}: are its fields prepared in training as they are in requests?")
        return
    theirs = _bias("all rows", others)
    over = whole.value - theirs.value - _SPARE * math.hypot(whole.error, theirs.error)
    text = f"{text}, those of the live release to its own {theirs.value:.3g}"
    worst, further = _worst(learned, apart, before, others)
    if worst is not None:
        measured |= {"slice": worst.label, "slice_bias": worst.value, "slice_rows": worst.rows}
        if further > max(over, bound / 5):
            text += f"; where {worst.label} ({worst.rows:,} rows) they lie {worst.value:.3g} from it"
    record(measured | {"message": text})
    told = f"{text}: are the fields prepared in training as they are in requests?"
    if max(over, further) > bound:
        raise CheckFailed(told)
    if max(over, further) > bound / 5:
        warn(told)


def _apart(trial: Trial, model: Predictor) -> NDArray[Any]:
    """Return answers less truths, shape (rows, what is answered): of classes shares, of numbers in standard deviations
    of the truth.
    """
    import numpy as np

    output = trial.model.signature.output
    labels = output.kind in ("classes", "labels")
    if output.kind == "ranking" or (labels and not output.probabilities):
        raise NotApplicable("the model answers neither probabilities nor numbers")
    answer = np.asarray(trial.rows.answer(model, "the model"), dtype=np.float64)
    truth = np.asarray(trial.rows.truth)
    if output.kind == "classes":
        return answer - np.eye(answer.shape[1])[truth]
    if output.kind == "labels":
        places = zip(truth.T, output.sizes, strict=True)
        return answer - np.concatenate([np.eye(size)[own] for own, size in places], axis=1)
    return ((answer - truth) / np.maximum(truth.std(axis=0), 1e-300)).reshape(len(truth), -1)


def _bias(label: str, apart: NDArray[Any]) -> _Bias:
    """Return the bias of some rows: that of the class, or of the number, whose mean is furthest off."""
    import numpy as np

    place = int(np.abs(apart.mean(axis=0)).argmax())
    values = apart[:, place]
    return _Bias(label, len(values), abs(float(values.mean())), float(values.std(ddof=1)) / math.sqrt(len(values)))


def _worst(learned: Trial, apart: NDArray[Any], before: Trial, others: NDArray[Any]) -> tuple[_Bias | None, float]:
    """Return the slice that is shown to be off the most beyond what live's slices by the same field are, and by how
    much; None and 0 where no slice has enough rows.
    """
    from ..statistics.distributions import normal_quantile

    names = [field.name for field in learned.model.signature.fields][:_FIELDS]
    found = {name: _slices(learned, name, apart) for name in names}
    count = sum(map(len, found.values()))
    worst: _Bias | None = None
    most = 0.0
    for name, slices in found.items():
        theirs = _slices(before, name, others) if slices else []
        if not theirs:  # a field that is new is not held against anything
            continue
        allowed = _TIMES * max(one.value for one in theirs)
        for one in slices:
            further = one.value - allowed - normal_quantile(1 - ALPHA / (2 * count)) * one.error
            if worst is None or further > most:
                worst, most = one, further
    return worst, most


def _slices(trial: Trial, name: str, apart: NDArray[Any]) -> list[_Bias]:
    """Return the biases of the slices by one field that have enough rows; none where it makes no slices."""
    from ..measuring.slicing import sliceable, sliced

    table = trial.table
    if name not in table.column_names or not sliceable(table, name):
        return []
    slicing = sliced(table, name)
    parts = ((label, slicing.rows(place)) for place, label in enumerate(slicing.labels))
    return [_bias(label, apart[part]) for label, part in parts if int(part.sum()) >= _FEWEST]
