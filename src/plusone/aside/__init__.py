"""Models in a process beside the worker, asked over a local socket: for requests too big for the event loop.

It knows the predictor and frames of bytes. It knows no HTTP and no route.
"""

from __future__ import annotations

from .client import Aside, Failed
from .frames import Reply

__all__ = ["Aside", "Failed", "Reply"]
