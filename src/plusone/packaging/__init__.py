"""What a packaged model is: its signature, its compiled graph, the proof that it answers as the trained one, its files.

This room knows trained objects, graphs and folders. It knows no release, no request and no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .artifact import read
    from .building import pack

__all__ = ["pack", "read"]


def __getattr__(name: str) -> Any:
    # Resolved when used (PEP 562): who only moves packages needs no numpy.
    if name == "pack":
        from .building import pack

        return pack
    if name == "read":
        from .artifact import read

        return read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
