"""Small packaged models, a serving folder, and the processes that serve it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from plusone import packaging
from plusone.workers.supervisor import Supervisor, stop_workers
from tests.serving.serving_folder import ServingFolder


def _pack(folder: Path, answer: float) -> str:
    """Write a model that answers `answer` to every row, and return the package's digest."""
    values = np.linspace(0.0, 1.0, 20)
    model = LinearRegression().fit(pd.DataFrame({"x": values, "z": values**2}), np.full(20, answer))
    train = pa.table({"x": values, "z": values**2, "y": np.full(20, answer)})
    _, digest = packaging.pack(
        model, name="m", target="y", features=["x", "z"], train=train, environment="none==0\n", folder=folder
    )
    return digest


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[str, Path]]:
    """Three packaged models: number n answers n to every row. By number: the digest and the folder."""
    found: dict[int, tuple[str, Path]] = {}
    for number in (1, 2, 3):
        folder = tmp_path_factory.mktemp("package") / str(number)
        found[number] = (_pack(folder, float(number)), folder)
    return found


@pytest.fixture
def serving(packages: dict[int, tuple[str, Path]]) -> Iterator[ServingFolder]:
    """A serving folder that holds the three packages and no route; its workers are ended at the end."""
    root = Path(tempfile.mkdtemp(prefix="plusone-serving-"))
    folder = ServingFolder(root / "serving", packages)
    try:
        yield folder
    finally:
        for supervisor in folder.supervisors:
            supervisor.stop(timeout_s=3.0)
        stop_workers(folder.path, timeout_s=1.0)
        shutil.rmtree(root)


@pytest.fixture
def one_worker(serving: ServingFolder) -> Supervisor:
    """One worker that serves model `m` at release 1."""
    serving.route(1, live=1)
    return serving.start(workers=1)
