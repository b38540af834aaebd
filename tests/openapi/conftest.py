"""The packaged models of the protocols' tests."""

from tests.packaged import flights, one_thread
from tests.protocols.conftest import gaps, late, make, minutes, origin

__all__ = ["flights", "gaps", "late", "make", "minutes", "one_thread", "origin"]
