"""Models that are functions, for checks that know a model by what it answers, and rows to ask them about."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from plusone.base.records import Field, Output, Signature
from plusone.data.tables import to_arrow
from plusone.graphs.runner import Answer

__all__ = ["Scripted", "classes", "number", "ranking", "vector"]


class Scripted:
    """A model whose answers are what a function makes of the rows, a dataframe of its fields."""

    def __init__(self, output: Output, answer: Callable[[pd.DataFrame], Any], fields: tuple[Field, ...]) -> None:
        self.signature = Signature(fields=fields, output=output)
        self.package = SimpleNamespace(model="scripted")
        self._answer = answer
        self.asked = 0

    def columns(self, data: Any) -> pd.DataFrame:
        return to_arrow(data).to_pandas()[[field.name for field in self.signature.fields]]

    def run(self, frame: pd.DataFrame) -> Answer:
        self.asked += 1
        kind, classes = self.signature.output.kind, np.array(self.signature.output.classes)
        found = np.asarray(self._answer(frame))
        if kind in ("number", "vector"):
            return Answer(None, None, None, found.astype(np.float64))
        if kind == "ranking":
            return Answer(classes, found, None, None, np.ones(found.shape))
        if self.signature.output.probabilities:
            return Answer(classes, found.argmax(axis=1), found, None)
        return Answer(classes, found, None, None)


def _fields(names: tuple[str, ...]) -> tuple[Field, ...]:
    return tuple(Field(name=name, dtype="string" if name == "origin" else "float64") for name in names)


def classes(
    answer: Callable[[pd.DataFrame], Any],
    *,
    labels: tuple[Any, ...] = (False, True),
    fields: tuple[str, ...] = ("x", "origin"),
    probabilities: bool = True,
) -> Any:
    """A classifier of `late`: of two classes `answer` gives the probability of the second; else (rows, classes)."""

    def spread(frame: pd.DataFrame) -> Any:
        found = np.asarray(answer(frame))
        return np.stack([1 - found, found], axis=1) if probabilities and found.ndim == 1 else found

    output = Output(name="late", kind="classes", classes=labels, probabilities=probabilities)
    return Scripted(output, spread, _fields(fields))


def number(answer: Callable[[pd.DataFrame], Any], *, fields: tuple[str, ...] = ("x", "origin")) -> Any:
    """A model that answers the number `delay`."""
    return Scripted(Output(name="delay", kind="number"), answer, _fields(fields))


def vector(answer: Callable[[pd.DataFrame], Any], names: tuple[str, ...] = ("a", "b")) -> Any:
    """A model that answers several numbers."""
    output = Output(name="a", kind="vector", names=names, width=len(names))
    return Scripted(output, answer, _fields(("x", "origin")))


def ranking(answer: Callable[[pd.DataFrame], Any], items: tuple[Any, ...], width: int) -> Any:
    """A model that ranks items: `answer` gives their codes, (rows, width)."""
    output = Output(name="film", kind="ranking", classes=items, width=width)
    return Scripted(output, answer, _fields(("x", "origin")))
