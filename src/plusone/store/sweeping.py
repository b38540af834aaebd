"""Blobs on their way out: which are there, since when, and how one is removed that nobody has asked for meanwhile.

The age of a blob is the time since it was stored or asked for the last time: storing equal bytes again, or taking them
over, makes it young. Whoever removes and whoever renews take turns by a file lock, so that a blob that was renewed is
there, and stays for as long as the one who removes lets young blobs be.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..base.errors import StoreError

__all__ = ["Stored", "list_blobs", "remove_old", "renew"]

_LOCK = ".lock"


class Stored(NamedTuple):
    """One blob that is there: its digest, its size, and the Unix time at which it was last stored or asked for."""

    digest: str
    size_bytes: int
    at: float


def list_blobs(folder: Path) -> Iterator[Stored]:
    """Give every blob below `folder`. One that goes or comes meanwhile may be left out."""
    for part in sorted(folder.glob("[0-9a-f][0-9a-f]")):
        with contextlib.suppress(FileNotFoundError), os.scandir(part) as entries:
            for entry in entries:
                if len(entry.name) == 62 and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        found = entry.stat()
                        yield Stored(part.name + entry.name, found.st_size, found.st_mtime)


def renew(path: Path) -> bool:
    """Make the blob at `path` young; return whether it is there."""
    try:
        with _turn(path.parent.parent, fcntl.LOCK_SH):
            os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # the blob is another user's: it is there, and as old as it is
        return path.is_file()
    return True


def remove_old(folder: Path, digests: Iterable[str], *, before: float) -> list[Stored]:
    """Remove those blobs that were not renewed since `before` (Unix time), and return them.

    Raises:
        StoreError: when one can't be removed.
    """
    removed: list[Stored] = []
    try:
        with _turn(folder, fcntl.LOCK_EX):
            for digest in digests:
                path = folder / digest[:2] / digest[2:]
                try:
                    found = path.stat()
                    if found.st_mtime >= before:
                        continue
                    path.unlink()
                except FileNotFoundError:
                    continue
                removed.append(Stored(digest, found.st_size, found.st_mtime))
    except OSError as error:
        raise StoreError(f"Blobs can't be removed from {folder}: {error}.") from error
    return removed


@contextlib.contextmanager
def _turn(folder: Path, how: int) -> Iterator[None]:
    # Opened each time: a lock belongs to the opened file, and threads must not share one.
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
