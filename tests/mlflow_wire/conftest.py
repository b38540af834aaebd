"""A project without anything in it, asked as MLflow's clients ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mlflow.asking import Asking


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[Asking]:
    asking = Asking(tmp_path / "p")
    yield asking
    asking.close()
