"""Bytes go through a copy as they are, whatever their size; what fails in a thread is heard."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from plusone.blobs.streams import _PIECE_BYTES, _SYNC_BYTES, copy_digesting

SIZES = [0, 1, _PIECE_BYTES - 1, _PIECE_BYTES, _PIECE_BYTES + 1, 9 * _PIECE_BYTES + 7, 2 * _SYNC_BYTES + 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("durable", [True, False])
def test_what_is_copied_is_what_was_read(tmp_path: Path, size: int, durable: bool) -> None:
    content = os.urandom(1 << 16) * (size // (1 << 16)) + b"x" * (size % (1 << 16))
    (tmp_path / "from").write_bytes(content)
    with (tmp_path / "from").open("rb", buffering=0) as reader, (tmp_path / "to").open("wb") as writer:
        assert copy_digesting(reader, writer, durable=durable) == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "to").read_bytes() == content


def test_short_reads_are_no_end(tmp_path: Path) -> None:
    content = os.urandom(3 * _PIECE_BYTES)

    class Slow(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            return super().readinto(memoryview(buffer)[: _PIECE_BYTES // 3])

        def read(self, size: int | None = -1) -> bytes:
            return super().read(_PIECE_BYTES // 3)

    with (tmp_path / "to").open("wb") as writer:
        assert copy_digesting(Slow(content), writer, durable=False) == hashlib.sha256(content).hexdigest()


def test_an_error_of_the_disk_in_the_background_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with (tmp_path / "to").open("wb") as writer, pytest.raises(OSError, match="Input/output error"):
        copy_digesting(io.BytesIO(b"x" * (3 * _SYNC_BYTES)), writer, durable=True)
