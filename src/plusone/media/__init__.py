"""Images and sounds as bytes, to tensors: one way, for the steps that make training data and for the server.

This room knows JPEG, PNG and WAV. It knows no model, no request and no file.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .audio import Audio
from .image import Image

__all__ = ["Audio", "Image", "decode", "example_bytes", "expected", "kind_of", "of"]


def of(said: dict[str, Any]) -> Image | Audio:
    """Return what a field says of the files that it takes (`records.Field.media`)."""
    return msgspec.convert(said, Image | Audio)


def decode(said: dict[str, Any], data: bytes) -> Any:
    """Return the tensor that a file becomes.

    Raises:
        InvalidInput: when the bytes are no file that is taken.
        Unavailable: when what reads such files is not installed.
    """
    return of(said).decode(data)


def kind_of(said: dict[str, Any]) -> str:
    """Return `image` or `audio`."""
    return str(said["kind"])


def expected(said: dict[str, Any]) -> str:
    """Return which files a field takes, in words."""
    return of(said).expected


def example_bytes(said: dict[str, Any]) -> bytes:
    """Return a small file that the field takes: one grey dot, or a moment of silence."""
    return of(said).example_bytes()
