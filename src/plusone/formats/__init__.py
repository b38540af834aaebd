"""Trained objects, and their way to ONNX graphs: one file per kind of object, found by entry point, imported when one
is packaged.

An entry point of the group `plusone.formats` is a function `open_model(model, labels)` that answers None when the
object is not its kind, or else an `Opened`: how the object is asked, what it answers, and the attempts to compile it,
best first. The packer takes the first one that onnxruntime loads and that is proven equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from ..base import plugins
from ..base.errors import Incompatible
from ..base.records import Field, Output
from ..graphs.layout import Block

__all__ = ["Attempts", "Compiled", "OpenModel", "Opened", "open_model"]


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled graph, not yet proven."""

    graph: bytes
    output: Literal["probabilities", "codes", "number", "vector", "ranking"]
    """What the graph answers: see `graphs.runner.OnnxRunner`."""
    precision: str
    """`float64`, or `float32` when a part of the model could only be compiled to single precision."""
    known_values: dict[str, tuple[float, ...]] = {}
    """By field: the only numbers that the trained model answers to, where it raises for others."""
    notes: tuple[str, ...] = ()


Attempts = Callable[[Sequence[Field], Sequence[Block]], Iterator[Compiled]]
"""Gives the ways to compile an object for these fields, best first; raises Incompatible when there is none."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A trained object of a kind that is known."""

    trained: Any
    """The object as it is asked: like an estimator of scikit-learn, with `predict(frame)` and, where it has them,
    `predict_proba`, `classes_`, `feature_names_in_` and `n_features_in_`."""
    compile: Attempts
    output: Output | None = None
    """What it answers, where asking `trained` would not tell; its name is the target's all the same."""
    settle: Callable[[Sequence[Field], Any], Opened] | None = None
    """Returns it complete, where only rows tell what it answers (a network does not say whether its numbers are
    classes): called first, with the fields and with some rows of the training data as `trained` is asked with them."""


OpenModel = Callable[[Any, Sequence[Any]], Opened | None]


def open_model(model: Any, labels: Sequence[Any]) -> Opened:
    """Return the trained object as the format has it whose kind it is.

    Args:
        labels: the distinct values of the target in the training data, sorted; what an object answers that does not say
            its classes. Empty when there are more than 1,000, or numbers that are not whole.

    Raises:
        Incompatible: when no installed format knows the object.
    """
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    names: list[str] = []
    for point in plugins.find("plusone.formats"):
        names.append(point.name)
        found: Opened | None = point.load()(model, labels)
        if found is not None:
            return found
    raise Incompatible(
        f"A {kind} can't be packaged: no format knows this kind of object (installed: {', '.join(names) or 'none'}).",
        mend="return a fitted model of scikit-learn, LightGBM or XGBoost from the train function",
        trained=kind,
    )
