"""The packaged models that these tests share with their neighbours."""

from tests.packaged import flights, one_thread, package

__all__ = ["flights", "one_thread", "package"]
