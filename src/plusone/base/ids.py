"""Ids that sort by the time they were made, and digests."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from .errors import UsageError

__all__ = ["canonical_json", "check_model_name", "digest_bytes", "digest_file", "digest_json", "new_id", "parse_target"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?\Z")
_MOST_DIGITS = 18  # what the store's integers hold
_encoder = msgspec.json.Encoder(order="deterministic")


_turn = threading.Lock()
_newest = [0]


def new_id() -> str:
    """Return a new id: 26 characters, 48 bits of milliseconds and 80 random bits; sorts by time of making.

    Those of one process sort in the order in which they were made, even within a millisecond or when the clock is set
    back: what is newest is found by id.
    """
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    with _turn:
        if value <= _newest[0]:
            value = _newest[0] + 1 + int.from_bytes(os.urandom(4), "big")
        _newest[0] = value
    out: list[str] = []
    for _ in range(26):
        out.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(out))


def digest_bytes(data: bytes | memoryview) -> str:
    """Return the sha256 of `data` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file's content, read in constant memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """Return JSON whose bytes depend on the value alone: keys sorted, no white space."""
    return _encoder.encode(value)


def digest_json(value: Any) -> str:
    """Return the sha256 of the canonical JSON of `value`."""
    return digest_bytes(canonical_json(value))


def check_model_name(name: str) -> str:
    """Return `name` if it can name a model in a table, a path and an address.

    Raises:
        UsageError: when it has anything but lower-case letters, digits, '-', '_' and '.', or over 63 characters.
    """
    if not _NAME.match(name) or ".." in name:
        raise UsageError(
            f"{name[:100]!r} can't name a model: expected 1 to 63 of a-z, 0-9, '-', '_' and '.', "
            "beginning and ending with a letter or a digit.",
            mend='for example @plusone.model("flight-delays")',
        )
    return name


def parse_target(text: str) -> tuple[str | None, str]:
    """Split `MODEL@WHICH` into the model (None when left out) and `live`, `previous` or a number as text.

    Accepts `flights@4`, `flights@live`, `@4`, `4`, `flights` (the live one).

    Raises:
        UsageError: when WHICH is neither a positive number nor `live` nor `previous`.
    """
    model, at, which = text.partition("@")
    if not at:
        model, which = ("", text) if text.isdigit() else (text, "live")
    is_number = which.isascii() and which.isdigit() and len(which) <= _MOST_DIGITS and int(which) > 0
    if which not in ("live", "previous") and not is_number:
        raise UsageError(
            f"{text[:100]!r} names no release: after '@' expected a number, 'live' or 'previous'.",
            mend="for example flight-delays@4 or @previous",
        )
    return (check_model_name(model) if model else None), which
