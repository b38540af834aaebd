"""What a release's package is made of, and whether it works in the environment of its lock alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.records import PackageFile, Record, Signature
from ..execution import venvs
from ..packaging import keeping
from ..packaging.artifact import MANIFEST
from ..release.lifecycle import find_release
from ..replaying.verify import Verified, verify
from ..store import Store
from ..trust.records import trusted_digests

__all__ = ["PackageDetail", "PackageVerified", "describe_package", "verify_package"]


class PackageDetail(Record, frozen=True):
    """A release's package: its files, how it is run, what it needs, what it takes and answers, and its proof."""

    model: str
    release: int
    digest: str
    format: str
    trained: str
    options: dict[str, Any]
    files: tuple[PackageFile, ...]
    """The manifest first, whose digest is the package's."""
    size_bytes: int
    lock: tuple[str, ...]
    """The lines of its lock, `name==version`."""
    lock_head: tuple[str, ...]
    """The comments of its lock: the Python and the platform that it was made on, and what was imported."""
    signature: Signature
    proof: dict[str, Any]


class PackageVerified(Record, frozen=True):
    """What came of a release's package in a clean environment."""

    model: str
    release: int
    ok: bool
    found: Verified


def describe_package(store: Store, target: str) -> PackageDetail:
    """Return what the package of a release is made of.

    Raises:
        BrokenArtifact: when its manifest or its lock is missing or was changed.
    """
    release = find_release(store.db, target)
    package = keeping.describe(release.package, store.blobs)
    manifest = store.blobs.get(release.package)
    files = (PackageFile(path=MANIFEST, digest=release.package, size_bytes=len(manifest)), *package.files)
    text = store.blobs.get(package.environment).decode() if package.environment else ""
    head = tuple(line for line in text.splitlines() if line.startswith("#"))
    return PackageDetail(
        model=release.model,
        release=release.number,
        digest=release.package,
        format=package.format,
        trained=package.trained,
        options={name: package.options[name] for name in ("precision", "output") if name in package.options},
        files=files,
        size_bytes=sum(file.size_bytes for file in files),
        lock=tuple(f"{name}=={version}" for name, version in venvs.lines_of(text).items()),
        lock_head=head,
        signature=package.signature,
        proof=package.proof,
    )


def verify_package(
    store: Store, target: str, *, each_line: bool = False, log: Callable[[str], None] | None = None
) -> PackageVerified:
    """Return what came of the package of a release in a clean environment; see `verify`."""
    release = find_release(store.db, target)
    with tempfile.TemporaryDirectory(prefix="plusone-verify-") as scratch:
        folder = keeping.give(release.package, store.blobs, Path(scratch))
        trusted = trusted_digests(store.db)
        found = verify(folder, release.package, each_line=each_line, log=log, trusted=trusted)
    return PackageVerified(model=release.model, release=release.number, ok=not found.problems, found=found)
