"""The backends that the contract tests run on. Another one is one more entry of `BACKENDS`: how a store is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plusone.store import Store, open_store

__all__ = ["BACKENDS", "Open"]

Open = Callable[[Path], Store]

BACKENDS: dict[str, Open] = {"sqlite-and-disk": open_store}
