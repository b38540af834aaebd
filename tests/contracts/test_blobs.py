"""What every backend of the blobs promises: whole or absent, checked, stored once."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base import clock
from plusone.base.errors import BrokenArtifact, NotFound, StoreError
from plusone.blobs.buckets import Bucket
from plusone.store import Store


def left_over(store: Store) -> list[Path]:
    return [path for path in store.blobs.folder.rglob("*") if path.is_file() and path.name.startswith(".tmp-")]


def datetime_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def forget(store: Store, digest: str) -> None:
    """Take a blob's copy out of the cache, so that the next reading comes from where it really lies."""
    if store.blobs.address:
        store.blobs.path(digest).unlink()


def damage(store: Store, digest: str, content: bytes) -> None:
    """Put other bytes where the blob lies."""
    if store.blobs.address:
        forget(store, digest)
        bucket_of(store).put(digest, content)
    else:
        store.blobs.path(digest).chmod(0o644)
        store.blobs.path(digest).write_bytes(content)


def bucket_of(store: Store) -> Bucket:
    assert store.blobs._bucket is not None
    return store.blobs._bucket


def files_of(store: Store) -> list[Path]:
    return [path for path in store.blobs.folder.rglob("*") if path.is_file() and path.parent.name != "known"]


@pytest.mark.slow
def test_bytes_come_back_under_their_sha256(store: Store) -> None:
    @settings(max_examples=40)
    @given(st.binary(max_size=200))
    def check(data: bytes) -> None:
        digest = store.blobs.put_bytes(data)
        forget(store, digest)
        assert digest == hashlib.sha256(data).hexdigest()
        assert store.blobs.has(digest)
        assert store.blobs.get(digest) == data
        forget(store, digest)
        assert store.blobs.verify(digest).read_bytes() == data
        forget(store, digest)
        with store.blobs.open(digest) as stream:
            assert stream.read() == data

    check()


def test_a_file_and_its_bytes_are_one_blob(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(b"x" * 3_000_000)
    assert store.blobs.put_file(source) == store.blobs.put_bytes(b"x" * 3_000_000)
    digest = hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert files_of(store) == [store.blobs.path(digest)]
    assert [(found.digest, found.size_bytes) for found in store.blobs.list()] == [(digest, 3_000_000)]


@pytest.mark.parametrize("change", [b"", b"other", b"changed!", b"original and more"])
def test_changed_bytes_are_found_and_putting_them_again_mends_them(store: Store, tmp_path: Path, change: bytes) -> None:
    digest = store.blobs.put_bytes(b"original")
    for put in (lambda: store.blobs.put_bytes(b"original"), lambda: store.blobs.put_file(tmp_path / "original")):
        (tmp_path / "original").write_bytes(b"original")
        damage(store, digest, change)
        for read in (store.blobs.get, store.blobs.verify, lambda digest: store.blobs.open(digest).read()):
            with pytest.raises(BrokenArtifact, match=r"was changed: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"):
                read(digest)
        assert put() == digest
        assert store.blobs.get(digest) == b"original"


def test_a_missing_blob_says_which_file_is_missing(store: Store) -> None:
    digest = "0" * 64
    assert not store.blobs.has(digest)
    assert store.blobs.stat(digest) is None
    assert store.blobs.remove(digest) == 0
    for read in (store.blobs.get, store.blobs.verify, store.blobs.open):
        with pytest.raises(BrokenArtifact, match=f"{digest} is missing"):
            read(digest)


def test_nobody_gets_all_bytes_of_a_damaged_blob_from_a_stream(store: Store) -> None:
    content = bytes(range(256)) * 20_000
    digest = store.blobs.put_bytes(content)
    with store.blobs.open(digest) as stream:
        assert b"".join(iter(lambda: stream.read(100_001), b"")) == content
    for change in (content[:-1] + b"x", content[:-1], content + b"x", b"x" + content[1:]):
        damage(store, digest, change)
        got = 0
        stream = store.blobs.open(digest)
        with pytest.raises(BrokenArtifact, match="was changed"):
            got = sum(map(len, iter(lambda stream=stream: stream.read(100_001), b"")))
        stream.close()
        assert got < len(change)
        store.blobs.put_bytes(content)


def test_what_is_listed_can_be_removed_and_tells_how_much_that_frees(store: Store) -> None:
    contents = [b"", b"a", b"b" * 5000]
    digests = [store.blobs.put_bytes(content) for content in contents]
    listed = {found.digest: found for found in store.blobs.list()}
    assert {digest: listed[digest].size_bytes for digest in digests} == {
        digest: len(content) for digest, content in zip(digests, contents, strict=True)
    }
    assert listed == {digest: store.blobs.stat(digest) for digest in digests}
    assert all(clock.ago(60) < found.modified_at < clock.ago(-60) for found in listed.values())
    assert [store.blobs.remove(digest) for digest in digests] == [0, 1, 5000]
    assert list(store.blobs.list()) == []
    assert not any(store.blobs.has(digest) for digest in digests)
    assert files_of(store) == []


@pytest.mark.parametrize("way", ["bytes", "file", "big file"])
def test_a_file_that_is_put_again_is_as_new_as_if_it_was_written_now(store: Store, tmp_path: Path, way: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"again" * (1_000_000 if way == "big file" else 1))
    digest = store.blobs.put_file(source)
    for _ in range(2):
        os.utime(store.blobs.path(digest), (1_000_000_000, 1_000_000_000))
        _ = store.blobs.put_bytes(source.read_bytes()) if way == "bytes" else store.blobs.put_file(source)
        found = store.blobs.stat(digest)
        assert found
        assert found.modified_at > clock.ago(60)


def test_a_note_in_the_bucket_makes_a_blob_that_is_put_again_new(store: Store) -> None:
    if not store.blobs.address:
        return
    digest = store.blobs.put_bytes(b"again")
    old = bucket_of(store).stat(digest)
    assert old
    store.blobs._new = dt.timedelta(0)
    while datetime_now() - old.modified_at < dt.timedelta(seconds=1.2):
        store.blobs.put_bytes(b"again")
    assert bucket_of(store).stat(digest) == old, "it was not sent again"
    [listed] = store.blobs.list()
    assert listed == store.blobs.stat(digest)
    assert clock.parse(listed.modified_at) > old.modified_at


@pytest.mark.slow
@pytest.mark.parametrize(
    "digest",
    [
        "",
        "..",
        "../../etc/passwd",
        "ab/../../x",
        "A" * 64,
        "0" * 63,
        "0" * 65,
        "0" * 64 + "\n",
        "/" * 64,
        "\u0660" * 64,
    ],
)
def test_a_digest_that_is_none_leads_nowhere(store: Store, digest: str) -> None:
    blobs = store.blobs
    for use in (blobs.path, blobs.has, blobs.get, blobs.verify, blobs.open, blobs.stat, blobs.remove):
        with pytest.raises(NotFound, match="64 hex digits"):
            use(digest)


def test_a_blob_is_read_only_and_put_leaves_nothing_beside_it(store: Store) -> None:
    digest = store.blobs.put_bytes(b"abc")
    assert store.blobs.path(digest).stat().st_mode & 0o777 == 0o444
    assert left_over(store) == []


def test_many_threads_put_the_same_and_different_blobs(store: Store) -> None:
    together = threading.Barrier(8)
    big = b"same" * 50_000

    def put(place: int) -> tuple[str, str]:
        together.wait(60)
        return store.blobs.put_bytes(big), store.blobs.put_bytes(str(place).encode())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(put, range(8)))
    assert len({same for same, _ in found}) == 1
    assert store.blobs.get(found[0][0]) == big
    assert [store.blobs.get(own) for _, own in found] == [str(place).encode() for place in range(8)]
    assert left_over(store) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["bytes", "file"])
def test_a_kill_at_any_moment_leaves_the_whole_blob_or_none(start, way: str) -> None:
    process = start("die_everywhere", way)
    printed, _ = process.communicate(timeout=100)
    assert process.returncode == 0, printed
    deaths, absent = map(int, printed.split())
    assert deaths > 30, "the kills were spread over the whole of it"
    assert 20 < absent < deaths, "some came before the blob was there, some after"


@pytest.mark.slow
def test_a_kill_in_the_middle_of_an_upload_leaves_the_whole_blob_or_none(start, store: Store, tmp_path: Path) -> None:
    source = tmp_path / "big"
    source.write_bytes(os.urandom(1 << 20) * 40)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    seen: set[bool] = set()
    for delay_ms in (1, 5, 10, 20, 30, 50, 70, 100, 150, 250, 400, 800, 5000):
        process = start("die_after", str(source), str(delay_ms))
        process.communicate(timeout=60)
        whole = store.blobs.has(digest)
        seen.add(whole)
        if whole:
            store.blobs.path(digest).unlink() if store.blobs.address else None
            assert hashlib.sha256(store.blobs.get(digest)).hexdigest() == digest
        store.blobs.remove(digest)
    assert seen == {True, False}, "some kills came before the blob was there, some after"


def test_a_full_disk_is_said_and_leaves_no_part_of_a_blob(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "big"
    source.write_bytes(b"z" * 300_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for put in (lambda: store.blobs.put_bytes(b"z" * 300_000), lambda: store.blobs.put_file(source)):
            with pytest.raises(StoreError, match="can't be written"):
                put()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not store.blobs.has(hashlib.sha256(b"z" * 300_000).hexdigest())
    assert left_over(store) == []
    store.blobs.put_file(source)


@pytest.mark.slow
def test_a_big_file_is_put_and_verified_in_constant_memory(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as stream:
        stream.truncate(128 * 1024 * 1024)
    # An upload holds its parts, four of 8 MiB, in its hands.
    most_mib = 56 if store.blobs.address else 24
    code = (
        "import sys, resource; from pathlib import Path; from plusone.store import open_blobs\n"
        "blobs = open_blobs(Path(sys.argv[1]), sys.argv[3]); blobs.put_bytes(b'warm')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "digest = blobs.put_file(Path(sys.argv[2])); blobs.path(digest).unlink() if sys.argv[3] else None\n"
        "blobs.verify(digest)\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before; print(grown // 1024)"
    )
    words = [str(store.blobs.folder), str(source), store.blobs.address]
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    assert int(done.stdout) < most_mib, "it grew by more for a file of 128"
    assert os.path.getsize(source) == 128 * 1024 * 1024
