"""plusone takes a model out of research into production, and does it again: n+1.

The public names, resolved when they are first used (PEP 562): importing plusone loads no numpy, no database driver,
no server and no ML framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import check
    from .app.app import App
    from .base.errors import PlusoneError
    from .client.client import Client
    from .formats.onnx import onnx_file
    from .formats.recommenders import Recommender
    from .formats.torch import torch_model
    from .media.audio import Audio
    from .media.image import Image
    from .pipeline.declare import model, step
    from .recording.active import log
    from .scripts.run import run

__all__ = [
    "App",
    "Audio",
    "Client",
    "Image",
    "PlusoneError",
    "Recommender",
    "__version__",
    "check",
    "log",
    "model",
    "onnx_file",
    "run",
    "step",
    "torch_model",
]

__version__ = "0.1.0"

_WHERE = {
    "App": ".app.app",
    "Audio": ".media.audio",
    "Client": ".client.client",
    "Image": ".media.image",
    "PlusoneError": ".base.errors",
    "Recommender": ".formats.recommenders",
    "check": ".check",
    "log": ".recording.active",
    "model": ".pipeline.declare",
    "onnx_file": ".formats.onnx",
    "run": ".scripts.run",
    "step": ".pipeline.declare",
    "torch_model": ".formats.torch",
}


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'plusone' has no attribute {name!r}; it has {', '.join(sorted(_WHERE))}")
    module = importlib.import_module(where, __name__)
    value = module if where == f".{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
