"""The one append-only, checksummed, kill-safe local log. It knows bytes and files, and nothing of what they mean."""

from __future__ import annotations

from .log import Journal, Reading, read

__all__ = ["Journal", "Reading", "read"]
