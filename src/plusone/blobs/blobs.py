"""Bytes by digest: written whole or not at all, checked when read, stored once.

They lie in a folder, or in a bucket with a folder as its cache. Whoever uses them need not know which.
"""

from __future__ import annotations

import builtins
import contextlib
import datetime as dt
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from ..base.errors import BrokenArtifact, NotFound, StoreError
from ..base.files import sync_folder
from ..base.ids import digest_bytes, digest_file
from .buckets import Bucket
from .known import WORTH_BYTES, Known
from .streams import Checked, Counted, copy_digesting
from .sweeping import renew, turn_to_remove

__all__ = ["BlobStat", "Blobs"]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_FOLDER = re.compile(r"[0-9a-f]{2}\Z")
_NAME = re.compile(r"[0-9a-f]{62}\Z")
_PIECE_BYTES = 1 << 20
_MEND = "plusone release --force STEP makes a step's data anew; a model comes from a backup, or from the next release"
# A blob put this long ago needs no note that it was put again: nobody collects what is so new.
_NEW = dt.timedelta(minutes=1)


class BlobStat(NamedTuple):
    """What is known of a blob without reading it. `modified_at`: when it was last put, as `clock.now` writes times."""

    digest: str
    size_bytes: int
    modified_at: str


class Blobs:
    """The blobs below one folder, at `<2 hex>/<62 hex>`, read-only files; or those of a bucket.

    Safe for many processes at once: two that write the same blob write the same bytes.

    Args:
        folder: where they lie. With a bucket it is a cache: whatever is missing there is fetched.
        bucket: where they lie instead.

    Attributes:
        address: the bucket's, `s3://...`; empty when there is none.
    """

    def __init__(self, folder: Path, bucket: Bucket | None = None) -> None:
        self.folder = folder
        self.address = bucket.address if bucket else ""
        self._bucket = bucket
        self._known = Known(folder / "known")
        self._new = _NEW

    # ------------------------------------------------------------------------------------------------ looking

    def path(self, digest: str) -> Path:
        """Return where the blob lies, or its copy in the cache (whether or not it is there).

        Raises:
            NotFound: when `digest` is not a sha256 in hex.
        """
        if not _DIGEST.match(digest):
            raise NotFound(f"{digest!r} is no digest: expected 64 hex digits.")
        return self.folder / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Say whether the blob is there."""
        path = self.path(digest)
        return self._bucket.stat(digest) is not None if self._bucket else path.is_file()

    def stat(self, digest: str) -> BlobStat | None:
        """Return the blob's size and when it was last put, None when it is not there."""
        path = self.path(digest)
        if self._bucket:
            remote = self._bucket.stat(digest)
            if remote is None:
                return None
            return BlobStat(digest, remote.size_bytes, _time(self._bucket.modified_at(digest, remote)))
        try:
            state = path.stat()
        except FileNotFoundError:
            return None
        return BlobStat(digest, state.st_size, _time(dt.datetime.fromtimestamp(state.st_mtime, dt.UTC)))

    def list(self) -> Iterator[BlobStat]:
        """Give every blob, in no order; one that is put or removed meanwhile may be among them or not."""
        if self._bucket:
            for digest, remote in self._bucket.list():
                yield BlobStat(digest, remote.size_bytes, _time(remote.modified_at))
            return
        try:
            folders = [entry.path for entry in os.scandir(self.folder) if _FOLDER.match(entry.name)]
        except FileNotFoundError:
            return
        for folder in sorted(folders):
            for entry in os.scandir(folder):
                if _NAME.match(entry.name) and (found := self.stat(folder[-2:] + entry.name)):
                    yield found

    # ------------------------------------------------------------------------------------------------ reading

    def get(self, digest: str) -> bytes:
        """Return the blob's bytes, checked against the digest.

        Raises:
            BrokenArtifact: when it is missing or its bytes are others.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return self._fetched(digest, "").read_bytes()
        found = digest_bytes(data)
        return data if found == digest else self._fetched(digest, found).read_bytes()

    def verify(self, digest: str) -> Path:
        """Return the path of a file with the blob's content, after it was checked, in constant memory.

        Raises:
            BrokenArtifact: when it is missing or its bytes are others.
        """
        path = self.path(digest)
        found = digest_file(path) if path.is_file() else ""
        return path if found == digest else self._fetched(digest, found)

    def open(self, digest: str, *, cached: bool = True) -> BinaryIO:
        """Return a stream of the blob's bytes. The last of them come only when all are what the digest says.

        Args:
            cached: whether a copy in the cache will do.

        Raises:
            BrokenArtifact: when it is missing; from `read`, when its bytes are others.
        """
        path = self.path(digest)
        try:
            if self._bucket and not cached:
                raise FileNotFoundError
            reader = path.open("rb")
        except FileNotFoundError:
            remote = self._bucket.read(digest) if self._bucket else None
            if remote is None:
                raise self._missing(digest) from None
            pieces, size, close = remote[1], remote[0].size_bytes, _nothing
        else:
            size, close = os.fstat(reader.fileno()).st_size, reader.close
            pieces = iter(lambda: reader.read(_PIECE_BYTES), b"")
        checked = Checked(pieces, size, digest, lambda found: self._changed(digest, found), close)
        return cast(BinaryIO, io.BufferedReader(checked))

    def _fetched(self, digest: str, found: str) -> Path:
        """Fetch a blob whose copy in the folder is missing or, with `found` as its digest, damaged."""
        if self._bucket is None:
            raise self._changed(digest, found) if found else self._missing(digest)
        path = self.path(digest)
        remote = self._bucket.read(digest)
        if remote is None:
            raise self._missing(digest)
        with self._temporary() as (stream, name):
            digested = hashlib.sha256()
            for piece in remote[1]:
                digested.update(piece)
                stream.write(piece)
            if digested.hexdigest() != digest:
                raise self._changed(digest, digested.hexdigest())
            self._keep(stream, name, path)
        self._known.keep_whole(digest, path.stat(), remote[0].tag)
        return path

    # ------------------------------------------------------------------------------------------------ writing

    def put_bytes(self, data: bytes | memoryview) -> str:
        """Store `data` and return its digest.

        Raises:
            StoreError: when it can't be written, for one because the disk is full; no part of it is left then.
        """
        digest = digest_bytes(data)
        path = self.path(digest)
        if not self._is_whole(digest, path):
            with self._temporary() as (stream, name):
                stream.write(data)
                self._keep(stream, name, path)
            self._note_whole(digest, path)
        self._upload(digest, path)
        return digest

    def put_file(self, source: Path, *, on_bytes: Callable[[int], object] | None = None) -> str:
        """Store a copy of a file, read once in constant memory, and return its digest.

        A big file that did not change since it was put is not read again.

        Args:
            on_bytes: told of each piece that was read, how many bytes it has.

        Raises:
            OSError: when the source can't be read.
            StoreError: when the blob can't be written; no part of it is left then.
        """
        with source.open("rb", buffering=0) as reader:
            before = os.fstat(reader.fileno())
            big = before.st_size >= WORTH_BYTES
            digest = self._known.digest_of(before) if big else None
            if digest is None or not self._is_whole(digest, self.path(digest), unread=True):
                counted = Counted(reader, on_bytes) if on_bytes else reader
                digest = self._copy(cast(BinaryIO, counted))
                if big:
                    self._known.keep_digest(before, os.fstat(reader.fileno()), digest)
        self._upload(digest, self.path(digest))
        return digest

    def renew(self, digest: str) -> bool:
        """Say whether the blob is there, and make it as new as if it was put now: `plusone gc` lets the new be.

        To be asked before bytes that are there already are referred to anew.
        """
        path = self.path(digest)
        if self._bucket:
            remote = self._bucket.stat(digest)
            if remote and dt.datetime.now(dt.UTC) - remote.modified_at > self._new:
                self._bucket.put_again(digest)
            return remote is not None
        try:
            return renew(path)
        except PermissionError:  # another user's file: one of our own takes its place
            return self.put_file(path) == digest

    def remove_old(self, digests: Iterable[str], *, before: str) -> builtins.list[BlobStat]:
        """Remove those blobs that were not put or renewed since `before` (as `clock.now` writes times); return them.

        In a folder nobody renews one meanwhile. A bucket has no such lock: there it is looked at just before.

        Raises:
            StoreError: when one can't be removed.
        """
        removed: builtins.list[BlobStat] = []
        try:
            with contextlib.nullcontext() if self._bucket else turn_to_remove(self.folder):
                for digest in digests:
                    found = self.stat(digest)
                    if found and found.modified_at < before:
                        self.remove(digest)
                        removed.append(found)
        except OSError as error:
            raise StoreError(f"Blobs can't be removed from {self.address or self.folder}: {error}.") from error
        return removed

    def remove(self, digest: str) -> int:
        """Remove a blob and return how many bytes that freed; 0 when it is not there.

        Whether anything still needs it is for the caller to know.
        """
        found = self.stat(digest)
        if self._bucket:
            self._bucket.remove(digest)
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).unlink()
        return found.size_bytes if found else 0

    def _copy(self, reader: BinaryIO) -> str:
        with self._temporary() as (stream, name):
            digest = copy_digesting(reader, stream, durable=self._bucket is None)
            path = self.path(digest)
            if not self._is_whole(digest, path):
                self._keep(stream, name, path)
                self._note_whole(digest, path)
        return digest

    def _is_whole(self, digest: str, path: Path, *, unread: bool = False) -> bool:
        """Say whether the file is there whole, and make it as new as if it was written now.

        Other bytes are left from a damaged disk or a hand: the blob is written anew.

        Args:
            unread: take it for whole only when it is known to be, without reading it.
        """
        try:
            state = path.stat()
            big = state.st_size >= WORTH_BYTES
            mark = self._known.mark_of(digest) if big or self._bucket else ""
            known = big and self._known.is_whole(digest, state, mark)
            if not known and (unread or digest_file(path) != digest):
                return False
            if not renew(path):
                return False
        except FileNotFoundError:
            return False
        except PermissionError:
            return False  # another user's file: one of our own takes its place, as new as it must be
        if big or mark:
            self._note_whole(digest, path, mark)
        return True

    def _note_whole(self, digest: str, path: Path, mark: str = "") -> None:
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            if state.st_size >= WORTH_BYTES or mark:
                self._known.keep_whole(digest, state, mark)

    def _upload(self, digest: str, path: Path) -> None:
        """See to it that the bucket has the blob; one that it has is sent again unless it is the one that we know."""
        if self._bucket is None:
            return
        remote = self._bucket.stat(digest)
        if remote and remote.tag and remote.tag == self._known.mark_of(digest):
            if dt.datetime.now(dt.UTC) - remote.modified_at > self._new:
                self._bucket.put_again(digest)
            return
        self._note_whole(digest, path, self._bucket.put(digest, path))

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
        durable = self._bucket is None  # what a cache loses in a power cut is fetched again
        if durable:
            os.fsync(stream.fileno())
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            if durable:
                sync_folder(self.folder)
        os.replace(name, path)
        if durable:
            sync_folder(path.parent)

    # ------------------------------------------------------------------------------------------------ errors

    def _missing(self, digest: str) -> BrokenArtifact:
        place = f"the file {self.path(digest)}"
        if self._bucket:
            self._bucket.check()
            place = f"an object in {self.address}"
        return BrokenArtifact(f"The blob {digest} is missing: expected {place}.", mend=_MEND)

    def _changed(self, digest: str, found: str) -> BrokenArtifact:
        place = f"{self.address}/{digest[:2]}/{digest[2:]}" if self._bucket else str(self.path(digest))
        return BrokenArtifact(f"The blob {place} was changed: expected sha256 {digest}, found {found}.", mend=_MEND)


def _nothing() -> None:
    """A stream that needs no closing is closed by this."""


def _time(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
