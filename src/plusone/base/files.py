"""Files that are whole or absent: write to a temporary name, fsync, rename, fsync the folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import UsageError

__all__ = ["atomic_file", "inside", "sync_folder", "unlisted", "write_atomic"]


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a rename is only kept across a power cut once its folder was synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_file(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Give a stream whose content appears at `path` when the block ends, whole, or not at all.

    A reader sees the old file or the new one. A process that is killed inside leaves a `.tmp-*` file, nothing else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync_folder(path.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace the content of `path` by `data`, whole or not at all."""
    with atomic_file(path, mode=mode) as stream:
        stream.write(data)


def inside(folder: Path, name: str) -> Path:
    """Return `folder / name`, refusing any name that leads out of the folder.

    Raises:
        UsageError: for absolute names, `..`, and links that leave the folder.
    """
    root = folder.resolve()
    path = (root / name).resolve()
    if path != root and root not in path.parents:
        raise UsageError(f"{name!r} leads out of {folder}: expected a path below it.")
    return path


def unlisted(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the files below a folder that are none of these, and links to folders, sorted; paths use '/'."""
    known = {folder / name for name in names}
    found = [Path(top) / name for top, folders, files in os.walk(folder) for name in (*files, *_links(top, folders))]
    return sorted(path.relative_to(folder).as_posix() for path in found if path not in known)


def _links(top: str, folders: list[str]) -> list[str]:
    """Return which of these folders are links: what is behind them is not walked."""
    return [name for name in folders if (Path(top) / name).is_symlink()]
