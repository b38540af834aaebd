"""Keys that sign: made, read and used, by `cryptography`, which is loaded when it is needed and not before.

A private key is never part of a message, a record or a log: what leaves this module are public keys and signatures.
"""

from __future__ import annotations

import base64
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from ..base.errors import Conflict, UsageError
from ..base.files import sync_folder
from ..base.keys import public_bytes, public_text, signature_bytes

__all__ = ["PrivateKey", "make_key", "read_key", "verifies"]

_MOST_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class PrivateKey:
    """A key that can sign.

    Attributes:
        public: the public key that belongs to it, as text.
    """

    __slots__ = ("_key", "public")

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public = public_text(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"<the private key of {self.public}>"

    def sign(self, message: bytes) -> str:
        """Return the signature of a message, as base64."""
        return base64.b64encode(self._key.sign(message)).decode()


def make_key(path: Path) -> PrivateKey:
    """Make a key and write it to `path`, which only this user may read (PKCS 8, PEM).

    Raises:
        Conflict: when there is a file already: a key is never written over.
        UsageError: when it can't be written.
    """
    _ed25519()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".tmp-", dir=path.parent) as stream:  # mode 0600
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.link(stream.name, path)  # unlike a rename it takes no other file's place
        sync_folder(path.parent)
    except OSError as error:
        if os.path.lexists(path):
            raise Conflict(f"{path} is there already: a key is never written over.", mend="name another") from None
        raise UsageError(f"{path} can't be written: {error.strerror}.") from error
    return PrivateKey(key)


def read_key(path: Path) -> PrivateKey:
    """Return the private key in a file, as `make_key` or `openssl genpkey -algorithm ed25519` wrote it.

    Raises:
        UsageError: when it can't be read, others may read it, or it is no such key; it never says what is in it.
    """
    _ed25519()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_MOST_BYTES)
    except OSError as error:
        raise UsageError(
            f"The key {path} can't be read: {error.strerror}.", mend=f"plusone keys new {path}  (makes one)"
        ) from error
    if mode & _OTHERS:
        raise UsageError(f"The key {path} can be read or written by others than its owner.", mend=f"chmod 600 {path}")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise UsageError(
            f"The key {path} is encrypted: expected one without a password.", mend="openssl pkey -in FILE -out FILE2"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"{path} holds no private key of ed25519 (PEM, PKCS 8).", mend="plusone keys new FILE  (makes one)"
        )
    return PrivateKey(key)


def verifies(public: str, signature: str, message: bytes) -> bool:
    """Say whether a signature of a message was made with the private key of this public one.

    Raises:
        UsageError: when the key or the signature is no such thing, or `cryptography` is not installed.
    """
    key, given = public_bytes(public), signature_bytes(signature)
    ed25519 = _ed25519()
    from cryptography.exceptions import InvalidSignature

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(given, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise UsageError(
            "Signatures need the package cryptography, which is not installed.", mend="pip install 'plusone[sign]'"
        ) from error
    return ed25519
