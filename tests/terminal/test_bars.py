"""A bar is drawn for people, and nothing is written for programs."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from plusone.terminal.bars import bar

SCRIPT = """
from plusone.terminal.bars import bar
with bar("freeing", in_bytes={in_bytes}) as on_progress:
    on_progress(512, 1024)
"""


def test_nothing_is_written_where_nobody_looks(capsys: pytest.CaptureFixture[str]):
    with bar("freeing") as on_progress:
        on_progress(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("in_bytes", "said"), [(True, b"0.5/1.0 kB"), (False, b" 512/1024")])
def test_a_bar_says_how_much_of_how_much(in_bytes: bool, said: bytes):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}
    command = [sys.executable, "-c", SCRIPT.format(in_bytes=in_bytes)]
    process = subprocess.Popen(command, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:  # a terminal that nobody writes to any more ends so
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"freeing" in seen
    assert said in seen
