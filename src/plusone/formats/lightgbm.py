"""LightGBM models, of both APIs, to graphs: `boosters/lightgbm.py` does the work."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

from ..boosters.lightgbm import is_lightgbm, open_lightgbm, write_lightgbm
from . import Opened
from .finishing import attempts

__all__ = ["open_model"]


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return a fitted LightGBM model and the way to compile it; None when it is none."""
    if "lightgbm" not in sys.modules or not is_lightgbm(model):
        return None
    return Opened(trained=open_lightgbm(model, labels), compile=functools.partial(attempts, write_lightgbm, model))
