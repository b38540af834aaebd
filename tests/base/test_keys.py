"""Public keys as text are tested beside the private ones: `tests/trust/test_keys.py` has the properties."""

from __future__ import annotations

import pytest

from plusone.base.errors import UsageError
from plusone.base.keys import public_bytes, public_text, signature_bytes


def test_a_key_is_its_32_bytes_in_base64():
    text = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert public_text(bytes(range(32))) == text
    assert public_bytes(text) == bytes(range(32))


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "AAEC", "ed25519:AAEC", "rsa:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
)
def test_other_texts_are_refused(text: str):
    with pytest.raises(UsageError, match="no public key"):
        public_bytes(text)


def test_a_signature_has_64_bytes():
    assert signature_bytes("A" * 86 + "==") == bytes(64)
    with pytest.raises(UsageError, match="no signature"):
        signature_bytes("AAAA")
