"""What comes of asking a package its recorded examples."""

from __future__ import annotations

import msgspec

__all__ = ["Failure", "Replay"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a replay came to no answer."""

    kind: str
    message: str
    module: str = ""
    """The module that could not be found, where that was why."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh Python reported: what it answered, or why it did not, and what it imported besides plusone."""

    files: tuple[str, ...]
    rows: int = 0
    differing: tuple[int, ...] = ()
    max_difference: float | None = 0.0
    error: Failure | None = None
