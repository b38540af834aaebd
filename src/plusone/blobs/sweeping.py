"""Whoever makes a blob young and whoever removes old ones take turns, by a lock on their
folder.

The age of a blob is the time since it was stored or asked for the last time. With the turns, a blob that was renewed is
there, and stays for as long as the one who removes lets young blobs be.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["renew", "turn_to_remove"]


def renew(path: Path) -> bool:
    """Make the blob at `path` young; return whether it is there.

    Raises:
        PermissionError: when it is another user's.
    """
    try:
        with _turn(path.parent.parent, fcntl.LOCK_SH):
            os.utime(path)
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def turn_to_remove(folder: Path) -> Iterator[None]:
    """Hold off whoever renews a blob in `folder`; what is old at the beginning of the block is old until its end."""
    if not folder.is_dir():
        yield
        return
    with _turn(folder, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def _turn(folder: Path, how: int) -> Iterator[None]:
    # Opened each time: a lock belongs to what was opened, and threads must not share one.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
