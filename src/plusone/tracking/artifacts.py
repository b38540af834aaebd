"""Files of a run or of a logged model, by path: their bytes are blobs, stored once and checked when they are read."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.files import atomic_file
from ..base.records import Artifact
from ..store import Store
from ..store.rows import from_row, to_row

__all__ = [
    "check_path",
    "get_artifact",
    "list_artifacts",
    "log_bytes",
    "log_file",
    "read_artifact",
    "remove_artifact",
    "save_artifact",
]

_MOST_PATH_BYTES = 1000
_MOST_PART_BYTES = 255
_LAST = "\U0010ffff"


def check_path(path: str) -> str:
    """Return `path` if it can name an artifact: relative, parts joined by '/', none of them empty, '.' or '..'.

    Raises:
        UsageError: for any other path, a backslash, a control character or a line separator, text that is no Unicode,
            over 1,000 bytes, or a part of over 255.
    """
    fault = _fault(path)
    if fault:
        raise UsageError(
            f"{path[:100]!r} can't be the path of an artifact: {fault}.",
            mend="a relative path with '/', for example plots/roc.png",
        )
    return path


def log_file(
    store: Store,
    owner: str,
    path: str,
    source: Path,
    *,
    kind: str = "file",
    on_bytes: Callable[[int], object] | None = None,
) -> Artifact:
    """Store the file `source` as the artifact `path` of `owner` and return it; one of that path before is replaced.

    The file is read once, in constant memory. Bytes that the store has already are not stored again.

    Args:
        on_bytes: told of each piece that was read, how many bytes it has.

    Raises:
        UsageError: when the path can't name an artifact, or the source is no file that can be read.
        Conflict: when another artifact of the owner makes `path` a folder, or a part of `path` a file.
    """
    check_path(path)
    if not source.is_file():
        what = "a folder" if source.is_dir() else "no file" if not source.exists() else "no ordinary file"
        raise UsageError(f"{source} is {what}: expected a file.")
    try:
        blob = store.blobs.put_file(source, on_bytes=on_bytes)
    except OSError as error:
        raise UsageError(f"{source} can't be read: {error.strerror or error}.") from error
    # Of what was stored: the file may have grown since.
    stored = store.blobs.stat(blob)
    return _record(store, owner, path, blob, stored.size_bytes if stored else 0, kind)


def log_bytes(store: Store, owner: str, path: str, data: bytes | memoryview, *, kind: str = "file") -> Artifact:
    """Store `data` as the artifact `path` of `owner` and return it. Raises as `log_file` does."""
    check_path(path)
    size_bytes = data.nbytes if isinstance(data, memoryview) else len(data)
    return _record(store, owner, path, store.blobs.put_bytes(data), size_bytes, kind)


def list_artifacts(store: Store, owner: str, prefix: str = "") -> list[Artifact]:
    """Return the artifacts of `owner` by path: all, or the one called `prefix` and those in the folder of that name."""
    if not prefix:
        rows = store.db.all("artifact_list", owner=owner, first="", last=_LAST)
        return [from_row(Artifact, row) for row in rows]
    check_path(prefix)
    one = store.db.one("artifact_get", owner=owner, path=prefix)
    below = store.db.all("artifact_list", owner=owner, first=f"{prefix}/", last=f"{prefix}0")
    return [from_row(Artifact, row) for row in ([one] if one else []) + below]


def get_artifact(store: Store, owner: str, path: str) -> Artifact:
    """Return the artifact `path` of `owner`.

    Raises:
        NotFound: when there is none.
    """
    row = store.db.one("artifact_get", owner=owner, path=check_path(path))
    if row is None:
        raise NotFound(f"{owner} has no artifact {path!r}.", mend=f"plusone runs files {owner}")
    return from_row(Artifact, row)


def read_artifact(store: Store, owner: str, path: str) -> bytes:
    """Return the bytes of an artifact, checked against its digest.

    Raises:
        NotFound: when there is none.
        BrokenArtifact: when its bytes are missing or were changed.
    """
    return store.blobs.get(get_artifact(store, owner, path).blob)


def save_artifact(store: Store, owner: str, path: str, to: Path) -> Artifact:
    """Write an artifact's bytes to the file `to`, whole or not at all, in constant memory; return the artifact.

    Raises:
        NotFound: when there is none.
        BrokenArtifact: when its bytes are missing or were changed; `to` is left as it was then.
    """
    found = get_artifact(store, owner, path)
    with store.blobs.open(found.blob) as reader, atomic_file(to) as writer:
        while piece := reader.read(1 << 20):
            writer.write(piece)
    return found


def remove_artifact(store: Store, owner: str, path: str) -> None:
    """Take an artifact away; its bytes are freed by `plusone gc` when nothing else refers to them.

    Raises:
        NotFound: when there is none.
    """
    with store.db.write() as tx:
        if not tx.execute("artifact_remove", owner=owner, path=check_path(path)):
            raise NotFound(f"{owner} has no artifact {path!r}.", mend=f"plusone runs files {owner}")


def _record(store: Store, owner: str, path: str, blob: str, size_bytes: int, kind: str) -> Artifact:
    made = Artifact(owner=owner, path=path, blob=blob, size_bytes=size_bytes, kind=kind, created_at=clock.now())
    with store.db.write() as tx:
        # A folder of files can hold no file and a folder of one name: it could not be downloaded.
        if below := tx.one("artifact_below", owner=owner, first=f"{path}/", last=f"{path}0"):
            raise Conflict(f"{path!r} can't be a file of {owner}: it is the folder of {below['path']!r} already.")
        parts = path.split("/")
        for count in range(1, len(parts)):
            folder = "/".join(parts[:count])
            if tx.one("artifact_get", owner=owner, path=folder):
                raise Conflict(f"{path!r} can't be a file of {owner}: {folder!r} is a file already.")
        tx.execute("artifact_put", **to_row(made))
    return made


def _fault(path: str) -> str:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "it is no valid Unicode text"
    if not 0 < size <= _MOST_PATH_BYTES:
        return f"it has {size} bytes, expected 1 to {_MOST_PATH_BYTES}"
    if "\\" in path:
        return "it has a backslash"
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in path):
        return "it has a control character"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "it is absolute, or has a part that is empty, '.' or '..'"
    if any(len(part.encode()) > _MOST_PART_BYTES for part in parts):
        return f"a part of it has over {_MOST_PART_BYTES} bytes"
    return ""
