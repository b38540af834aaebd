"""The models of the tests of protocols: they are asked with tensors."""

from __future__ import annotations

from tests.packaged import flights, one_thread
from tests.protocols.conftest import coded, gaps, late, make, minutes, origin

__all__ = ["coded", "flights", "gaps", "late", "make", "minutes", "one_thread", "origin"]
