"""How a point and the name of its series lie in a journal, and what can be logged. Who logs needs no numpy."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from operator import index
from typing import Any

from ..base.errors import UsageError

__all__ = ["MOST_STEP", "POINT", "POINT_BYTES", "SERIES", "SERIES_MARK", "check_key", "refusal"]

MOST_STEP = 2**63 - 1
_MOST_KEY_BYTES = 4096

POINT = struct.Struct("<Iqdd")
"""The number of the series, the step, the value, and the unix time in seconds."""
POINT_BYTES = POINT.size
SERIES = struct.Struct("<II")
"""The name of a series begins so: the mark, and its number; then the name, in UTF-8."""
SERIES_MARK = 0xFFFFFFFF


def check_key(key: Any) -> str:
    """Return `key` if it can name a metric.

    Raises:
        UsageError: when it is no valid Unicode text, has over 4,096 bytes, or a zero byte, which PostgreSQL refuses.
    """
    if not isinstance(key, str):
        raise UsageError(f"plusone.log: {key!r} can't name a metric: expected text, got {type(key).__name__}.")
    try:
        data = key.encode()
    except UnicodeEncodeError:
        raise UsageError(f"plusone.log: {key!r} can't name a metric: it is no valid Unicode text.") from None
    if b"\0" in data or len(data) > _MOST_KEY_BYTES:
        raise UsageError(
            f"plusone.log: {key[:100]!r} can't name a metric: expected at most {_MOST_KEY_BYTES} bytes, none of them 0."
        )
    return key


def refusal(metrics: Mapping[str, Any], step: Any, at: Any, error: Exception) -> Exception:
    """Return what to say of a call that could not be logged: which of its arguments is wrong, and how."""
    if step is not None:
        try:
            number = index(step)
        except TypeError:
            return UsageError(f"plusone.log(step={step!r}): expected an integer, got {type(step).__name__}.")
        if not -MOST_STEP - 1 <= number <= MOST_STEP:
            return UsageError(f"plusone.log(step={number}): expected an integer of 64 bits.")
    if not isinstance(at, (int, float)):
        return UsageError(f"plusone.log: the time {at!r} is wrong: expected unix time in seconds.")
    for key, value in metrics.items():
        try:
            is_number = not isinstance(value, (str, bytes, bytearray)) and isinstance(float(value), float)
        except OverflowError:
            return UsageError(f"plusone.log({key}=...): the integer is too large for a number of 64 bits.")
        except Exception:
            is_number = False
        if not is_number:
            return UsageError(f"plusone.log({key}={value!r}): expected a number, got {type(value).__name__}.")
    return error
