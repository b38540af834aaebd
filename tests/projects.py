"""Runs a project of `examples/` at a small size, as its reader would: copied, released, and loaded as it is served."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import plusone
from plusone.execution.environment import owner_of
from plusone.packaging import keeping
from plusone.predictor import Predictor, load
from plusone.release.making import Request
from plusone.store import open_store

__all__ = ["copy_example", "missed_without", "release_example"]

_EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def copy_example(name: str, folder: Path) -> Path:
    """Return a copy of an example, without what runs of it left there."""
    left = shutil.ignore_patterns(".plusone", "__pycache__", ".pytest_cache")
    return Path(shutil.copytree(_EXAMPLES / name, folder / name, ignore=left))


def release_example(project: Path, **settings: Any) -> Predictor:
    """Make a release of a project, whose gate must open, and return it as it will be served."""
    said: list[str] = []
    with plusone.App(project) as app:
        made, _ = app.make_release(Request(settings=settings), on_event=lambda event: said.append(str(event)))
    assert made.outcome == "live", "\n".join(said)
    assert made.release is not None
    store = open_store(project / ".plusone")
    try:
        folder = keeping.give(made.release.package, store.blobs, project / "laid-out")
    finally:
        store.close()
    return load(folder, made.release.package)


def missed_without(project: Path, target: str) -> dict[str, str]:
    """Return, by line of the lock of a release, the module by whose name a replay failed without it: '' where the
    replay imported nothing of it.
    """
    with plusone.App(project) as app:
        verified = app.verify_package(target=target, each_line=True)
    assert verified.ok, verified.found.problems
    assert verified.found.rows > 0
    for line in verified.found.lines:
        # Whatever the model does there: a line of which something was imported is missed, and others are listed.
        assert bool(line.module) is bool(line.failure) is bool(line.without) is line.imported, line
        assert not line.module or owner_of(line.module) == line.name
    return {line.name: line.module for line in verified.found.lines}
