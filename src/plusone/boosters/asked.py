"""A booster as something that predicts like an estimator of scikit-learn, whichever way it was trained.

It knows what the boosters of both libraries have in common. What differs comes in as functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base.errors import Incompatible
from .categories import to_pandas

__all__ = ["Asked", "classes_of"]


class Asked:
    """A trained booster, asked with any dataframe or matrix.

    Attributes:
        feature_names_in_: the columns that it was fitted on, if they have names.
        n_features_in_: how many they are.
        spelling: how the library writes a name: LightGBM has no white space in them.
        classes_: the labels, if it answers such; a list of arrays of several targets.
        predict_proba: there only if it answers probabilities.

    Args:
        prepare: turns a dataframe of pandas, or a matrix, into what the booster takes.
        answer: returns the numbers or labels, shape (rows,) or (rows, targets).
        probabilities: returns the probabilities, shape (rows, classes); of several targets that of 1, (rows, targets).
    """

    def __init__(
        self,
        *,
        names: Sequence[str] | None,
        width: int,
        prepare: Callable[[Any], Any],
        answer: Callable[[Any], Any],
        classes: Any = None,
        probabilities: Callable[[Any], Any] | None = None,
        spelling: Callable[[str], str] = str,
    ) -> None:
        self.feature_names_in_ = None if names is None else np.array(names, dtype=object)
        self.n_features_in_ = width
        self.spelling = spelling
        self._prepare = prepare
        self._answer = answer
        if classes is not None:
            self.classes_: Any = classes if isinstance(classes, list) else np.asarray(classes)
        if probabilities is not None:
            self.predict_proba = lambda frame: probabilities(prepare(to_pandas(frame)))

    def predict(self, frame: Any) -> Any:
        """Return the answers, shape (rows,) or (rows, targets)."""
        return self._answer(self._prepare(to_pandas(frame)))


def classes_of(labels: Sequence[Any], count: int, kind: str) -> tuple[Any, ...]:
    """Return the classes of a booster that knows them as 0 to `count` - 1, as the target of the training data has them.

    Raises:
        Incompatible: when the target holds other values: which of them is which number only the train function knows.
    """
    numbers = tuple(range(count))
    if all(isinstance(label, int) and label in numbers for label in labels):
        # True is 1: where the target is of booleans, so are the answers.
        return tuple(labels) if tuple(labels) == numbers else numbers
    shown = ", ".join(repr(label) for label in labels[:4])
    raise Incompatible(
        f"The target holds {shown}{', ...' if len(labels) > 4 else ''}, and this {kind} knows its {count} classes as "
        f"the numbers 0 to {count - 1}: it does not say which is which.",
        mend="make the target those numbers in a step, or return a classifier that keeps its labels (LGBMClassifier)",
    )
