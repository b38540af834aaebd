"""Finds what others add, by entry point; nothing is imported before it is asked for by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

__all__ = ["find"]


def find(group: str) -> list[EntryPoint]:
    """Return the entry points of `group`, sorted by name: an adapter is a function found this way.

    Args:
        group: for example `plusone.formats`.
    """
    return sorted(entry_points(group=group), key=lambda point: point.name)
