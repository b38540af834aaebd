"""What is signed of a release, and how whoever serves it finds out without a store.

A signature is over the model, the number and the digest of the release's manifest. The manifest holds the digest of the
package, the package's manifest the digests of its files: so it is over all bytes. Beside the packages of a serving
folder lies, for each release that is signed, a file with its manifest and its signatures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from ..base.errors import BrokenArtifact, PlusoneError, UsageError
from ..base.files import write_atomic
from ..base.ids import digest_bytes
from ..base.trusted import ReleaseSignature
from .keys import PrivateKey, verifies

__all__ = ["FOLDER", "Signed", "SignedBy", "sign", "statement", "write_signed"]

FOLDER = "signatures"
"""Where they lie in the serving folder, each as `<digest of the release>.json`."""
_CONTEXT = "plusone release signature, version 1"
_MOST_BYTES = 4 * 1024 * 1024


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """The file that lies beside the packages: `<digest>.json`."""

    manifest: str
    """The release's manifest, byte for byte: its sha256 is the release's digest."""
    signatures: tuple[ReleaseSignature, ...]


class _Manifest(msgspec.Struct, frozen=True):
    """As much of a release's manifest as binds it to its package."""

    model: str
    package: str


_decoder = msgspec.json.Decoder(Signed)
_manifests = msgspec.json.Decoder(_Manifest)


def statement(model: str, release: int, digest: str) -> bytes:
    """Return the bytes that are signed for a release.

    Example: `plusone release signature, version 1`, `flights@4` and the 64 hex digits of its digest, a line each.
    """
    return f"{_CONTEXT}\n{model}@{release}\n{digest}\n".encode()


def sign(key: PrivateKey, model: str, release: int, digest: str) -> str:
    """Return the signature of a release."""
    return key.sign(statement(model, release, digest))


def write_signed(folder: Path, digest: str, manifest: bytes, signatures: Iterable[ReleaseSignature]) -> None:
    """Lay the manifest and the signatures of a release into a serving folder, whole or not at all. Raises OSError."""
    path = folder / FOLDER / f"{digest}.json"
    data = msgspec.json.encode(Signed(manifest=manifest.decode(), signatures=tuple(signatures)))
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


class SignedBy:
    """Says which releases of a serving folder were signed by one of some keys.

    Args:
        keys: the public keys, as text; empty: every release may be served.
    """

    def __init__(self, folder: Path, keys: Collection[str]) -> None:
        self.folder = folder
        self.keys = tuple(keys)
        self._known: dict[tuple[str, int, str, str], str] = {}

    def forget_refusals(self) -> None:
        """Look again, when asked next, at what was refused."""
        self._known = {release: why for release, why in self._known.items() if not why}

    def refusal(self, model: str, release: int, digest: str, package: str) -> str:
        """Return why a release must not be served; empty when it may be.

        Args:
            digest: of the release, as the route says; likewise `package`, which whoever loads it verifies.
        """
        if not self.keys:
            return ""
        asked = (model, release, digest, package)
        if asked not in self._known:
            try:
                self._check(*asked)
                self._known[asked] = ""
            except PlusoneError as error:
                self._known[asked] = f"{error.message} To mend it: {error.mend}" if error.mend else error.message
        return self._known[asked]

    def _check(self, model: str, release: int, digest: str, package: str) -> None:
        name = f"{model}@{release}"
        found = self._read(name, digest)
        if digest_bytes(found.manifest.encode()) != digest:
            raise BrokenArtifact(f"The manifest of {name} beside its signatures is not the one with its digest.")
        try:
            manifest = _manifests.decode(found.manifest.encode())
        except msgspec.MsgspecError as error:
            raise BrokenArtifact(f"The manifest of {name} can't be read: {error}.") from error
        if (manifest.model, manifest.package) != (model, package):
            raise BrokenArtifact(
                f"The manifest of {name} is of the model {manifest.model[:100]!r} and the package "
                f"{manifest.package[:64]}: the route says {model!r} and {package}."
            )
        ours = [one for one in found.signatures if one.key in self.keys]
        if not ours:
            raise self._unsigned(name, [one.key for one in found.signatures])
        message = statement(model, release, digest)
        if not any(_is_valid(one, message) for one in ours):
            raise BrokenArtifact(
                f"The signature of {name} by {ours[0].key} is not one of this release.",
                mend=f"plusone sign {name} --key FILE, then promote it again",
            )

    def _read(self, name: str, digest: str) -> Signed:
        path = self.folder / FOLDER / f"{digest}.json"
        try:
            with path.open("rb") as stream:
                data = stream.read(_MOST_BYTES)
            return _decoder.decode(data)
        except FileNotFoundError:
            raise self._unsigned(name, []) from None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BrokenArtifact(f"The signatures of {name} can't be read: {error}.") from error

    def _unsigned(self, name: str, others: list[str]) -> BrokenArtifact:
        what = f"signed by {', '.join(others[:4])}" if others else "not signed"
        return BrokenArtifact(
            f"{name} is {what}: this server takes only releases that are signed by {' or '.join(self.keys)} "
            "([tool.plusone.serve] signed_by).",
            mend=f"plusone sign {name} --key FILE, then promote it again",
        )


def _is_valid(one: ReleaseSignature, message: bytes) -> bool:
    try:
        return verifies(one.key, one.signature, message)
    except UsageError as error:
        if "not installed" in error.message:
            raise
        return False
