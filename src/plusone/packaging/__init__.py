"""What a packaged model is: its signature, its compiled graph, the proof that it answers as the trained one, its files.

This room knows trained objects, graphs and folders. It knows no release, no request and no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .artifact import pack, read

__all__ = ["pack", "read"]


def __getattr__(name: str) -> Any:
    # Resolved when used (PEP 562): who only moves packages needs no numpy.
    if name in __all__:
        from . import artifact

        return getattr(artifact, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
