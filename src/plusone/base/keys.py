"""Public keys as text: `ed25519:` and 32 bytes in base64."""

from __future__ import annotations

import base64
import binascii

from .errors import UsageError

__all__ = ["public_bytes", "public_text", "signature_bytes"]

_PREFIX = "ed25519:"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64


def public_text(key: bytes) -> str:
    """Return a public key as text."""
    return _PREFIX + base64.b64encode(key).decode()


def public_bytes(text: str) -> bytes:
    """Return the 32 bytes of a public key.

    Raises:
        UsageError: when the text is none.
    """
    key = _decoded(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else b""
    # One key has one text: it is compared as text.
    if len(key) != _KEY_BYTES or public_text(key) != text:
        raise UsageError(
            f"{text[:100]!r} is no public key: expected 'ed25519:' and 44 characters of base64.",
            mend="plusone keys show FILE prints that of a key",
        )
    return key


def signature_bytes(text: str) -> bytes:
    """Return the 64 bytes of a signature.

    Raises:
        UsageError: when the text is none.
    """
    found = _decoded(text)
    if len(found) != _SIGNATURE_BYTES:
        raise UsageError(f"{text[:100]!r} is no signature: expected 88 characters of base64.")
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
