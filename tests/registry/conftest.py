"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.release.written import Written


@pytest.fixture
def project(tmp_path: Path):
    """An empty project with an open store."""
    written = Written(tmp_path / "p")
    yield written
    written.close()
