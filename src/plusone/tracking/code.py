"""The version of the project's code: the commit, and the diff against it when there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..base.records import Code
from ..store.blobs import Blobs

__all__ = ["capture_code"]

_MOST_BYTES = 8 * 1024 * 1024


def capture_code(root: Path, blobs: Blobs) -> Code:
    """Return the commit that `root` is at; a dirty tree's diff (tracked files, up to 8 MiB) is stored as a blob.

    A folder that is in no git repository, or a machine without git, gives an empty `Code`.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Code()
    diff = _git(root, "diff", "HEAD", "--no-color", "--no-ext-diff", "--", ".") or b""
    status = _git(root, "status", "--porcelain", "--", ".") or b""
    kept = blobs.put_bytes(diff[:_MOST_BYTES]) if diff else None
    return Code(commit=commit.decode().strip(), dirty=bool(status.strip()), diff=kept)


def _git(root: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
