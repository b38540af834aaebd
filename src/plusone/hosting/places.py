"""Where a key falls: a number between 0 and 1, the same in every worker on every machine while the salt is the same."""

from __future__ import annotations

import zlib

__all__ = ["place", "salt_of"]

_MASK = 0xFFFFFFFF
_SCALE = 2.0**-32


def salt_of(model: str, candidate: int) -> int:
    """Return what makes the places of one candidate's rollout others than those of the next: else the same keys would
    always come first.
    """
    return zlib.crc32(f"{model}@{candidate}:".encode())


def place(key: str, salt: int) -> float:
    """Return the place of a key, from 0 up to but not 1: a CRC-32 that goes on from the salt, and is then mixed.

    The checksum alone would do for the shares, and not beside each other: of keys of one length, those of two salts
    differ by a constant (exclusive or), so that a canary of 5 % would be the same keys as that of another model, or
    none of them; and what is logged of predictions is chosen by the checksum, too (`predictions.layout.sampled`). The
    mixing is the finalizer of MurmurHash3 (Austin Appleby, 2011, public domain; fmix32), a bijection of 32 bits.

    Example: `place("", 0)` is 0.0; the checksum of `a` after the salt 0 is 0xE8B7BE43, which is mixed to 0xC5ED31B7,
    0.7732 of 2^32.
    """
    mixed = zlib.crc32(key.encode("utf-8", "surrogatepass"), salt)
    mixed = ((mixed ^ (mixed >> 16)) * 0x85EBCA6B) & _MASK
    mixed = ((mixed ^ (mixed >> 13)) * 0xC2B2AE35) & _MASK
    return (mixed ^ (mixed >> 16)) * _SCALE
