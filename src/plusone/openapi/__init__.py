"""The OpenAPI document of a worker: its addresses, the schemas of its models, the errors that may come.

It knows signatures and the protocols' tensors. It knows no server, no socket and no route.
"""

from __future__ import annotations

from .document import document

__all__ = ["document"]
