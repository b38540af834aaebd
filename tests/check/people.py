"""Rows with a truth that depends on x, in three airports, for checks of models that are functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.check.models import classes, number

__all__ = ["BAD_AT_JFK", "GOOD", "NUMBER", "people", "right"]


def right(frame: Any) -> np.ndarray:
    return 1 / (1 + np.exp(-2 * np.asarray(frame["x"])))


def people(count: int, seed: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": generator.normal(size=count), "origin": generator.choice(["EWR", "JFK", "LGA"], count)})
    frame["day"] = generator.integers(0, 7, count)
    frame["late"] = generator.random(count) < right(frame)
    frame["delay"] = 3 * frame["x"] + generator.normal(size=count)
    return frame


GOOD = classes(right)
BAD_AT_JFK = classes(lambda frame: np.where(frame["origin"] == "JFK", 1 - right(frame), right(frame)))
NUMBER = number(lambda frame: 3 * frame["x"])
