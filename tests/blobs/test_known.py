"""A big file is not read again while it is what it was, and is whenever it may be another."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from plusone.base.ids import digest_file
from plusone.blobs import known
from plusone.blobs.known import WORTH_BYTES, Known
from plusone.store import Blobs

LONG_AGO_NS = 1_500_000_000_000_000_123


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_bytes(os.urandom(WORTH_BYTES))
    settle(file)
    return file


def settle(file: Path) -> None:
    """Return when the clock of files has gone on, so that the file's state is one to be trusted."""
    while time.time_ns() < file.stat().st_ctime_ns + known._STEP_NS:
        os.sched_yield()


def is_known(blobs: Blobs, file: Path) -> bool:
    return blobs._known.digest_of(file.stat()) is not None


def test_a_file_that_did_not_change_is_not_read_again(
    blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = blobs.put_file(source)
    assert is_known(blobs, source)
    with monkeypatch.context() as patch:
        patch.setattr("plusone.blobs.blobs.copy_digesting", lambda *a, **k: pytest.fail("it was read"))
        for _ in range(3):
            assert blobs.put_file(source) == digest
        assert Blobs(blobs.folder).put_file(source) == digest, "another process knows it too"


def test_other_bytes_are_noticed_however_they_came(blobs: Blobs, source: Path, tmp_path: Path) -> None:
    os.utime(source, ns=(LONG_AGO_NS, LONG_AGO_NS))
    settle(source)
    blobs.put_file(source)
    assert is_known(blobs, source)

    def in_place() -> None:
        with source.open("r+b") as stream:
            stream.write(b"changed")

    def by_rename() -> None:
        shutil.copyfile(source, tmp_path / "new")
        with (tmp_path / "new").open("r+b") as stream:
            stream.write(b"renamed")
        (tmp_path / "new").replace(source)

    for change in (in_place, by_rename):
        change()
        os.utime(source, ns=(LONG_AGO_NS, LONG_AGO_NS))  # the time is set back, the size is as it was
        assert blobs.put_file(source) == digest_file(source)


def test_a_file_that_was_changed_a_moment_ago_is_not_trusted(blobs: Blobs, source: Path) -> None:
    keeper = Known(blobs.folder / "known")
    state = source.stat()
    os.utime(source, ns=(time.time_ns() + 10**12, time.time_ns() + 10**12))
    future = source.stat()
    keeper.keep_digest(future, future, "d" * 64)
    assert keeper.digest_of(future) is None, "its time is not over yet"
    keeper.keep_digest(state, future, "d" * 64)
    assert keeper.digest_of(future) is None, "it was another before it was read"


def test_a_damaged_blob_is_noticed_and_mended_by_putting_it_again(blobs: Blobs, source: Path) -> None:
    digest = blobs.put_file(source)
    path = blobs.path(digest)
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(b"damaged")
    assert blobs.put_file(source) == digest
    assert digest_file(path) == digest
    path.unlink()
    assert blobs.put_file(source) == digest
    assert digest_file(path) == digest


def test_a_link_to_a_blob_does_not_make_it_unknown(blobs: Blobs, source: Path, tmp_path: Path) -> None:
    digest = blobs.put_file(source)
    (tmp_path / "link").hardlink_to(blobs.path(digest))
    assert blobs._known.is_whole(digest, blobs.path(digest).stat())


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 100, b"[]", b'{"a": 1}', b'{"a": [null]}'])
def test_a_torn_entry_costs_a_reading_and_nothing_else(blobs: Blobs, source: Path, content: bytes) -> None:
    digest = blobs.put_file(source)
    for file in (blobs.folder / "known").iterdir():
        file.write_bytes(content)
    assert not is_known(blobs, source)
    assert blobs.put_file(source) == digest
    assert is_known(blobs, source)


def test_there_is_an_end_to_what_is_kept(tmp_path: Path) -> None:
    keeper = Known(tmp_path / "known")
    state = tmp_path.stat()
    digests = [f"ab{place:062x}" for place in range(300)]
    for digest in digests:
        keeper.keep_whole(digest, state)
    kept = [digest for digest in digests if keeper.is_whole(digest, state)]
    assert kept == digests[-known._MOST_ENTRIES :]
    assert [file.name for file in tmp_path.iterdir()] == ["known"]
    assert len(list((tmp_path / "known").iterdir())) == 1


def test_a_folder_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("a file")
    keeper = Known(tmp_path / "known")
    keeper.keep_whole("a" * 64, tmp_path.stat())
    assert not keeper.is_whole("a" * 64, tmp_path.stat())
