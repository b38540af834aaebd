"""What is known of big files without reading them again: which digest a file had when it was last read, and which blobs
were whole. A file is trusted as git's index trusts one: while its device, number, size and times are what they were.

It is a cache. An entry that is lost, torn or crowded out costs a reading, nothing else; so files are replaced without
locks and without waiting for the disk.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import msgspec

from ..base.ids import digest_bytes

__all__ = ["WORTH_BYTES", "Known"]

WORTH_BYTES = 4 << 20
"""Below this size a file is read faster than it is looked up."""
_MOST_ENTRIES = 64  # in each of 256 files
# Times of files go in steps of the kernel's clock, 10 ms at most; some file systems keep whole seconds, FAT two.
_STEP_NS = 100_000_000
_COARSE_STEP_NS = 2_500_000_000

_Entries = dict[str, list[int | str]]


class Known:
    """The cache in one folder. Many processes may use it at once.

    Args:
        folder: made when the first entry is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def digest_of(self, state: os.stat_result) -> str | None:
        """Return the digest that a file in this state had, None when that is not known."""
        entry = self._read(_file_key(state)).get(_file_key(state))
        return str(entry[0]) if entry and entry[1:] == _times(state) else None

    def keep_digest(self, before: os.stat_result, after: os.stat_result, digest: str) -> None:
        """Remember what a file was read as, if nobody can have changed it since without a trace.

        Args:
            before: its state before it was read.
            after: its state afterwards. One that was changed a moment ago could be changed once more within the same
                step of its clock, so it is not trusted ("racily clean", git calls it).
        """
        if _file_key(before) != _file_key(after) or _times(before) != _times(after):
            return
        step = _STEP_NS if after.st_mtime_ns % 1_000_000_000 else _COARSE_STEP_NS
        if max(after.st_mtime_ns, after.st_ctime_ns) + step < time.time_ns():
            self._keep(_file_key(after), [digest, *_times(after)])

    def is_whole(self, digest: str, state: os.stat_result, mark: str = "") -> bool:
        """Say whether the blob, in this state, was seen whole."""
        return self._read(digest).get(digest) == _blob_entry(state, mark)

    def keep_whole(self, digest: str, state: os.stat_result, mark: str = "") -> None:
        """Remember that the blob, in this state, is whole.

        Args:
            mark: what tells its state elsewhere, the tag that a bucket gave it for one.
        """
        self._keep(digest, _blob_entry(state, mark))

    def mark_of(self, digest: str) -> str:
        """Return the mark that was kept with a blob, empty when there is none."""
        entry = self._read(digest).get(digest)
        return str(entry[-1]) if entry else ""

    def _path(self, key: str) -> Path:
        return self._folder / f"{key[:2]}.json"

    def _read(self, key: str) -> _Entries:
        try:
            return msgspec.json.decode(self._path(key).read_bytes(), type=_Entries)
        except (OSError, msgspec.MsgspecError):
            return {}

    def _keep(self, key: str, entry: list[int | str]) -> None:
        entries = self._read(key)
        entries.pop(key, None)
        entries[key] = entry
        for oldest in list(entries)[:-_MOST_ENTRIES]:
            del entries[oldest]
        # A full disk or a folder that can't be written: it is a cache.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=self._folder.parent)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(msgspec.json.encode(entries))
                os.replace(name, self._path(key))
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
                raise


def _file_key(state: os.stat_result) -> str:
    return digest_bytes(f"{state.st_dev} {state.st_ino}".encode())


def _times(state: os.stat_result) -> list[int | str]:
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _blob_entry(state: os.stat_result, mark: str) -> list[int | str]:
    # Not the time of its last change of state: a package that is laid out links the blob, and the link counts as one.
    return [state.st_ino, state.st_size, state.st_mtime_ns, mark]
