"""Figures of any library as the bytes of a file. It imports none of them: whoever has a figure has its library."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import PurePosixPath
from typing import Any

from ..base.errors import UsageError

__all__ = ["encode_figure"]

_KNOWN = (
    "a figure of matplotlib (or what has one in `.figure`, such as seaborn's grids), of plotly, an image of Pillow, or "
    "a numpy array of height x width, x 1, 3 or 4"
)
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR = {1: 0, 3: 2, 4: 6}  # channels: PNG's colour type (ISO/IEC 15948, table 11.1)


def encode_figure(figure: Any, name: str) -> tuple[str, bytes]:
    """Return the file name, with its ending, and the bytes of a figure.

    The ending of `name` says how it is stored: `.png`, `.svg` or `.pdf` for matplotlib, `.json` or `.html` for plotly
    (plotly.js is in the page: nothing is loaded from a network), `.png`, `.jpg` or `.webp` for Pillow, `.png` for
    arrays. Without one it is PNG, of plotly JSON. Arrays hold 0 to 255 as uint8, or 0.0 to 1.0 as floats, or booleans.

    Raises:
        UsageError: when it is no figure that is known, or can't be stored so.
    """
    package = _package(figure)
    inner = getattr(figure, "figure", None)
    if not package and inner is not None:
        figure, package = inner, _package(inner)
    if package == "matplotlib":
        return _matplotlib(figure, name)
    if package == "plotly" and hasattr(figure, "to_json"):
        return _plotly(figure, name)
    if package == "PIL":
        return _pillow(figure, name)
    if package == "numpy":
        name, _ = _ending(name, {"png"}, "png", "an array")
        return name, _array(figure)
    kind = f"{type(figure).__module__}.{type(figure).__qualname__}"
    raise UsageError(f"A {kind} is no figure that can be logged: expected {_KNOWN}.")


def _package(figure: Any) -> str:
    packages = {kind.__module__.partition(".")[0] for kind in type(figure).__mro__}
    return next((name for name in ("matplotlib", "plotly", "PIL", "numpy") if name in packages), "")


def _ending(name: str, allowed: set[str], default: str, what: str) -> tuple[str, str]:
    """Return the name with an ending, and the ending."""
    ending = PurePosixPath(name).suffix.removeprefix(".").lower()
    if ending in allowed:
        return name, ending
    # A dot may be part of a name ("accuracy v1.2"); a known ending of another library is a mistake.
    if ending in {"png", "svg", "pdf", "json", "html", "jpg", "jpeg", "webp", "gif"}:
        expected = ", ".join(f".{one}" for one in sorted(allowed))
        raise UsageError(f"{what} can't be stored as {name!r}: expected the ending {expected}, or none.")
    return f"{name}.{default}", default


def _matplotlib(figure: Any, name: str) -> tuple[str, bytes]:
    if not hasattr(figure, "savefig"):  # axes and artists are part of one
        figure = figure.get_figure()
        if figure is None:
            raise UsageError("What was to be logged belongs to no matplotlib figure any more.")
    name, ending = _ending(name, {"png", "svg", "pdf"}, "png", "A figure of matplotlib")
    sink = io.BytesIO()
    # Without the moment of making, equal figures are equal bytes and stored once.
    moment: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[ending]
    figure.savefig(sink, format=ending, bbox_inches="tight", metadata=moment)
    return name, sink.getvalue()


def _plotly(figure: Any, name: str) -> tuple[str, bytes]:
    name, ending = _ending(name, {"json", "html"}, "json", "A figure of plotly")
    text = figure.to_json() if ending == "json" else figure.to_html(include_plotlyjs=True, full_html=True)
    return name, text.encode()


def _pillow(image: Any, name: str) -> tuple[str, bytes]:
    name, ending = _ending(name, {"png", "jpg", "jpeg", "webp"}, "png", "An image of Pillow")
    sink = io.BytesIO()
    try:
        image.save(sink, format={"jpg": "JPEG"}.get(ending, ending.upper()))
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"The image (mode {image.mode}) can't be stored as {name!r}: {error}.") from error
    return name, sink.getvalue()


def _array(array: Any) -> bytes:
    """Return the PNG of an array: 8 bits a channel, no filter, one IDAT chunk."""
    import numpy as np

    pixels: Any = np.asarray(array)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in _COLOUR or 0 in pixels.shape:
        raise UsageError(f"An array of shape {np.shape(array)} is no image: expected {_KNOWN.rpartition('of ')[2]}.")
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    elif np.issubdtype(pixels.dtype, np.floating):
        if not ((pixels >= 0.0) & (pixels <= 1.0)).all():  # NaN is neither
            raise UsageError(
                "The image's numbers are not all in 0.0 to 1.0.", mend="scale it: (x - x.min()) / np.ptp(x)"
            )
        pixels = np.rint(pixels * 255).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        raise UsageError(
            f"The image's dtype is {pixels.dtype}: expected uint8 (0 to 255), a float (0.0 to 1.0) or bool."
        )
    height, width, channels = pixels.shape
    # Each line begins with the number of its filter: 0, none.
    lines = np.zeros((height, 1 + width * channels), dtype=np.uint8)
    lines[:, 1:] = pixels.reshape(height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0)
    return _PNG + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines.tobytes())) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
