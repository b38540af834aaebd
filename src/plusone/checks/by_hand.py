"""What the tests get when a person types `pytest` in a project: the last run's outputs and the newest release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from ..base.config import Project, load_project
from ..base.records import Dataset, Release
from .context import Context, ReleaseRef

__all__ = ["CHOICE", "by_hand"]

CHOICE = "PLUSONE_MODEL"
"""The environment variable that says which model the tests are about, in a project with several."""


def by_hand(root: Path) -> Context | None:
    """Return the context of the project's last run, None when there was none yet.

    `model` is then the newest release of the model, whatever its stage, and `live` the live one. In a project with
    several models `PLUSONE_MODEL` says which; without it there is no `model`.

    Raises:
        ConfigError, StoreError: the project's settings or its store can't be read.
    """
    from ..store import open_project

    project = load_project(root)
    if not project.database and not (project.store / "plusone.db").exists():
        return None
    store = open_project(project, create=False)
    try:
        outputs = _outputs(store)
        models = tuple(str(row["model"]) for row in store.db.all("model_list"))
        chosen = os.environ.get(CHOICE) or (models[0] if len(models) == 1 else "")
        releases = store.db.all("release_list", model=chosen) if chosen else []
        live = next((row for row in releases if row["stage"] == "live"), None)
        return Context(
            root=str(project.root),
            tests=str(project.tests),
            blobs=str(store.blobs.folder),
            bucket=store.blobs.address,
            subject="model",
            model=chosen,
            models=models,
            outputs=outputs,
            candidate=_reference(releases[-1] if releases else None, store, project),
            live=_reference(live, store, project),
        )
    finally:
        store.close()


def _outputs(store: Any) -> dict[str, Dataset]:
    """Return what each step made when it last ran."""
    from ..store.rows import from_row

    found: dict[str, Dataset] = {}
    for row in store.db.all("step_run_latest"):
        for name, digest in msgspec.json.decode(row["outputs"], type=dict[str, str]).items():
            dataset = store.db.one("dataset_get", digest=digest)
            if dataset is not None:
                found[name] = from_row(Dataset, dataset)
    return found


def _reference(row: dict[str, Any] | None, store: Any, project: Project) -> ReleaseRef | None:
    from ..packaging import keeping
    from ..packaging.environments import make_environment
    from ..store.rows import from_row

    if row is None:
        return None
    release = from_row(Release, row)
    folder = keeping.give(release.package, store.blobs, project.store / "serving" / "packages")
    make_environment(folder)
    return ReleaseRef(number=release.number, digest=release.digest, package=release.package, folder=str(folder))
