"""What a protocol is told of a release that is served."""

from __future__ import annotations

from typing import NamedTuple

from ..predictor import Predictor

__all__ = ["Served"]


class Served(NamedTuple):
    """One release of one model, in memory. Its number is what the protocols call a version."""

    model: str
    release: int
    predictor: Predictor
