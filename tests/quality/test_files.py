"""Files that a command is told to write: whole, in folders that are made, never in the place of a link or a pipe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plusone.base.errors import UsageError
from plusone.quality.files import write_whole


def test_folders_are_made_and_a_file_is_replaced(tmp_path: Path):
    write_whole(tmp_path / "a" / "b.txt", "one")
    write_whole(tmp_path / "a" / "b.txt", "two \ud800")
    assert (tmp_path / "a" / "b.txt").read_text("utf-8") == "two ?"
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_a_link_stays_and_a_pipe_is_written_to(tmp_path: Path):
    (tmp_path / "kept.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "kept.txt")
    write_whole(link, "new")
    assert (link.is_symlink(), (tmp_path / "kept.txt").read_text()) == (True, "new")
    reading, writing = os.pipe()
    write_whole(Path(f"/dev/fd/{writing}"), "through the pipe")
    os.close(writing)
    with os.fdopen(reading) as stream:
        assert stream.read() == "through the pipe"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, "by its name")
    assert os.read(end, 100) == b"by its name"
    os.close(end)
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", ["kept.txt/x", ".", "long" * 100])
def test_a_place_that_can_not_be_written_is_said_without_names_of_ours(tmp_path: Path, place: str):
    (tmp_path / "kept.txt").write_text("old")
    with pytest.raises(UsageError, match="can't be written: ") as raised:
        write_whole(tmp_path / place, "new")
    assert ".tmp-" not in str(raised.value)
    assert "Errno" not in str(raised.value)
