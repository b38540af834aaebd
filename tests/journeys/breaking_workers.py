"""Workers that break when they load a release, or when a test says so."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["BREAKING", "Breaking"]

BREAKING = Path(__file__).parent / "breaking"


class Breaking:
    """What happens to whoever loads a package, in every process that is started after this was made."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        patch.setenv("TESTS_BREAKING", str(folder))
        source = Path(__file__).parents[2] / "src"
        patch.setenv("PYTHONPATH", f"{BREAKING}:{source}")

    def break_load(self, package: str, how: str) -> None:
        """Say what happens to whoever loads `package`: hang, segfault, kill or memory."""
        (self.folder / package).write_text(how, "ascii")

    def mend(self, package: str) -> None:
        """Let `package` load."""
        (self.folder / package).unlink()
