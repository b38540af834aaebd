"""The blobs are half of a store: the rooms above take them from here."""

from __future__ import annotations

from ..blobs.blobs import Blobs, BlobStat

__all__ = ["BlobStat", "Blobs"]
