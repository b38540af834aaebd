"""Changes of pictures and sounds: flipped, turned, moved, brighter, louder. What comes into view is 0.

A picture is of shape (height, width), (height, width, channels) or (channels, height, width); a sound's last axis is
time. Where 1, 3 or 4 is the first or the last size of three, those are taken for the channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..base.errors import UsageError
from .arguments import chosen, number, whole
from .change import Change
from .columns import numbers

__all__ = ["brightness", "delay", "flip", "gain", "rotation", "shift"]

_CHANNELS = (1, 3, 4)


def flip(column: str, *, axis: Literal["left-right", "up-down"] = "left-right") -> Change:
    """Mirror each picture."""
    turned = -1 if chosen("flip", "axis", axis, ("left-right", "up-down")) == "left-right" else -2
    return Change("flip", column, _pictures(lambda images: np.flip(images, turned)), {"axis": axis}, tensors=True)


def rotation(column: str, degrees: float) -> Change:
    """Turn each picture about its middle, against the clock; values between points are interpolated (bilinear)."""
    angle = math.radians(number("rotation", "degrees", degrees))
    return Change(
        "rotation", column, _pictures(lambda images: _turned(images, angle)), {"degrees": degrees}, tensors=True
    )


def shift(column: str, *, right: int = 0, down: int = 0) -> Change:
    """Move each picture by some points; below 0 is left and up."""
    steps = whole("shift", "down", down), whole("shift", "right", right)
    if steps == (0, 0):
        raise UsageError(
            "shift: right and down are 0: expected another number for one of them.", mend=f"shift({column!r}, right=1)"
        )

    def change(images: Any) -> Any:
        return _moved(_moved(images, steps[0], -2), steps[1], -1)

    return Change("shift", column, _pictures(change), {"right": right, "down": down}, tensors=True)


def brightness(column: str, by: float) -> Change:
    """Make each picture brighter or, below 1, darker: values times `by`, whole ones of 0 to 255 kept within."""
    amount = number("brightness", "by", by)
    if amount < 0:
        raise UsageError(f"brightness: by = {by!r}: expected 0 or more.", mend=f"brightness({column!r}, 1.2)")
    return Change("brightness", column, numbers(lambda values, _: values * amount), {"by": by}, tensors=True)


def gain(column: str, db: float) -> Change:
    """Make each sound louder or, below 0, softer, by decibels: by hand, 20 dB is ten times the amplitude."""
    amount = 10 ** (number("gain", "db", db) / 20)
    return Change("gain", column, numbers(lambda values, _: values * amount), {"db": db}, tensors=True)


def delay(column: str, samples: int) -> Change:
    """Let each sound begin so many samples later or, below 0, earlier; its end is cut off, silence comes before it."""
    steps = whole("delay", "samples", samples)

    def work(values: Any, _: np.random.Generator) -> Any:
        if values.ndim < 2:
            raise TypeError("it is for sounds, and each row has one number")
        return _moved(values, steps, -1)

    return Change("delay", column, work, {"samples": samples}, tensors=True)


def _pictures(change: Callable[[Any], Any]) -> Any:
    """Return what changes pictures whose last two axes are height and width."""

    def work(values: Any, _: np.random.Generator) -> Any:
        shape = values.shape[1:]
        if len(shape) not in (2, 3):
            raise TypeError(f"it is for pictures, and a value has the shape {list(shape)}")
        last = len(shape) == 3 and shape[0] not in _CHANNELS and shape[2] in _CHANNELS
        found = change(np.moveaxis(values, -1, 1) if last else values)
        return np.ascontiguousarray(np.moveaxis(found, 1, -1) if last else found)

    return work


def _moved(values: Any, steps: int, axis: int) -> Any:
    size = values.shape[axis]
    kept = max(0, size - abs(steps))
    found = np.zeros_like(values)
    if kept:
        source, target = [slice(None)] * values.ndim, [slice(None)] * values.ndim
        source[axis] = slice(0, kept) if steps >= 0 else slice(size - kept, size)
        target[axis] = slice(size - kept, size) if steps >= 0 else slice(0, kept)
        found[tuple(target)] = values[tuple(source)]
    return found


def _turned(images: Any, angle: float) -> Any:
    """Return the pictures turned: the value of each point is that of the place it came from."""
    height, width = images.shape[-2:]
    down, right = np.mgrid[0:height, 0:width].astype(np.float64)
    middle = (height - 1) / 2, (width - 1) / 2
    down, right = down - middle[0], right - middle[1]
    cosine, sine = math.cos(angle), math.sin(angle)
    from_right, from_down = right * cosine - down * sine + middle[1], right * sine + down * cosine + middle[0]
    # A full turn must give back the picture, whatever the last digit of a sine is.
    from_right, from_down = np.round(from_right, 9), np.round(from_down, 9)
    top, left = np.floor(from_down).astype(int), np.floor(from_right).astype(int)
    found = np.zeros(images.shape)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = np.abs(1 - row - (from_down - top)) * np.abs(1 - column - (from_right - left))
        y, x = top + row, left + column
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        found += np.where(inside, weight, 0.0) * images[..., np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    kind = images.dtype
    return found.astype(kind) if kind.kind == "f" else np.rint(found).astype(kind)
