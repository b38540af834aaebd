"""What every backend of the blobs promises: whole or absent, checked, stored once."""

from __future__ import annotations

import hashlib
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import BrokenArtifact, NotFound, StoreError
from plusone.store import Blobs, Store


def left_over(store: Store) -> list[Path]:
    return [path for path in store.blobs.folder.rglob("*") if path.is_file() and path.name.startswith(".tmp-")]


@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_bytes_come_back_under_their_sha256(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    blobs = Blobs(tmp_path_factory.getbasetemp() / "hypothesis-blobs")
    digest = blobs.put_bytes(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.has(digest)
    assert blobs.get(digest) == data
    assert blobs.verify(digest).read_bytes() == data


def test_a_file_and_its_bytes_are_one_blob(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(b"x" * 3_000_000)
    assert store.blobs.put_file(source) == store.blobs.put_bytes(b"x" * 3_000_000)
    assert [path for path in store.blobs.folder.rglob("*") if path.is_file()] == [
        store.blobs.path(hashlib.sha256(b"x" * 3_000_000).hexdigest())
    ]


@pytest.mark.parametrize("change", [b"", b"other", b"changed!", b"original and more"])
def test_changed_bytes_are_found_and_putting_them_again_mends_them(store: Store, tmp_path: Path, change: bytes) -> None:
    digest = store.blobs.put_bytes(b"original")
    path = store.blobs.path(digest)
    for put in (lambda: store.blobs.put_bytes(b"original"), lambda: store.blobs.put_file(tmp_path / "original")):
        (tmp_path / "original").write_bytes(b"original")
        path.chmod(0o644)
        path.write_bytes(change)
        for read in (store.blobs.get, store.blobs.verify):
            with pytest.raises(BrokenArtifact, match=r"was changed: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"):
                read(digest)
        assert put() == digest
        assert store.blobs.get(digest) == b"original"


def test_a_missing_blob_says_which_file_is_missing(store: Store) -> None:
    digest = "0" * 64
    assert not store.blobs.has(digest)
    for read in (store.blobs.get, store.blobs.verify):
        with pytest.raises(BrokenArtifact, match=f"{digest} is missing"):
            read(digest)


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
    for use in (store.blobs.path, store.blobs.has, store.blobs.get, store.blobs.verify):
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
        together.wait(10)
        return store.blobs.put_bytes(big), store.blobs.put_bytes(str(place).encode())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(put, range(8)))
    assert len({same for same, _ in found}) == 1
    assert store.blobs.get(found[0][0]) == big
    assert [store.blobs.get(own) for _, own in found] == [str(place).encode() for place in range(8)]
    assert left_over(store) == []


@pytest.mark.parametrize("way", ["bytes", "file"])
def test_a_kill_at_any_moment_leaves_the_whole_blob_or_none(start, way: str) -> None:
    process = start("die_everywhere", way)
    printed, _ = process.communicate(timeout=100)
    assert process.returncode == 0, printed
    deaths, absent = map(int, printed.split())
    assert deaths > 30, "the kills were spread over the whole of it"
    assert 20 < absent < deaths, "some came before the blob was there, some after"


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


def test_a_big_file_is_put_and_verified_in_constant_memory(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    code = (
        "import sys, resource; from pathlib import Path; from plusone.store import Blobs\n"
        "blobs = Blobs(Path(sys.argv[1])); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "blobs.verify(blobs.put_file(Path(sys.argv[2])))\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before; sys.exit(grown > 16 * 1024)"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code, str(store.blobs.folder), str(source)], check=False)
    assert done.returncode == 0, "it grew by more than 16 MiB for a file of 64"
    assert os.path.getsize(source) == 64 * 1024 * 1024
