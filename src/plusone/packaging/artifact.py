"""A packaged model as a folder, read back with every digest verified.

A package is `manifest.json` (the record `Package`, canonical), `model.onnx`, `environment.txt` (the lock of what the
model needs to load and answer) and `examples.json`. The package's digest is the sha256 of the manifest, and the
manifest holds the digests of the others, so one digest stands for all bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..base import files
from ..base.errors import BrokenArtifact, UsageError
from ..base.ids import digest_bytes, digest_file
from ..base.records import Package, PackageFile

__all__ = ["ENVIRONMENT", "MANIFEST", "MODEL", "known_values", "read", "unlisted_in"]

MANIFEST = "manifest.json"
MODEL = "model.onnx"
ENVIRONMENT = "environment.txt"
_decoder = msgspec.json.Decoder(Package)


def read(folder: Path, digest: str | None = None) -> Package:
    """Return the package in `folder`, after verifying the digests of its manifest and of every file, and that there
    is no other file.

    Args:
        digest: what the manifest's sha256 must be; None takes any.

    Raises:
        BrokenArtifact: naming the file, its expected and its actual digest.
    """
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenArtifact(f"{path} can't be read: {error}.", file=MANIFEST, mend=_AGAIN) from error
    actual = digest_bytes(data)
    if digest is not None and actual != digest:
        raise _broken(folder, MANIFEST, digest, actual)
    try:
        package = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenArtifact(f"{path} is not a package's manifest: {error}.", file=MANIFEST, mend=_AGAIN) from error
    for file in package.files:
        _verify(folder, file)
    if unlisted := unlisted_in(folder, package):
        raise BrokenArtifact(
            f"{folder / unlisted[0]} is not in the package's manifest: it was added later, and no digest covers it.",
            file=unlisted[0],
            mend=_AGAIN,
        )
    return package


def unlisted_in(folder: Path, package: Package) -> list[str]:
    """Return the files in a package's folder that its manifest does not name, sorted."""
    return files.unlisted(folder, (MANIFEST, *(file.path for file in package.files)))


def known_values(package: Package) -> dict[str, frozenset[Any]]:
    """Return, by field, the only values that it may hold, where the model answers to no others."""
    found: dict[str, frozenset[Any]] = {}
    for field in package.signature.fields:
        if field.unseen == "refuse" and field.categories is not None:
            found[field.name] = frozenset(field.categories)
    for name, values in package.options.get("known_values", {}).items():
        found[name] = frozenset(values)
    return found


_AGAIN = "package the release again, or restore the file from a backup"


def _verify(folder: Path, file: PackageFile) -> None:
    try:
        path = files.inside(folder, file.path)
    except UsageError as error:
        raise BrokenArtifact(
            f"The manifest in {folder} names {file.path!r}, which leads out of it.", file=file.path
        ) from error
    try:
        actual = digest_file(path)
    except OSError as error:
        raise BrokenArtifact(
            f"{path} can't be read: {error}.", file=file.path, expected=file.digest, actual=None, mend=_AGAIN
        ) from error
    if actual != file.digest:
        raise _broken(folder, file.path, file.digest, actual)


def _broken(folder: Path, name: str, expected: str, actual: str) -> BrokenArtifact:
    return BrokenArtifact(
        f"{folder / name} was changed: expected sha256 {expected}, found {actual}.",
        file=name,
        expected=expected,
        actual=actual,
        mend=_AGAIN,
    )
