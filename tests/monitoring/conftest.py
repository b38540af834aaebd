"""The store of the tests of predictions."""

from __future__ import annotations

from tests.predictions.conftest import store

__all__ = ["store"]
