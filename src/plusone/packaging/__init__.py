"""What a packaged model is: its signature, its compiled graph, the proof that it answers as the trained one, its files.

This room knows trained objects, graphs and folders. It knows no store, no release, no request and no server.
"""

from __future__ import annotations

from .artifact import pack, read

__all__ = ["pack", "read"]
