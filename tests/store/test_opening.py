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
