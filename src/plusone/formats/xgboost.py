"""XGBoost models, of both APIs, to graphs: `boosters/xgboost.py` does the work."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ..base.records import Field
from ..boosters.xgboost import is_xgboost, known_numbers, open_xgboost, write_xgboost
from ..graphs.layout import Block
from . import Compiled, Opened
from .finishing import attempts

__all__ = ["open_model"]


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return a fitted XGBoost model and the way to compile it; None when it is none."""
    if "xgboost" not in sys.modules or not is_xgboost(model):
        return None
    return Opened(trained=open_xgboost(model, labels), compile=functools.partial(_attempts, model))


def _attempts(model: Any, fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    known = {fields[place].name: values for place, values in known_numbers(model).items()}
    for compiled in attempts(write_xgboost, model, fields, blocks):
        yield msgspec.structs.replace(compiled, known_values=known)
