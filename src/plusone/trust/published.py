"""The digests of the packages that are trusted, in a file of the serving folder: workers know no store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from ..base.files import write_atomic

__all__ = ["FILE", "read_trusted", "write_trusted"]

FILE = "trusted.json"
_MOST_BYTES = 16 * 1024 * 1024


class _Trusted(msgspec.Struct, frozen=True):
    digests: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(_Trusted)


def write_trusted(folder: Path, digests: Collection[str]) -> None:
    """Say which packages are trusted, whole or not at all. Raises OSError."""
    path = folder / FILE
    data = msgspec.json.encode(_Trusted(tuple(sorted(digests))))
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


def read_trusted(folder: Path) -> frozenset[str]:
    """Return the digests of the packages that are trusted; none where the file is missing or damaged."""
    try:
        with (folder / FILE).open("rb") as stream:
            return frozenset(_decoder.decode(stream.read(_MOST_BYTES)).digests)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()
