"""A label for each of several targets, and their probabilities, as scikit-learn answers them: to arrays of one form.

The process of a native model reads this file by its path: it needs numpy and nothing of plusone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["join_probabilities", "labels_to_codes"]


def join_probabilities(answers: Any, rows: int, sizes: Sequence[int]) -> Any:
    """Return what `predict_proba` answered as one array: the probabilities of each target behind those before it.

    Raises:
        ValueError: when they are others than those of these classes.
    """
    if isinstance(answers, (list, tuple)):
        found = [np.asarray(one, dtype=np.float64) for one in answers]
        if [one.shape for one in found] != [(rows, size) for size in sizes]:
            raise ValueError(f"the model answered probabilities of the shapes {[one.shape for one in found]}")
        return np.concatenate(found, axis=1)
    second = np.asarray(answers, dtype=np.float64)
    if second.shape != (rows, len(sizes)) or any(size != 2 for size in sizes):
        raise ValueError(f"the model answered probabilities of the shape {second.shape}: expected a list of arrays")
    return np.stack([1.0 - second, second], axis=2).reshape(rows, -1)


def labels_to_codes(answers: Any, rows: int, classes: Sequence[Sequence[Any]]) -> Any:
    """Return what `predict` answered as codes, shape (rows, targets), each among the labels of all targets.

    Numbers beside text come as text, because scikit-learn puts the labels of all targets into one array.

    Raises:
        ValueError: when an answer is none of its target's labels.
    """
    found = np.asarray(answers.toarray() if hasattr(answers, "toarray") else answers)
    if found.shape != (rows, len(classes)):
        raise ValueError(f"the model answered an array of the shape {found.shape} to {rows} rows")
    codes = np.empty(found.shape, dtype=np.int64)
    start = 0
    for place, labels in enumerate(classes):
        known: dict[Any, int] = {str(label): start + code for code, label in enumerate(labels)}
        known.update({label: start + code for code, label in enumerate(labels)})
        try:
            codes[:, place] = [known[label] for label in found[:, place].tolist()]
        except (KeyError, TypeError):
            other = next(one for one in found[:, place].tolist() if one not in known)
            raise ValueError(f"the model answered {other!r}, which is none of the labels of target {place}") from None
        start += len(labels)
    return codes
