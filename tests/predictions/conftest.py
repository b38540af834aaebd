"""A store, and the folder that workers serve from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """The folder that workers serve from; nothing is in it yet."""
    return tmp_path / "serving"
