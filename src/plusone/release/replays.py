"""A replay by hand: a release is asked the newest logged requests beside another one, and nothing is recorded."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from ..base.config import Project
from ..base.errors import BrokenArtifact, Conflict, NotFound, PlusoneError, StoreError, UsageError
from ..base.records import Record, Release
from ..monitoring.replayed import Replayed, Verdict, judge
from ..packaging import keeping
from ..packaging.environments import make_environment
from ..predictions.collecting import collect
from ..store import Store
from ..trust.records import trusted_digests
from .lifecycle import find_release, list_releases

__all__ = ["GONE", "ReplayReport", "replay_by_hand"]

GONE = "plusone store check  (names all that is missing); then restore it from a copy, or: plusone release --again"


class ReplayReport(Record, frozen=True, kw_only=True):
    """A replay by hand, and what it means by the project's bounds."""

    replayed: Replayed
    verdicts: tuple[Verdict, ...]


def replay_by_hand(
    project: Project, store: Store, target: str, *, against: str = "", requests: int | None = None
) -> ReplayReport:
    """Ask a release the newest requests of its model beside another one, by default the live one; nothing is recorded.

    Raises:
        UsageError: when both are the same release or of two models, or the number of requests is none.
        Conflict: when none is live, no request is logged, or gc has freed a package.
    """
    count = project.checks.replay_requests if requests is None else requests
    if not 1 <= count <= 1_000_000:
        raise UsageError(f"requests = {count}: expected 1 to 1,000,000.", mend="--requests 10000")
    release = find_release(store.db, target)
    other = _other(store, release, against)
    from ..measuring.replay import replay  # these load numpy and a runtime
    from ..monitoring.requests import newest_requests
    from ..predictor import load

    with contextlib.suppress(StoreError):
        collect(store, store.folder / "serving")
    table = newest_requests(store, release.model, count)
    if not table.num_rows:
        raise Conflict(f"No request of {release.model} is logged.", mend="plusone up, then send it some")
    trusted = frozenset(trusted_digests(store.db))
    with tempfile.TemporaryDirectory(prefix="plusone-replay-") as scratch, contextlib.ExitStack() as stack:
        model = load(_laid_out(store, release, Path(scratch)), release.package, trusted=trusted)
        stack.callback(model.close)
        before = load(_laid_out(store, other, Path(scratch)), other.package, trusted=trusted)
        stack.callback(before.close)
        found = replay(
            model,
            before,
            table,
            candidate=f"{release.model}@{release.number}",
            before=f"{other.model}@{other.number}",
            labels_margin=project.checks.replay_labels_margin,
        )
    return ReplayReport(replayed=found, verdicts=judge(found, project.checks))


def _other(store: Store, release: Release, against: str) -> Release:
    if against:
        other = find_release(store.db, against if "@" in against else f"{release.model}@{against}")
        if other.model != release.model:
            raise UsageError(
                f"{against} is of another model than {release.model}@{release.number}.",
                mend=f"--against {release.model}@N",
            )
    else:
        live = next((one for one in list_releases(store.db, release.model) if one.stage == "live"), None)
        if live is None:
            raise Conflict(f"No release of {release.model} is live.", mend=f"--against {release.model}@N")
        other = live
    if other.number == release.number:
        raise UsageError(
            f"{release.model}@{release.number} can't be compared with itself{'' if against else ': it is live'}.",
            mend=f"--against {release.model}@N",
        )
    return other


def _laid_out(store: Store, release: Release, scratch: Path) -> Path:
    name = f"{release.model}@{release.number}"
    if freed := store.db.one("freed_get", package=release.package):
        raise Conflict(
            f"{name} can't be asked: plusone gc freed its files on {freed['at'][:10]}.",
            mend="plusone release --again  (makes one of today's code, and asks it)",
        )
    try:
        folder = keeping.give(release.package, store.blobs, scratch)
    except (NotFound, OSError) as error:
        text = error.message if isinstance(error, PlusoneError) else str(error)
        raise BrokenArtifact(f"The package of {name} can't be laid out: {text}", mend=GONE) from error
    make_environment(folder)
    return folder
