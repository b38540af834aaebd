"""JPEG and PNG to arrays, by Pillow.

What comes is hostile until it was looked at: how large an image will be is read from its head before anything is made
of it, only two decoders of Pillow's may be called, and whatever they raise is an error of the input.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..base.errors import InvalidInput, PlusoneError, Unavailable, UsageError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MOST_PIXELS", "Image"]

MOST_PIXELS = 50_000_000
"""How many pixels an image may have: a telephone's have 12 to 50 million, and each takes up to 4 bytes."""
_LARGEST = 8192
_FORMATS = ("JPEG", "PNG")
_LAYOUTS = {"L": ("HW", "HWC", "CHW"), "RGB": ("HWC", "CHW")}


class Image(msgspec.Struct, frozen=True, kw_only=True, tag="image", tag_field="kind"):
    """How the bytes of a JPEG or PNG become an array: turned as EXIF says, converted, resized, scaled, in that order.

    With the defaults the values are 0 to 255 in uint8; with `scale`, `mean` or `std` they are float32:
    `(value * scale - mean) / std`.

    Args:
        height: rows of the array.
        width: its columns.
        mode: `RGB`, or `L` for grey (0.299 red + 0.587 green + 0.114 blue). Transparency is left out, 16 bits become 8.
        layout: `HW` (grey alone), `HWC` or `CHW`: whether the channels are the last dimension or the first of a row.
            Default: `HW` for grey, `HWC` for RGB.
        fit: `stretch` changes the proportions; `crop` keeps them and cuts what is over at both sides; `pad` keeps them
            and lays the image in the middle of black.
        resize: how values are taken from the neighbours, as Pillow's `Image.resize` does it: when an image is made
            smaller, over all pixels that become one, but for `nearest`.
        scale: what each value is multiplied with; default 1.
        mean: what is subtracted then, a number for each channel.
        std: by what it is divided then, a number for each channel.

    Raises:
        UsageError: for sizes that are none, and for options that contradict each other.
    """

    height: int
    width: int
    mode: Literal["RGB", "L"] = "RGB"
    layout: Literal["", "HW", "HWC", "CHW"] = ""
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    resize: Literal["bilinear", "nearest", "box", "hamming", "bicubic", "lanczos"] = "bilinear"
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be done."""
        for name, size in (("height", self.height), ("width", self.width)):
            if not 1 <= size <= _LARGEST:
                raise UsageError(f"Image({name}={size}): expected 1 to {_LARGEST} pixels.")
        choices: dict[str, tuple[str, ...]] = {
            "mode": ("RGB", "L"),
            "fit": ("stretch", "crop", "pad"),
            "resize": ("bilinear", "nearest", "box", "hamming", "bicubic", "lanczos"),
        }
        for name, words in choices.items():
            if getattr(self, name) not in words:
                raise UsageError(f"Image({name}={getattr(self, name)!r}): expected {', '.join(words)}.")
        if self.layout and self.layout not in _LAYOUTS[self.mode]:
            raise UsageError(
                f"Image(mode={self.mode!r}, layout={self.layout!r}): expected {' or '.join(_LAYOUTS[self.mode])}."
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != len(self.mode):
                raise UsageError(
                    f"Image({name}={values!r}): expected {len(self.mode)} numbers, one for each channel of {self.mode}."
                )
        if self.std is not None and not all(self.std):
            raise UsageError(f"Image(std={self.std!r}): expected numbers that are not 0: values are divided by them.")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array that an image becomes."""
        layout = self.layout or ("HW" if self.mode == "L" else "HWC")
        sizes = {"H": self.height, "W": self.width, "C": len(self.mode)}
        return tuple(sizes[letter] for letter in layout)

    @property
    def dtype(self) -> str:
        """Its dtype: `uint8` or `float32`."""
        return "uint8" if self.scale is None and self.mean is None and self.std is None else "float32"

    @property
    def expected(self) -> str:
        """Which files are taken, in words."""
        return "a JPEG or a PNG"

    def decode(self, data: bytes) -> np.ndarray[Any, Any]:
        """Return the array of an image, of shape `shape` and dtype `dtype`.

        Raises:
            InvalidInput: when the bytes are no whole JPEG or PNG, or one of more than `MOST_PIXELS` pixels.
            Unavailable: when Pillow is not installed.
        """
        import numpy as np

        pixels = np.asarray(self._picture(data), dtype=np.uint8).reshape(self.height, self.width, len(self.mode))
        if self.dtype == "float32":
            values = pixels.astype(np.float32)
            if self.scale is not None:
                values *= np.float32(self.scale)
            if self.mean is not None:
                values -= np.array(self.mean, dtype=np.float32)
            if self.std is not None:
                values /= np.array(self.std, dtype=np.float32)
            pixels = values
        if self.layout == "CHW":
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels.reshape(self.shape))

    def _picture(self, data: bytes) -> Any:
        """Return the image as Pillow has it, converted and resized."""
        try:
            from PIL import Image as pillow
            from PIL import ImageOps
        except ImportError as error:
            raise Unavailable(
                "Images are read by Pillow, which is not installed.", mend="pip install 'plusone[image]'"
            ) from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of sizes, which are looked at here, and of odd metadata
                with pillow.open(io.BytesIO(data), formats=_FORMATS) as picture:
                    _check_size(*picture.size)
                    picture.load()
                    whole = _eight_bits(ImageOps.exif_transpose(picture), self.mode, pillow)
        except PlusoneError:
            raise
        except pillow.DecompressionBombError as error:
            raise InvalidInput(f"the image is too large: expected at most {MOST_PIXELS} pixels.") from error
        except Exception as error:  # whatever Pillow raises for crafted bytes: OSError, SyntaxError, struct.error ...
            raise InvalidInput(_said(data, error), expected=self.expected) from error
        size, method = (self.width, self.height), pillow.Resampling[self.resize.upper()]
        if self.fit == "crop":
            return ImageOps.fit(whole, size, method)
        return ImageOps.pad(whole, size, method) if self.fit == "pad" else whole.resize(size, method)

    def example_bytes(self) -> bytes:
        """Return a PNG of one grey pixel."""

        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise InvalidInput(
            f"the image has {width} x {height} pixels: expected at most {MOST_PIXELS} in all.",
            mend="make it smaller before it is sent",
        )


def _eight_bits(picture: Any, mode: str, pillow: Any) -> Any:
    """Return the image in a mode of 8 bits a channel."""
    import numpy as np

    if picture.mode.startswith("I"):  # 16 bits: Pillow's own way cuts all that is over 255
        high = np.asarray(picture).astype(np.int64) >> 8
        picture = pillow.fromarray(np.clip(high, 0, 255).astype(np.uint8))
    elif picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")  # the palette may hold transparency, which is left out then
    return picture if picture.mode == mode else picture.convert(mode)


def _said(data: bytes, error: Exception) -> str:
    if not data:
        return "the image has no bytes: expected a JPEG or a PNG."
    if data[:3] != b"\xff\xd8\xff" and data[:8] != b"\x89PNG\r\n\x1a\n":
        return f"the bytes are no JPEG and no PNG: they begin with {data[:8].hex(' ')}."
    said = str(error).split("\n", 1)[0][:200].encode("utf-8", "replace").decode()
    if "object at 0x" in said:  # Pillow names the buffer that it read from, which is nobody's but ours
        said = "nothing behind its first bytes can be read"
    return f"the image is not whole, or damaged: {said or type(error).__name__}."
