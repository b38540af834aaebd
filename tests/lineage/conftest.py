"""A store, and a history written into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.store import open_store
from tests.lineage.history import History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    store = open_store(tmp_path / "store")
    yield History(store)
    store.close()
