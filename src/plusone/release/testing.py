"""What the tests of a release are told: its step outputs, its package, the live release and what that was made with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from ..base.config import Project
from ..base.errors import StoreError
from ..base.records import Dataset, Learning, Release, Session
from ..checks.context import Context, ReleaseRef
from ..packaging import keeping
from ..packaging.environments import make_environment
from ..predictions.collecting import collect
from ..store import Store
from ..store.database import Transaction
from ..store.rows import from_row, to_row
from ..tracking.runs import list_steps
from ..trust.records import trusted_digests

__all__ = ["REQUESTS", "add_session", "context_for", "outputs_of"]

REQUESTS = "requests.arrow"
"""The file with the requests that a candidate is asked again, beside the packages of a session."""


def context_for(
    project: Project,
    store: Store,
    *,
    subject: Literal["data", "model"],
    model: str,
    models: Iterable[str],
    outputs: Mapping[str, Dataset],
    declared: Iterable[str],
    learning: Learning,
    candidate: Release | None,
    live: Release | None,
    packages: Path,
) -> Context:
    """Return what one session of tests is told.

    Args:
        outputs: the step outputs that were made.
        declared: those that the project's steps would make.
        candidate: the release under test; None while there is none, in the tests on data.
        packages: the folder to lay packages out in. What else the test process reads is written beside it.
    """
    return Context(
        root=str(project.root),
        tests=str(project.tests),
        blobs=str(store.blobs.folder),
        bucket=store.blobs.address,
        subject=subject,
        model=model,
        models=tuple(models),
        outputs=dict(outputs),
        not_made=tuple(sorted(set(declared) - set(outputs))),
        learning=learning,
        before=outputs_of(store, live.run_id) if live is not None else {},
        settings=project.checks,
        candidate=_reference(store, candidate, packages),
        live=_reference(store, live, packages),
        requests=_requests(project, store, model, packages.parent) if subject == "model" and live is not None else "",
        trusted=tuple(sorted(trusted_digests(store.db))),
    )


def _requests(project: Project, store: Store, model: str, folder: Path) -> str:
    """Write the newest logged requests for the process of the tests, which must not open the database.

    Return the path of the file; '' where none are logged, or none are wanted.
    """
    checks = project.checks
    if not checks.built_in or not checks.replay_requests or "replay" in checks.skip:
        return ""
    from ..monitoring.requests import write_requests  # loads numpy and pyarrow

    # What was answered a moment ago may be in the journals still; who can't write now uses what is there.
    with contextlib.suppress(StoreError):
        collect(store, store.folder / "serving")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REQUESTS
    path.unlink(missing_ok=True)
    return str(path) if write_requests(store, model, checks.replay_requests, path) else ""


def outputs_of(store: Store, run_id: str) -> dict[str, Dataset]:
    """Return the step outputs of a run whose records are there still, by name."""
    found: dict[str, Dataset] = {}
    for step in list_steps(store, run_id):
        for name, digest in step.outputs.items():
            row = store.db.one("dataset_get", digest=digest)
            if row is not None:
                found[name] = from_row(Dataset, row)
    return found


def add_session(tx: Transaction, session: Session) -> None:
    """Add a session and its checks to the store."""
    row = to_row(session)
    del row["checks"]
    tx.execute("session_add", **row)
    for position, check in enumerate(session.checks):
        tx.execute("check_add", session_id=session.id, position=position, **to_row(check))


def _reference(store: Store, release: Release | None, packages: Path) -> ReleaseRef | None:
    if release is None:
        return None
    folder = keeping.give(release.package, store.blobs, packages)
    make_environment(folder)
    number = release.number or None
    return ReleaseRef(number=number, digest=release.digest, package=release.package, folder=str(folder))
