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

from ..base.errors import BrokenArtifact, NotFound
from ..base.files import sync_folder
from ..base.ids import digest_bytes, digest_file

__all__ = ["Blobs"]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PIECE_BYTES = 1 << 20


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

    def get(self, digest: str) -> bytes:
        """Return the blob's bytes, checked against the digest.

        Raises:
            BrokenArtifact: when it is missing or its bytes are others.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise BrokenArtifact(f"The blob {digest} is missing: expected the file {path}.") from None
        found = digest_bytes(data)
        if found != digest:
            raise BrokenArtifact(f"The blob {path} was changed: expected sha256 {digest}, found {found}.")
        return data

    def verify(self, digest: str) -> Path:
        """Return the blob's path after its content was checked, in constant memory.

        Raises:
            BrokenArtifact: when it is missing or its bytes are others.
        """
        path = self.path(digest)
        if not path.is_file():
            raise BrokenArtifact(f"The blob {digest} is missing: expected the file {path}.")
        found = digest_file(path)
        if found != digest:
            raise BrokenArtifact(f"The blob {path} was changed: expected sha256 {digest}, found {found}.")
        return path

    def put_bytes(self, data: bytes | memoryview) -> str:
        """Store `data` and return its digest."""
        digest = digest_bytes(data)
        path = self.path(digest)
        if not _whole(path, len(data)):
            with self._temporary() as (stream, name):
                stream.write(data)
                self._keep(stream, name, path)
        return digest

    def put_file(self, source: Path) -> str:
        """Store a copy of a file, read once in constant memory, and return its digest."""
        digest = hashlib.sha256()
        with source.open("rb") as reader, self._temporary() as (stream, name):
            while piece := reader.read(_PIECE_BYTES):
                digest.update(piece)
                stream.write(piece)
            path = self.path(digest.hexdigest())
            if not _whole(path, stream.tell()):
                self._keep(stream, name, path)
        return digest.hexdigest()

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[BinaryIO, str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=self.folder)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream, name
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


def _whole(path: Path, size: int) -> bool:
    # A blob of another size is left from a damaged disk or a hand: it is written anew.
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
