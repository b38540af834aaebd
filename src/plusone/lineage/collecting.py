"""`plusone gc`: says what nothing needs, and removes it.

Nothing is removed that a record needs: each batch goes while no other process can write a record, and only if none was
written since the needs were looked up. Bytes that are stored but not yet in a record are young, and the young are let
be. Killed at any moment it leaves less to remove, and no record that promises more than there is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..base import clock
from ..base.errors import Conflict
from ..base.records import Amount, Freeing
from ..store import Store
from ..store.blobs import BlobStat
from ..store.database import Database, Transaction
from ..tracking.runs import recover_runs
from .references import References, find_references

__all__ = [
    "GRACE_S",
    "OLDER_THAN_S",
    "PREDICTIONS_S",
    "OnProgress",
    "collect",
    "needed_now",
    "only_one",
    "plan",
    "unheard",
]

OLDER_THAN_S = 30 * 86400.0
PREDICTIONS_S = 90 * 86400.0
GRACE_S = 3600.0
_BATCH = 1000
_PATIENCE = 1

OnProgress = Callable[[int, int], object]
"""Is told how many bytes were freed, and of how many."""


def unheard(done: int, total: int) -> None:
    """Do nothing with the progress."""


def plan(
    store: Store,
    *,
    older_than_s: float = OLDER_THAN_S,
    predictions_s: float = PREDICTIONS_S,
    grace_s: float = GRACE_S,
) -> Freeing:
    """Return what `collect` would free; nothing is changed."""
    forgotten = clock.ago(predictions_s)
    references = find_references(store, store.db, since=clock.ago(older_than_s), predictions_since=forgotten)
    before = clock.ago(grace_s)
    unneeded = [blob for blob in store.blobs.list() if blob.digest not in references.needed]
    old = [blob for blob in unneeded if blob.modified_at < before]
    left = _left_files(store, references, before)
    return _freeing(
        references,
        old,
        left,
        _holding(store.db, references),
        waiting=len(unneeded) - len(old),
        predictions=_old_predictions(store.db, forgotten),
    )


def collect(
    store: Store,
    *,
    older_than_s: float = OLDER_THAN_S,
    predictions_s: float = PREDICTIONS_S,
    grace_s: float = GRACE_S,
    on_progress: OnProgress = unheard,
) -> Freeing:
    """Free what nothing needs and return what was freed.

    Args:
        older_than_s: runs that ended longer ago, and deleted runs that were deleted longer ago, hold nothing.
        predictions_s: predictions that were logged longer ago are forgotten; what was logged together goes together.
        grace_s: blobs that were stored or asked for less long ago stay: their record may be still to come.

    Raises:
        Conflict: when another process does the same just now.
        StoreError: when something can't be removed; what was removed by then is removed.
    """
    since, forgotten = clock.ago(older_than_s), clock.ago(predictions_s)
    before = clock.ago(grace_s)
    with only_one(store):
        _recover(store)
        seen = store.db.version()
        references = find_references(store, store.db, since=since)
        with store.db.write() as tx:
            # What was looked up while others could write holds if nobody did: they need not wait for it.
            if store.db.version() != seen:
                references = find_references(store, tx, since=since)
            emptied = _holding(tx, references)
            _forget(tx, references, emptied)
            predictions = _old_predictions(tx, forgotten)
            tx.execute("retention_forget_predictions", before=forgotten)
            tx.execute("collected_add", at=clock.now(), since=since)
        seen, kinds = store.db.version(), references.kinds
        # Looked up again: somebody may have written a record before the version was asked for.
        references = find_references(store, store.db, since=since)
        unneeded = [blob for blob in store.blobs.list() if blob.digest not in references.needed]
        old = [blob for blob in unneeded if blob.modified_at < before]
        left = _left_files(store, references, before)
        total = sum(blob.size_bytes for blob in old)
        removed: list[BlobStat] = []
        for start in range(0, len(old), _BATCH):
            digests = [blob.digest for blob in old[start : start + _BATCH]]
            seen, references, gone = _remove(store, digests, seen, references, since=since, before=before)
            removed += gone
            on_progress(sum(blob.size_bytes for blob in removed), total)
        for path, _ in left:
            _remove_left(path)
        references.kinds = kinds  # as what they were kept before deleted runs lost them
    return _freeing(references, removed, left, emptied, waiting=len(unneeded) - len(old), predictions=predictions)


def needed_now(store: Store) -> set[str] | None:
    """Return the digests of the blobs that must be there after all that gc has freed; None when it never was run."""
    row = store.db.one("collected_since")
    if row is None or row["since"] is None:
        return None
    return find_references(store, store.db, since=row["since"]).needed


def _remove(
    store: Store, digests: Sequence[str], seen: int, references: References, *, since: str, before: str
) -> tuple[int, References, list[BlobStat]]:
    """Remove one batch while nobody can write a record; return the state that it was judged by."""
    for attempt in range(_PATIENCE + 1):
        with store.db.write() as tx:
            now = store.db.version()
            if now != seen and attempt == _PATIENCE:
                # The store is busy: others wait while it is looked up.
                references = find_references(store, tx, since=since)
                seen = now
            if now == seen:
                some = [digest for digest in digests if digest not in references.needed]
                return seen, references, store.blobs.remove_old(some, before=before)
        seen = store.db.version()
        references = find_references(store, store.db, since=since)
    return seen, references, []


def _old_predictions(db: Database | Transaction, before: str) -> int:
    row = db.one("retention_old_predictions", before=before)
    return int(row["count"]) if row else 0


def _holding(db: Database | Transaction, references: References) -> list[str]:
    """Return the deleted runs that have anything left to lose."""
    found: list[str] = []
    for run_id in references.deleted_runs:
        row = db.one("retention_holdings", run_id=run_id)
        if row and row["count"]:
            found.append(run_id)
    return found


def _forget(tx: Transaction, references: References, deleted_runs: Sequence[str]) -> None:
    """Write down which packages go, and take from deleted runs what they hold."""
    now = clock.now()
    for package in references.freed_releases.values():
        tx.execute("freed_add", package=package, at=now)
    for run_id in deleted_runs:
        tx.execute("retention_forget_artifacts", owner=run_id)
        tx.execute("retention_forget_points", run_id=run_id)
        tx.execute("retention_forget_positions", run_id=run_id)
        tx.execute("retention_forget_metrics", run_id=run_id)
        tx.execute("retention_forget_latest", run_id=run_id)


def _freeing(
    references: References,
    blobs: Sequence[BlobStat],
    left: Sequence[tuple[Path, int]],
    deleted_runs: Sequence[str],
    *,
    waiting: int,
    predictions: int,
) -> Freeing:
    kinds: dict[str, Amount] = {}
    for blob in blobs:
        kind = references.kinds.get(blob.digest, "unknown")
        kinds[kind] = _plus(kinds.get(kind, Amount()), 1, blob.size_bytes)
    if left:
        kinds["temporary"] = Amount(count=len(left), size_bytes=sum(size for _, size in left))
    gone = {blob.digest for blob in blobs}
    files = references.package_files
    return Freeing(
        count=sum(part.count for part in kinds.values()),
        size_bytes=sum(part.size_bytes for part in kinds.values()),
        kinds=dict(sorted(kinds.items())),
        releases=tuple(name for name, package in references.freed_releases.items() if gone & files.get(package, set())),
        deleted_runs=tuple(deleted_runs),
        waiting=waiting,
        predictions=predictions,
    )


def _plus(amount: Amount, count: int, size_bytes: int) -> Amount:
    return Amount(count=amount.count + count, size_bytes=amount.size_bytes + size_bytes)


# ---------------------------------------------------------------------------------------- files that are no blobs


def _left_files(store: Store, references: References, before: str) -> list[tuple[Path, int]]:
    """Return what killed processes left half-written, and copies of datasets that are not needed, with their sizes."""
    blobs = store.blobs.folder
    found = [*blobs.glob(".tmp-*"), *store.folder.glob(".tmp-*"), *(store.folder / "serving").glob("**/.tmp-*")]
    for copy in (blobs / "files").glob("*"):
        found += [copy] if copy.name not in references.needed else list(copy.glob(".tmp-*"))
    sized = [(path, *_newest(path)) for path in found]
    return [(path, size) for path, size, at in sized if at < clock.parse(before).timestamp()]


def _newest(path: Path) -> tuple[int, float]:
    """Return the size of a file, or of all below a folder, and when the last of it was written."""
    size, newest = 0, 0.0
    for place in [path, *(path.rglob("*") if path.is_dir() else ())]:
        with contextlib.suppress(FileNotFoundError):
            found = place.lstat()
            newest = max(newest, found.st_mtime)
            size += 0 if place.is_dir() else found.st_size
    return size, newest or time.time()


def _remove_left(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _recover(store: Store) -> None:
    """Close runs whose process died, unless a release is being made: it has done so itself."""
    with (store.folder / "release.lock").open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        recover_runs(store)


@contextlib.contextmanager
def only_one(store: Store) -> Iterator[None]:
    """Hold the lock of this store's gc; the kernel frees it when the process dies.

    Raises:
        Conflict: when another process holds it.
    """
    descriptor = os.open(store.folder / "gc.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("plusone gc goes on in another process.", mend="wait for it to end, and try again") from None
        yield
    finally:
        os.close(descriptor)
