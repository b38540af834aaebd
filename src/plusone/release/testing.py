"""What the tests of a release are told: its step outputs, its package, the live release and what that was made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from ..base.config import Project
from ..base.records import Dataset, Learning, Release, Session
from ..checks.context import Context, ReleaseRef
from ..packaging import keeping
from ..packaging.environments import make_environment
from ..store import Store
from ..store.database import Transaction
from ..store.rows import from_row, to_row
from ..tracking.runs import list_steps
from ..trust.records import trusted_digests

__all__ = ["add_session", "context_for", "outputs_of"]


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
        packages: the folder to lay packages out in.
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
        trusted=tuple(sorted(trusted_digests(store.db))),
    )


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
