"""Numbers, sizes and moments as people read them."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["duration", "moment", "number", "share", "size", "value"]

_LONG = 200


def number(found: float) -> str:
    """Return a number with the digits that mean something: `0.7012`, `12,345`, `1.2e-07`.

    Example: `number(0.70123)` is '0.7012', `number(28104.0)` is '28,104'.
    """
    if not math.isfinite(found):
        return "NaN" if math.isnan(found) else "\u221e" if found > 0 else "-\u221e"
    if found == 0:
        return "0"
    if float(found).is_integer() and abs(found) < 1e15:
        return f"{int(found):,}"
    if abs(found) < 1e-3 or abs(found) >= 1e7:
        return f"{found:.3g}"
    return f"{found:,.4g}" if abs(found) < 1e4 else f"{found:,.1f}"


def value(found: Any) -> str:
    """Return a measured value, whatever it is, in few words."""
    if found is None:
        return "-"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int) and abs(found) >= 10**15:
        return f"about 2^{found.bit_length() - 1}" if abs(found) >= 10**300 else f"{float(found):.3g}"
    if isinstance(found, int | float):
        return number(found)
    if isinstance(found, dict):
        found = ", ".join(f"{key} {value(part)}" for key, part in list(found.items())[:20])
    elif isinstance(found, list | tuple):
        more = f", and {len(found) - 20} more" if len(found) > 20 else ""
        found = ", ".join(value(part) for part in found[:20]) + more or "none"
    found = str(found)
    return found if len(found) <= _LONG else f"{found[: _LONG - 1]}\u2026"


def share(found: float) -> str:
    """Return a share of 0 to 1 as per cent: `5 %`."""
    return f"{100 * found:.3g} %"


def duration(seconds: float) -> str:
    """Return a time span: `34 ms`, `1.25 s`, `2 min 5 s`, `3 h 0 min`."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if not seconds < 1e9:
        return number(seconds) + " s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def size(count: float) -> str:
    """Return a size in bytes in the unit that fits: `17 bytes`, `4.2 KiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def moment(at: str) -> str:
    """Return a moment as it is recorded, to the second: `2026-11-27 10:00:05 UTC`."""
    return f"{at[:19].replace('T', ' ')} UTC" if at else "-"
