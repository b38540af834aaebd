"""The environment lock says what is installed, as the standard library does."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import distributions
from pathlib import Path

import msgspec._core
import numpy as np
import pytest

import plusone.base.errors
from plusone.base.errors import BrokenEnvironment
from plusone.execution.environment import imports_of, lock_of, lock_text, owner_of
from tests.execution.made import write_distribution


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


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, for distributions of this test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def lines(lock: str) -> list[str]:
    return [line for line in lock.splitlines() if not line.startswith("#")]


def test_the_lock_of_files_names_what_they_belong_to_and_neither_python_nor_plusone():
    files = [
        np.__file__,
        msgspec._core.__file__,
        re.__file__,
        json.__file__,
        plusone.base.errors.__file__,
        "",
        "_ops.py",
    ]
    lock = lock_of(files)
    versions = dict(line.split("==") for line in lock_text().splitlines() if "==" in line)
    assert lines(lock) == [f"msgspec=={versions['msgspec']}", f"numpy=={versions['numpy']}"]
    assert lock.splitlines()[:2] == lock_text().splitlines()[:2]
    assert imports_of(lock) == ["msgspec._core", "numpy"]


def test_modules_of_a_namespace_and_data_belong_to_the_distribution_that_lists_them(site: Path):
    write_distribution(site, "one", files={"space/one/__init__.py": ""})
    write_distribution(site, "Two.x", "3", files={"space/two.py": ""})
    write_distribution(site, "words", files={"words_data/list.txt": "a"})
    found = lock_of(str(site / path) for path in ("space/one/__init__.py", "space/two.py", "words_data/list.txt"))
    assert lines(found) == ["one==1.0", "two-x==3", "words==1.0"]
    assert imports_of(found) == ["space.one", "space.two"]


def test_a_file_that_only_this_machine_has_is_named(site: Path, tmp_path: Path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "features.py").touch()
    (site / "stray.py").touch()
    own = str(tmp_path / "project" / "features.py")
    assert lines(lock_of([own], project=[tmp_path / "project"])) == []
    with pytest.raises(BrokenEnvironment, match=r"features\.py"):
        lock_of([own])
    with pytest.raises(BrokenEnvironment, match=r"stray\.py"):
        lock_of([str(site / "stray.py")], project=[tmp_path / "project"])


def test_an_editable_distribution_is_named_and_what_finds_it_is_nothing(site: Path, tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.py").touch()
    write_distribution(site, "mine", files={"__editable___mine_finder.py": ""}, editable=tmp_path / "work")
    assert lines(lock_of([str(site / "__editable___mine_finder.py")])) == []
    with pytest.raises(BrokenEnvironment, match="editable"):
        lock_of([str(tmp_path / "work" / "mine.py")])


def test_a_file_by_a_link_and_one_of_another_folder_are_found(site: Path, tmp_path: Path):
    write_distribution(site, "linked")
    (tmp_path / "link").symlink_to(site)
    assert lines(lock_of([str(tmp_path / "link" / "linked.py")])) == ["linked==1.0"]
    write_distribution(tmp_path / "elsewhere", "other", "2.0")
    assert lines(lock_of([str(tmp_path / "elsewhere" / "other.py")], path=[str(tmp_path / "elsewhere")])) == [
        "other==2.0"
    ]


def test_the_owner_of_a_module_is_found_without_importing_it(site: Path):
    write_distribution(site, "One-x", files={"space/one/__init__.py": "raise SystemExit", "fast.cpython-311.so": ""})
    assert owner_of("space.one.deep") == owner_of("space.one") == owner_of("fast") == owner_of("one_x") == "one-x"
    assert owner_of("numpy.linalg") == "numpy"
    assert owner_of("there_is_no_such_module") == ""
