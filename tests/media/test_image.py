"""JPEG and PNG to arrays: what they become, and what is refused."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from plusone import Image, media
from plusone.base.errors import InvalidInput, Unavailable, UsageError
from plusone.media.image import MOST_PIXELS


def saved(array: Any, form: str = "PNG", mode: str | None = None, **more: Any) -> bytes:
    sink = io.BytesIO()
    picture = Pillow.fromarray(array)
    (picture if mode is None else picture.convert(mode)).save(sink, form, **more)
    return sink.getvalue()


COLOURS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
GREY = np.arange(24, dtype=np.uint8).reshape(4, 6)


def test_an_image_of_the_wanted_size_is_its_pixels():
    how = Image(height=4, width=6)
    assert (how.shape, how.dtype) == ((4, 6, 3), "uint8")
    assert np.array_equal(how.decode(saved(COLOURS)), COLOURS)
    first = Image(height=4, width=6, layout="CHW")
    assert first.shape == (3, 4, 6)
    assert np.array_equal(first.decode(saved(COLOURS)), COLOURS.transpose(2, 0, 1))
    layouts: dict[Any, tuple[int, ...]] = {"": (4, 6), "HW": (4, 6), "HWC": (4, 6, 1), "CHW": (1, 4, 6)}
    for layout, shape in layouts.items():
        grey = Image(height=4, width=6, mode="L", layout=layout)
        assert np.array_equal(grey.decode(saved(GREY)), GREY.reshape(shape))
        assert grey.decode(saved(GREY)).flags["C_CONTIGUOUS"]


def test_values_are_scaled_and_normalised_in_single_precision():
    how = Image(height=4, width=6, scale=1 / 255, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    found = how.decode(saved(COLOURS))
    assert (how.dtype, found.dtype) == ("float32", np.float32)
    wanted = (COLOURS / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.1, 0.2, 0.3])
    assert np.allclose(found, wanted, atol=1e-5)


def test_sizes_are_reached_by_stretching_cutting_or_padding():
    half = np.zeros((4, 8), dtype=np.uint8)
    half[:, 2:6] = 200
    fits: tuple[Any, ...] = ("stretch", "crop", "pad")
    stretched, cut, padded = (
        Image(height=4, width=4, mode="L", fit=fit, resize="nearest").decode(saved(half)) for fit in fits
    )
    assert np.array_equal(cut, np.full((4, 4), 200))
    assert np.array_equal(stretched[0], [0, 200, 200, 0])
    assert np.array_equal(padded[[0, 3]], np.zeros((2, 4)))
    # Made smaller, a pixel is the mean of those that it stands for.
    board = np.indices((8, 8)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert np.array_equal(Image(height=1, width=1, mode="L", resize="box").decode(saved(board)), [[100]])


def test_odd_kinds_of_images_become_eight_bits():
    how = Image(height=4, width=6, mode="L")
    wide = saved(GREY.astype(np.uint16) * 257)
    assert np.array_equal(how.decode(wide), GREY)
    assert np.array_equal(how.decode(saved(GREY, mode="P")), GREY)
    assert np.array_equal(how.decode(saved(GREY > 11)), np.where(GREY > 11, 255, 0))
    seen = np.dstack([COLOURS, np.full((4, 6), 7, dtype=np.uint8)])
    assert np.array_equal(Image(height=4, width=6).decode(saved(seen)), COLOURS)
    jpeg = Image(height=4, width=6).decode(saved(np.full((4, 6, 3), 90, dtype=np.uint8), "JPEG"))
    assert np.abs(jpeg.astype(int) - 90).max() <= 2
    assert Image(height=2, width=2).decode(saved(COLOURS, "JPEG", mode="CMYK")).shape == (2, 2, 3)


def test_an_image_is_turned_as_its_exif_says():
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    data = saved(GREY, exif=exif.tobytes())
    assert np.array_equal(Image(height=6, width=4, mode="L").decode(data), np.rot90(GREY, -1))


def png_that_says(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no bytes"),
        (b"GIF89a" + b"\0" * 50, "no JPEG and no PNG: they begin with 47 49 46"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "not whole, or damaged: nothing behind its first bytes"),
        (saved(COLOURS)[:50], "not whole, or damaged"),
        (saved(COLOURS, "JPEG")[:-200], "not whole, or damaged"),
        (saved(COLOURS, "BMP"), "no JPEG and no PNG"),
        (png_that_says(10_000, 10_000), f"10000 x 10000 pixels: expected at most {MOST_PIXELS}"),
        (png_that_says(2**31 - 1, 2**31 - 1), "too large|pixels"),
        (png_that_says(0, 5), "not whole, or damaged"),
        (png_that_says(100, 100), "not whole, or damaged"),
    ],
)
def test_what_is_no_whole_image_of_a_fair_size_is_refused(data: bytes, said: str):
    with pytest.raises(InvalidInput, match=said) as refused:
        Image(height=2, width=2).decode(data)
    assert "0x" not in refused.value.message


@given(st.sampled_from([saved(COLOURS), saved(COLOURS, "JPEG"), saved(GREY, mode="P")]), st.data())
def test_damaged_bytes_are_an_image_or_an_error(data: bytes, draw: st.DataObject):
    damaged = bytearray(data)
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        damaged[place] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    how = Image(height=3, width=3)
    try:
        found = how.decode(bytes(damaged[:cut]))
    except InvalidInput:
        return
    assert found.shape == (3, 3, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"height": 0},
        {"width": 100_000},
        {"mode": "CMYK"},
        {"layout": "HW"},
        {"fit": "zoom"},
        {"resize": "best"},
        {"mean": (1.0,)},
        {"std": (1.0, 0.0, 1.0)},
    ],
)
def test_options_that_can_not_be_are_errors(options: dict[str, Any]):
    given: dict[str, Any] = {"height": 2, "width": 2, **options}
    with pytest.raises(UsageError, match="Image"):
        Image(**given)


def test_what_is_stored_of_it_decodes_the_same():
    how = Image(height=3, width=3, mode="L", scale=0.5, mean=(3.0,), fit="crop")
    said = msgspec.json.decode(msgspec.json.encode(how))
    assert media.of(said) == how
    assert np.array_equal(media.decode(said, saved(COLOURS)), how.decode(saved(COLOURS)))
    assert media.decode(said, media.example_bytes(said)).shape == how.shape
    assert media.kind_of(said) == "image"


def test_without_pillow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Unavailable) as caught:
        Image(height=2, width=2).decode(b"")
    assert "plusone[image]" in caught.value.mend


def test_to_say_how_images_are_read_loads_neither_numpy_nor_pillow():
    code = "import sys, plusone; plusone.Image(height=2, width=2); print({'numpy', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
