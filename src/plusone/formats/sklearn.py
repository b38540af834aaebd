"""scikit-learn models to graphs: double precision first, then skl2onnx's own way, then single precision."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..base.errors import Incompatible
from ..base.records import Field, Output
from ..boosters.lightgbm import is_lightgbm
from ..boosters.xgboost import is_xgboost
from ..estimators.estimators import estimate
from ..estimators.texts import OneText, reads_text
from ..graphs.layout import Block
from . import Compiled, Opened
from .finishing import compile_with

__all__ = ["open_model"]

_WAYS = (("float64", True), ("float64", False), ("float32", False))
"""The type of the arithmetic, and whether we write what we can ourselves."""


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return a fitted scikit-learn model and the ways to compile it, best first; None when it is none.

    The attempts raise Incompatible, naming the part, when the first way already can't be written.
    """
    base = sys.modules.get("sklearn.base")
    if base is None or not isinstance(model, base.BaseEstimator) or is_lightgbm(model) or is_xgboost(model):
        return None
    trained = OneText(model) if reads_text(model) else model
    output = Output(name="", kind="classes", classes=(-1, 1)) if _detects(model) else None
    return Opened(trained=trained, compile=functools.partial(_attempts, model), output=output)


def _detects(model: Any) -> bool:
    """Whether a model answers 1 for what is as usual and -1 for outliers; it says so by no `classes_`."""
    from sklearn.base import is_outlier_detector

    return bool(is_outlier_detector(model)) and hasattr(model, "predict")


def _attempts(model: Any, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    seen: set[bytes] = set()
    for number, (dtype, own) in enumerate(_WAYS):
        try:
            write = functools.partial(estimate, own=own)
            compiled = compile_with(write, model, fields, blocks, dtype)
        except Incompatible:
            if number == 0:
                raise
            continue
        if compiled.graph not in seen:
            seen.add(compiled.graph)
            yield compiled
