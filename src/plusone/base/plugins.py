"""Finds what others add, by entry point; nothing is imported before it is asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["find"]


def find(group: str) -> list[EntryPoint]:
    """Return the entry points of `group`, sorted by name: an adapter is a function found this way.

    Args:
        group: for example `plusone.formats`.
    """
    from importlib.metadata import entry_points  # a worker never asks, and starts 20 ms sooner

    return sorted(entry_points(group=group), key=lambda point: point.name)
