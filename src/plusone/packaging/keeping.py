"""Moves a packaged model between a folder and the blobs of a store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from ..base.errors import BrokenArtifact
from ..base.files import inside, sync_folder
from ..base.ids import digest_file
from ..base.records import Package
from ..store.blobs import Blobs
from .artifact import unlisted_in

__all__ = ["describe", "give", "keep", "renew"]

_MANIFEST = "manifest.json"


def keep(folder: Path, blobs: Blobs) -> str:
    """Store every file of the package in `folder` and return the package's digest (its manifest's)."""
    package = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Package)
    for file in package.files:
        found = blobs.put_file(inside(folder, file.path))
        if found != file.digest:
            raise BrokenArtifact(f"{file.path} in {folder} was changed: expected sha256 {file.digest}, found {found}.")
    # The manifest goes last: a package whose manifest is stored is whole.
    return blobs.put_file(folder / _MANIFEST)


def describe(digest: str, blobs: Blobs) -> Package:
    """Return what the package's manifest says.

    Raises:
        BrokenArtifact: when the manifest is missing or was changed.
    """
    return msgspec.json.decode(blobs.get(digest), type=Package)


def renew(digest: str, blobs: Blobs) -> bool:
    """Say whether the package is stored whole, and make its blobs young: `plusone gc` lets them be for a while."""
    return blobs.renew(digest) and all(blobs.renew(file.digest) for file in describe(digest, blobs).files)


def give(digest: str, blobs: Blobs, folder: Path) -> Path:
    """Lay the package out as `folder/<digest>` and return that path; one that is there already is checked, and laid
    out anew if any file of it is missing or was changed, or one was added. One that is there whole needs no blobs.

    Raises:
        BrokenArtifact: when a blob is missing or was changed.
    """
    target = folder / digest
    if _is(target / _MANIFEST, digest):
        there = msgspec.json.decode((target / _MANIFEST).read_bytes(), type=Package)
        if all(_is(inside(target, file.path), file.digest) for file in there.files) and not unlisted_in(target, there):
            return target
    package = describe(digest, blobs)
    files = [(_MANIFEST, digest), *((file.path, file.digest) for file in package.files)]
    if target.is_dir():
        shutil.rmtree(target)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".tmp-{digest}-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        for path, blob in files:
            place = inside(scratch, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(blobs.verify(blob), place)
        try:
            os.rename(scratch, target)
        except OSError:
            # Another process was first; what it laid out is the same.
            if not target.is_dir():
                raise
        sync_folder(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and digest_file(path) == digest


def _link(source: Path, place: Path) -> None:
    try:
        place.hardlink_to(source)
    except OSError:
        # Another file system, or one without hard links.
        shutil.copyfile(source, place)
