"""Bytes by digest, on disk: written whole or not at all, checked when read, stored once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..base.errors import BrokenArtifact, NotFound, StoreError
from ..base.files import sync_folder
from ..base.ids import digest_bytes, digest_file
from .sweeping import renew

__all__ = ["Blobs"]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PIECE_BYTES = 1 << 20
_MEND = "plusone release --force STEP makes a step's data anew; anything else comes from a backup"


class Blobs:
    """The blobs below one folder, at `<2 hex>/<62 hex>`, read-only files.

    Safe for many processes at once: two that write the same blob write the same bytes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return where the blob lies (whether or not it is there).

        Raises:
            NotFound: when `digest` is not a sha256 in hex.
        """
        if not _DIGEST.match(digest):
            raise NotFound(f"{digest!r} is no digest: expected 64 hex digits.")
        return self.folder / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Say whether the blob is there."""
        return self.path(digest).is_file()

    def renew(self, digest: str) -> bool:
        """Say whether the blob is there, and make it young: `plusone gc` lets it be for a while.

        To be asked before bytes that are there already are referred to anew.
        """
        return renew(self.path(digest))

    def get(self, digest: str) -> bytes:
        """Return the blob's bytes, checked against the digest.

        Raises:
            BrokenArtifact: when it is missing or its bytes are others.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise _missing(digest, path) from None
        if (found := digest_bytes(data)) != digest:
            raise _changed(digest, path, found)
        return data

    def verify(self, digest: str) -> Path:
        """Return the blob's path after its content was checked, in constant memory.

        Raises:
            BrokenArtifact: when it is missing or its bytes are others.
        """
        path = self.path(digest)
        if not path.is_file():
            raise _missing(digest, path)
        if (found := digest_file(path)) != digest:
            raise _changed(digest, path, found)
        return path

    def put_bytes(self, data: bytes | memoryview) -> str:
        """Store `data` and return its digest.

        Raises:
            StoreError: when it can't be written, for one because the disk is full; no part of it is left then.
        """
        digest = digest_bytes(data)
        path = self.path(digest)
        if not _whole(path, digest):
            with self._temporary() as (stream, name):
                stream.write(data)
                self._keep(stream, name, path)
        return digest

    def put_file(self, source: Path) -> str:
        """Store a copy of a file, read once in constant memory, and return its digest.

        Raises:
            OSError: when the source can't be read.
            StoreError: when the blob can't be written; no part of it is left then.
        """
        digest = hashlib.sha256()
        with source.open("rb") as reader, self._temporary() as (stream, name):
            while piece := reader.read(_PIECE_BYTES):
                digest.update(piece)
                stream.write(piece)
            path = self.path(digest.hexdigest())
            if not _whole(path, digest.hexdigest()):
                self._keep(stream, name, path)
        return digest.hexdigest()

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[BinaryIO, str]]:
        name = ""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=self.folder)
            with os.fdopen(descriptor, "wb") as stream:
                yield stream, name
        except OSError as error:
            raise StoreError(f"A blob can't be written into {self.folder}: {error}.") from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def _keep(self, stream: BinaryIO, name: str, path: Path) -> None:
        stream.flush()
        os.fchmod(stream.fileno(), 0o444)
        os.fsync(stream.fileno())
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            sync_folder(self.folder)
        os.replace(name, path)
        sync_folder(path.parent)


def _whole(path: Path, digest: str) -> bool:
    # Renewed first: what is there then stays while it is read. Other bytes are left from a damaged disk or a hand: the
    # blob is written anew.
    return renew(path) and digest_file(path) == digest


def _missing(digest: str, path: Path) -> BrokenArtifact:
    return BrokenArtifact(f"The blob {digest} is missing: expected the file {path}.", mend=_MEND)


def _changed(digest: str, path: Path, found: str) -> BrokenArtifact:
    return BrokenArtifact(f"The blob {path} was changed: expected sha256 {digest}, found {found}.", mend=_MEND)
