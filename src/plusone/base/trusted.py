"""Records of trust: who vouches for a release with a key, and which packages a person trusts."""

from __future__ import annotations

from .records import Record

__all__ = ["AskedType", "ReleaseSignature", "Trust"]


class ReleaseSignature(Record, frozen=True, kw_only=True):
    """That somebody who has a key vouches for a release: for its number and, by its digest, for all of its bytes."""

    model: str
    release: int
    digest: str
    """That of the release."""
    key: str
    """The public key, `ed25519:` and base64."""
    signature: str
    """In base64."""
    by: str
    at: str


class AskedType(Record, frozen=True, kw_only=True):
    """A type that a packaged model names and that is not known to be safe, as far as its name says what it is."""

    name: str
    module: str
    own_name: str
    source: str
    """Whose it is: the standard library's, numpy's, scikit-learn's ..."""
    powerful: bool = False
    """Whether its module can run programs, code, or reach files and the network."""


class Trust(Record, frozen=True, kw_only=True):
    """That a person trusts the package of a release, or no longer does."""

    id: str
    digest: str
    """That of the package: one of the same bytes is trusted with it, and no other."""
    model: str
    release: int
    types: tuple[str, ...]
    """What it asked for."""
    by: str
    reason: str
    at: str
    withdrawn: bool = False
