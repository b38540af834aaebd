"""Trained objects as ONNX graphs: one file per kind of object, found by entry point, imported when one is packaged.

An entry point of the group `plusone.formats` is a function `compile_model(model, fields, blocks)` that answers None
when the object is not its kind, or else the attempts, best first: an iterator of `Compiled`. The packer takes the first
one that onnxruntime loads and that is proven equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from ..base import plugins
from ..base.errors import Incompatible
from ..base.records import Field
from .layout import Block

__all__ = ["CompileModel", "Compiled", "find_format"]


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled graph, not yet proven."""

    graph: bytes
    output: Literal["probabilities", "codes", "number"]
    precision: str
    """`float64`, or `float32` when a part of the model could only be compiled to single precision."""
    known_values: dict[str, tuple[float, ...]] = {}
    """By field: the only numbers that the trained model answers to, where it raises for others."""
    notes: tuple[str, ...] = ()


CompileModel = Callable[[Any, Sequence[Field], Sequence[Block]], Iterator[Compiled] | None]


def find_format(model: Any, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    """Return the attempts of the format whose kind `model` is.

    Raises:
        Incompatible: when no installed format knows the object.
    """
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    names: list[str] = []
    for point in plugins.find("plusone.formats"):
        names.append(point.name)
        compile_model: CompileModel = point.load()
        attempts = compile_model(model, fields, blocks)
        if attempts is not None:
            return attempts
    raise Incompatible(
        f"A {kind} can't be packaged: no format knows this kind of object (installed: {', '.join(names) or 'none'}).",
        mend="return a fitted scikit-learn estimator or Pipeline from the train function",
        trained=kind,
    )
