"""Packaged models, for what only a real predictor has."""

from __future__ import annotations

import pytest

from plusone.checks.context import ReleaseRef
from tests.checks.models import make_packages


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ReleaseRef]:
    return make_packages(tmp_path_factory.mktemp("packages"))
