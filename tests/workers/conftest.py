"""The serving folder that the tests of `serving` use, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving.conftest import one_worker, packages, serving
from tests.workers.breaking_workers import Breaking

__all__ = ["breaking", "one_worker", "packages", "serving"]


@pytest.fixture
def breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Ways to break the workers that are started after this."""
    return Breaking(tmp_path / "breaking", monkeypatch)
