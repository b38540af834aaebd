"""The pytest plugin, found by the entry point `pytest11`, so it is loaded by every pytest of the environment.

It is idle, and imports next to nothing, unless `plusone` started this pytest (`PLUSONE_CHECKS` is set) or what is to be
tested lies in a project (the nearest pyproject.toml has `[tool.plusone]`).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["project_above", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures and, when plusone started this pytest, the recorder of what comes of each test."""
    # Taken out of the environment: a pytest that a test of the project starts is not this session.
    path = os.environ.pop("PLUSONE_CHECKS", "")
    root = config.rootpath if path else _project_of(config)
    if root is None:
        return
    config.addinivalue_line("markers", "model(*names): the model, or models, of the project that this test is for")
    from . import active

    active.activate(config, Path(path) if path else None, root)


def _project_of(config: pytest.Config) -> Path | None:
    """Return the project that the tests lie in: below the rootdir, where the options of pytest are those of a folder
    above, as in a repository of several projects."""
    if _is_project(config.rootpath):
        return config.rootpath
    for argument in config.args:
        found = project_above(config.invocation_params.dir / argument.partition("::")[0])
        if found is not None:
            return found
    return None


def project_above(place: Path) -> Path | None:
    """Return the project that a file or a folder lies in: of the nearest pyproject.toml, None if that is none."""
    found = next((folder for folder in (place, *place.parents) if (folder / "pyproject.toml").is_file()), None)
    return found.resolve() if found is not None and _is_project(found) else None


def _is_project(root: Path) -> bool:
    try:
        text = (root / "pyproject.toml").read_bytes()
    except OSError:
        return False
    if b"plusone" not in text:
        return False
    import tomllib

    try:
        return "plusone" in tomllib.loads(text.decode("utf-8")).get("tool", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
