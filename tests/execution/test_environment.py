"""The environment lock says what is installed, as the standard library does."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from plusone.execution.environment import lock_text


def test_it_lists_every_distribution_as_importlib_knows_it():
    lines = lock_text().splitlines()
    expected: dict[str, str] = {}
    for one in distributions():
        if one.metadata["Name"]:
            expected.setdefault(re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version)
    assert lines[0].startswith("# python 3.")
    assert lines[2:] == [f"{name}=={version}" for name, version in sorted(expected.items())]


def test_the_first_on_the_path_counts_and_odd_metadata_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for folder, name, text in (
        (
            "a",
            "Odd_Name-1.0.dist-info",
            "Metadata-Version: 2.1\nName: Odd_Name\nVersion: 1.0\n\nName: other\nVersion: 9\n",
        ),
        ("b", "odd.name-2.0.dist-info", "Name: odd.name\nVersion: 2.0\n"),
        ("b", "empty-1.dist-info", ""),
        ("b", "windows-3.dist-info", "Name: windows\r\nVersion: 3\r\n\r\ntext"),
    ):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "METADATA").write_bytes(text.encode())
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert lock_text().splitlines()[2:] == ["odd-name==1.0", "windows==3"]
