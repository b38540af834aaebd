"""Whoever waits for a folder to change is told soon, and without a word from the kernel looks often."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from plusone.workers import changes
from plusone.workers.changes import Changes


def test_a_file_that_is_put_there_by_rename_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_TOLD_S", 60.0)
    (tmp_path / "folder").mkdir()
    watched = Changes(tmp_path / "folder")
    assert watched.is_told
    (tmp_path / "new").write_bytes(b"1")
    for _ in range(3):
        waiting = threading.Thread(target=watched.wait)
        waiting.start()
        (tmp_path / "folder" / "hidden").write_bytes(b"2")
        os.replace(tmp_path / "folder" / "hidden", tmp_path / "folder" / "route")
        waiting.join(30)
        assert not waiting.is_alive()
    watched.close()
    watched.close()


def test_what_changed_before_the_wait_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_TOLD_S", 60.0)
    watched = Changes(tmp_path)
    (tmp_path / "a").write_bytes(b"")
    waiting = threading.Thread(target=watched.wait)
    waiting.start()
    waiting.join(30)
    assert not waiting.is_alive()
    watched.close()


def test_a_folder_that_is_not_there_is_looked_at_often(tmp_path: Path) -> None:
    watched = Changes(tmp_path / "nothing")
    assert not watched.is_told
    watched.wait()
    watched.close()


@pytest.mark.parametrize("folder", [".", "nothing"])
def test_a_wait_can_be_ended_by_another_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setattr(changes, "_TOLD_S", 60.0)
    monkeypatch.setattr(changes, "_UNTOLD_S", 60.0)
    watched = Changes(tmp_path / folder)
    waiting = threading.Thread(target=watched.wait)
    waiting.start()
    watched.wake()
    waiting.join(30)
    assert not waiting.is_alive()
    watched.close()
    watched.wake()
