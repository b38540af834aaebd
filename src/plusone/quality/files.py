"""Files that a command is told to write."""

from __future__ import annotations

from pathlib import Path

from ..base.errors import UsageError
from ..base.files import write_atomic

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all, and the folders above it.

    What is there and is no plain file (a link, a pipe, `/dev/stdout`) is written to, and not replaced.

    Raises:
        UsageError: when the place can't be written.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(text.encode("utf-8", "replace"))
        else:
            write_atomic(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(
            f"{path} can't be written: {error.strerror or error}.", mend="name a file in a folder that you may write to"
        ) from error
