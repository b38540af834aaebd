"""Packaged models to check, and the rows to check them on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from plusone.checks.context import ReleaseRef
from plusone.packaging import pack

FIELDS = ["distance", "hour"]


def rows(seed: int, count: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"distance": generator.normal(size=count), "hour": generator.integers(0, 24, size=count)})
    frame["late"] = frame["distance"] + generator.normal(size=count) > 0
    return frame


def make_packages(root: Path) -> dict[str, ReleaseRef]:
    """Return a good classifier, one that learnt the opposite, and a regression, packaged in folders of `root`."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    train = rows(1, 1500)
    bad = train.assign(late=~train["late"])
    made: dict[str, ReleaseRef] = {}
    for name, frame, model, target in (
        ("good", train, LogisticRegression(), "late"),
        ("bad", bad, LogisticRegression(), "late"),
        ("number", train.assign(delay=train["distance"] * 3 + train["hour"]), LinearRegression(), "delay"),
    ):
        folder = root / name
        _, digest = pack(
            model.fit(frame[FIELDS], frame[target]),
            name="delays",
            target=target,
            features=FIELDS,
            train=pa.Table.from_pandas(frame[[*FIELDS, target]], preserve_index=False),
            proof=[],
            flavour="pandas",
            environment="scikit-learn==1\n",
            folder=folder,
        )
        made[name] = ReleaseRef(number=None, digest="", package=digest, folder=str(folder))
    return made
