"""The version of the project's code: its files, and the commit and the diff against it when there is git."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..base.ids import digest_json
from ..base.records import Code
from ..store.blobs import Blobs
from ..store.sqlite import Transaction

__all__ = ["capture_code", "index_code"]

_MOST_BYTES = 8 * 1024 * 1024
_MOST_FILES = 2000


def capture_code(root: Path, blobs: Blobs, *, only: Iterable[Path] | None = None) -> Code:
    """Return the version of the code in `root`; the project's Python files are stored as blobs.

    With git also the commit, and as a blob a dirty tree's diff (tracked files, up to 8 MiB).

    Args:
        only: the files to keep, where `root` is no project and may hold anything.
    """
    files = _keep(sorted(only), root, blobs) if only is not None else _keep(_below(root), root, blobs)
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Code(files=files)
    diff = _git(root, "diff", "HEAD", "--no-color", "--no-ext-diff", "--", ".") or b""
    status = _git(root, "status", "--porcelain", "--", ".") or b""
    kept = blobs.put_bytes(diff[:_MOST_BYTES]) if diff else None
    return Code(commit=commit.decode().strip(), dirty=bool(status.strip()), diff=kept, files=files)


def index_code(tx: Transaction, run_id: str, code: Code) -> None:
    """Make the files of a run's code findable by digest; equal code of many runs is listed once."""
    if not code.files:
        return
    version = digest_json(code.files)
    if tx.one("code_version", version=version) is None:
        for path, digest in code.files.items():
            tx.execute("code_file_add", version=version, path=path, digest=digest)
    tx.execute("run_code_add", run_id=run_id, version=version)


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        # Hidden folders hold the store, environments and caches; an environment may also lie open.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in ("__pycache__", "node_modules", "site-packages")
            and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        yield from (Path(folder) / name for name in sorted(names))


def _keep(paths: Iterable[Path], root: Path, blobs: Blobs) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        if len(found) < _MOST_FILES and _is_source(path):
            name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
            # One that can't be read, or was there a moment ago, is left out.
            with contextlib.suppress(OSError):
                found[name] = blobs.put_file(path)
    return found


def _is_source(path: Path) -> bool:
    try:
        str(path).encode()
        return path.suffix == ".py" and path.is_file() and path.stat().st_size <= _MOST_BYTES
    except (OSError, UnicodeEncodeError):  # it was there a moment ago, or its name is no text
        return False


def _git(root: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
