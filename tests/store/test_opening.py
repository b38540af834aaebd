"""A store is opened where it is, or made."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.base.errors import StoreError
from plusone.store import open_store


def test_without_create_a_missing_store_is_an_error_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        open_store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_git_never_sees_a_store(tmp_path: Path) -> None:
    open_store(tmp_path / "store").close()
    assert (tmp_path / "store" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_can_not_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't be made"):
        open_store(tmp_path / "file" / "store")


def test_records_that_are_gone_from_beside_their_blobs_are_not_begun_anew(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    digest = store.blobs.put_bytes(b"kept")
    store.close()
    away = tmp_path / "away"
    (tmp_path / "store" / "plusone.db").rename(away)
    with pytest.raises(StoreError, match="The records of the store are gone") as error:
        open_store(tmp_path / "store")
    assert not (tmp_path / "store" / "plusone.db").exists()
    assert f"mv {tmp_path / 'store'} " in error.value.mend
    away.rename(tmp_path / "store" / "plusone.db")
    assert open_store(tmp_path / "store").blobs.has(digest)
