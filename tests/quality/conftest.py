"""A project in the working folder, with one release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release.written import Written


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """A project in the working folder; its releases have the checks that a test adds."""
    made = Written(tmp_path / "p")
    monkeypatch.chdir(made.root)
    yield made
    made.close()
