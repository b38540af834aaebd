"""Artifacts: paths that never lead out, bytes that are stored once and checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import BrokenArtifact, Conflict, NotFound, UsageError
from plusone.base.ids import digest_bytes, new_id
from plusone.store import Store, open_store
from plusone.tracking.artifacts import (
    check_path,
    get_artifact,
    list_artifacts,
    log_bytes,
    log_file,
    read_artifact,
    remove_artifact,
    save_artifact,
)

HOSTILE = st.text(st.sampled_from("ab./\\\0\n\x7f\u2028é:~ \ud800"), max_size=12)
SAFE = st.lists(st.text("ab.é -", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


@given(path=HOSTILE | SAFE | st.text(max_size=20))
def test_a_path_is_refused_or_stays_inside_and_is_a_name_that_a_file_can_have(path: str):
    try:
        assert check_path(path) == path
    except UsageError:
        return
    root = Path("/r")
    assert root in (root / path).parents
    assert os.path.normpath(root / path) == str(root / path), "one file, one name"
    assert not PurePosixPath(path).is_absolute()
    assert path.encode().isascii() or path.isprintable() or path
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a\\b",
        "a\nb",
        "a\0",
        "\x1b[31m",
        "\ud800",
        "x" * 256,
        "a/" * 600 + "a",
    ],
)
def test_what_can_name_no_file_is_refused_by_every_function(store: Store, tmp_path: Path, path: str):
    (tmp_path / "f").write_text("x")
    with pytest.raises(UsageError, match="can't be the path of an artifact"):
        log_file(store, "run", path, tmp_path / "f")
    with pytest.raises(UsageError):
        log_bytes(store, "run", path, b"x")
    with pytest.raises(UsageError):
        get_artifact(store, "run", path)
    assert list_artifacts(store, "run") == []


@pytest.fixture(scope="module")
def store_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store for the files of many runs: to make one for each takes longer than all that is done with it."""
    store = open_store(tmp_path_factory.mktemp("kept") / "store")
    yield store
    store.close()


@given(paths=st.lists(SAFE.filter(lambda p: not {".", ".."} & set(p.split("/"))), min_size=1, max_size=6, unique=True))
def test_what_is_kept_can_always_be_laid_out_as_files(
    store_of_many: Store, tmp_path_factory: pytest.TempPathFactory, paths: list[str]
):
    folder = tmp_path_factory.mktemp("out")
    store, run = store_of_many, new_id()
    kept: dict[str, bytes] = {}
    for path in paths:
        try:
            log_bytes(store, run, path, path.encode())
            kept[path] = path.encode()
        except Conflict:
            assert any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in kept)
    for path in kept:
        save_artifact(store, run, path, folder / "out" / path)
    out = {
        file.relative_to(folder / "out").as_posix(): file.read_bytes()
        for file in (folder / "out").rglob("*")
        if file.is_file()
    }
    assert out == kept
    assert [one.path for one in list_artifacts(store, run)] == sorted(kept)


def test_a_file_of_the_same_path_takes_the_place_of_the_one_before(store: Store, tmp_path: Path):
    source = tmp_path / "f"
    source.write_text("one")
    log_file(store, "run", "a/f", source)
    source.write_text("two")
    made = log_file(store, "run", "a/f", source, kind="table")
    assert list_artifacts(store, "run") == [made]
    assert read_artifact(store, "run", "a/f") == b"two"
    assert (made.size_bytes, made.kind, made.blob) == (3, "table", digest_bytes(b"two"))


def test_equal_bytes_are_stored_once_whoever_owns_them(store: Store):
    for owner in ("run", "other"):
        for path in ("a", "b/c"):
            log_bytes(store, owner, path, b"same")
    assert len(list(store.blobs.folder.glob("??/*"))) == 1


def test_a_prefix_is_a_folder_and_no_beginning_of_a_name(store: Store):
    for path in ("plots", "plots2/a", "tables/a", "tables/b/c", "tables0"):
        log_bytes(store, "run", path, b"")
    assert [one.path for one in list_artifacts(store, "run", "tables")] == ["tables/a", "tables/b/c"]
    assert [one.path for one in list_artifacts(store, "run", "plots")] == ["plots"]
    assert list_artifacts(store, "run", "table") == []


def test_removed_is_removed_for_its_owner_alone(store: Store):
    log_bytes(store, "run", "a", b"1")
    log_bytes(store, "other", "a", b"1")
    remove_artifact(store, "run", "a")
    with pytest.raises(NotFound, match="has no artifact"):
        get_artifact(store, "run", "a")
    with pytest.raises(NotFound):
        remove_artifact(store, "run", "a")
    assert read_artifact(store, "other", "a") == b"1"


def test_changed_bytes_are_never_given(store: Store, tmp_path: Path):
    made = log_bytes(store, "run", "a", b"truth")
    blob = store.blobs.path(made.blob)
    blob.chmod(0o644)
    blob.write_bytes(b"wrong")
    out = tmp_path / "out"
    out.write_text("before")
    with pytest.raises(BrokenArtifact):
        save_artifact(store, "run", "a", out)
    with pytest.raises(BrokenArtifact):
        read_artifact(store, "run", "a")
    assert out.read_text() == "before"


def test_what_is_no_file_is_refused(store: Store, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path, tmp_path / "nothing", tmp_path / "pipe"):
        with pytest.raises(UsageError, match="expected a file"):
            log_file(store, "run", "a", source)
