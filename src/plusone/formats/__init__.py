"""Trained objects, and their way to ONNX graphs: one file per kind of object, found by entry point, imported when one
is packaged.

An entry point of the group `plusone.formats` is a function `open_model(model, labels)` that answers None when the
object is not its kind, or else an `Opened`: how the object is asked, what it answers, and the attempts to compile it,
best first. The packer takes the first one that onnxruntime loads and that is proven equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
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
    known = model if isinstance(model, type) else type(model)
    kind = f"{known.__module__}.{known.__qualname__}"
    names: list[str] = []
    for point in plugins.find("plusone.formats"):
        names.append(point.name)
        found: Opened | None = point.load()(model, labels)
        if found is not None:
            return found
    said, mend = _refused(model, kind)
    raise Incompatible(
        f"{said} can't be packaged: no format knows this kind of object (installed: {', '.join(names) or 'none'}).",
        mend=mend,
        trained=kind,
    )


def _refused(model: Any, kind: str) -> tuple[str, str]:
    """Return what the train function returned, in the words of its author, and what to return in its place."""
    if isinstance(model, type):
        return f"The class {kind} itself, no object of it,", f"return {model.__name__}(...).fit(...): an object"
    if isinstance(model, (str, Path)):
        return f"The path {str(model)!r}", "return the fitted model itself, or the pathlib.Path of a file *.onnx"
    if isinstance(model, (Mapping, list, tuple)):
        return f"A {type(model).__name__}", "return one model; each of several has a @plusone.model of its own"
    said = "The train function returned None, which" if model is None else f"A {kind}"
    return said, "return a fitted model: docs/tasks/models.md lists which, plain Python with `predict` among them"
