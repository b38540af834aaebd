"""The packaged models and the serving folder that the tests of `serving` use, too."""

from __future__ import annotations

from tests.serving.conftest import packages, serving

__all__ = ["packages", "serving"]
