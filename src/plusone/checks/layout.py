"""The tests of a release as they were: what is kept of how pytest was told to run them, and the folder that they make.

A release keeps every file of its tests, the project's Python files, and the part of each configuration file that is
pytest's own: the rest of pyproject.toml is nobody's business here.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..base.config import Checks, Project
from ..base.files import inside
from ..base.records import Record
from .session import CONFIGS, has_pytest_options

__all__ = ["Testing", "described", "lay_out", "options_of"]


class Testing(Record, frozen=True, kw_only=True):
    """What the tests of a release were told beside its data and its model; part of the release's manifest."""

    folder: str = "tests"
    """The tests folder, relative to the project's."""
    models: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    """The step outputs that the project's steps would make."""
    checks: Checks | None = None
    """What the project said of plusone's own checks; None in releases of before, which do not say."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """What pytest was told in files (see `options_of`)."""


def described(project: Project, models: Iterable[str], declared: Iterable[str]) -> dict[str, Any]:
    """Return what a release keeps of how its tests were run, as plain values."""
    found = Testing(
        folder=Path(os.path.relpath(project.tests, project.root)).as_posix(),
        models=tuple(models),
        declared=tuple(declared),
        checks=project.checks,
        options=options_of(project.root),
    )
    return msgspec.to_builtins(found)


def options_of(root: Path) -> dict[str, Any]:
    """Return what pytest is told in the files of a project: the text of each, of pyproject.toml its tables."""
    found: dict[str, Any] = {}
    for name in CONFIGS:
        file = root / name
        if has_pytest_options(file):
            text = file.read_text("utf-8")
            found[name] = tomllib.loads(text).get("tool", {}).get("pytest") if name == "pyproject.toml" else text
    return found


def lay_out(folder: Path, files: Mapping[str, str], options: Mapping[str, Any], read: Callable[[str], bytes]) -> None:
    """Write the files of a project into an empty folder, and what pytest is told.

    Args:
        files: their digests by path, relative and with '/'.
        options: as `options_of` returned it.
        read: returns the bytes of a digest.

    Raises:
        BrokenArtifact: when bytes are missing, or a path leads out of the folder.
    """
    for name, digest in files.items():
        place = inside(folder, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(read(digest))
    for name, said in options.items():
        text = said if isinstance(said, str) else "\n".join(_toml("tool.pytest", said or {}))
        inside(folder, name).write_text(text + "\n", "utf-8")


def _toml(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of a table: text, truths, numbers and lists of them are written in TOML as in JSON."""
    yield f"[{name}]"
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    for key, value in table.items():
        if key not in inner:
            yield f"{_quoted(key)} = {_quoted(value)}"
    for key, value in inner.items():
        yield from _toml(f"{name}.{_quoted(key)}", value)


def _quoted(value: Any) -> str:
    # TOML has no surrogate pairs, and wants the one control character escaped that JSON does not.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
