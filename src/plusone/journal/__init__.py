"""The one append-only, checksummed, kill-safe local log. It knows bytes and files, and nothing of what they mean.

A journal is a folder of segment files. `log` writes them and loads nothing heavy; `reading` reads them, many records at
once, with numpy.
"""

from __future__ import annotations

from .log import Journal, Segment, claim, is_held, list_segments

__all__ = ["Journal", "Segment", "claim", "is_held", "list_segments"]
