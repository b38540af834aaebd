"""The environment of a package that is not compiled: made before anything is to run in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..base.errors import BrokenArtifact
from ..base.records import Package

__all__ = ["NATIVE", "is_native", "make_environment"]

NATIVE = ("python", "skops")
"""The formats of models that run in a process of their own."""


def make_environment(folder: Path) -> None:
    """Make the environment of the package in `folder` on this machine, if it runs in one and it is not there yet.

    Raises:
        BrokenArtifact: when the package's own files can't be read.
        BrokenEnvironment: when it can't be made: names the line of the lock.
    """
    try:
        if not is_native(folder):
            return
        lock = (folder / "environment.txt").read_text("utf-8")
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenArtifact(f"The package in {folder} can't be read: {error}.") from error
    from ..native.pythons import make_interpreter

    make_interpreter(lock)


def is_native(folder: Path) -> bool:
    """Say whether the package in `folder` runs in a process of its own.

    Raises:
        OSError: when it has no manifest.
        msgspec.MsgspecError: when that is none.
    """
    return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Package).format in NATIVE
