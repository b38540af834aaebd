"""The bar of long uploads."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from plusone.scripts import uploads
from plusone.scripts.uploads import showing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("is_terminal", "size_bytes", "shown"), [(True, 100, True), (False, 100, False), (True, 9, False)]
)
def test_a_bar_is_shown_on_a_terminal_when_there_is_much_to_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool, size_bytes: int, shown: bool
):
    monkeypatch.setattr(uploads, "_FROM_BYTES", 10)
    stream = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    file = tmp_path / "f"
    file.write_bytes(b"x" * size_bytes)
    with showing("storing f", [file]) as stored:
        if stored:
            stored(size_bytes)
    assert ("storing f" in stream.getvalue()) == shown
