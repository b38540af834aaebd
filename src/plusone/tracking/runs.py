"""Runs in the store: begun, finished, found again, and mended after a crash."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO, Any, Literal

from ..base import clock
from ..base.errors import NotFound
from ..base.ids import new_id
from ..base.records import Code, Dataset, MetricPoint, Run, StepRun
from ..journal import is_held
from ..recording.recorder import journal_of, recover_points
from ..store import Store
from ..store.rows import from_row, to_row
from .changing import index_settings, index_tags
from .code import index_code
from .experiments import DEFAULT

__all__ = [
    "OpenRun",
    "add_run",
    "get_run",
    "latest_metrics",
    "latest_outputs",
    "list_metrics",
    "list_runs",
    "list_steps",
    "recover_runs",
    "start_run",
]


class OpenRun:
    """A run that this process has begun. It holds a file lock as long as it lives, by which others know it does.

    Attributes:
        record: the run as it was begun.
        folder: where its journal and its output (`output.log`) are written.
    """

    def __init__(self, store: Store, record: Run) -> None:
        self._store = store
        self.record = record
        self.folder = store.folder / "runs" / record.id
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock: IO[bytes] = (self.folder / "lock").open("ab")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @property
    def output(self) -> Path:
        """Where what the run prints is kept."""
        return self.folder / "output.log"

    def finish(self, status: Literal["done", "failed", "interrupted"], *, error: str | None = None) -> dict[str, float]:
        """Record the run's end with its log; return each metric's latest value.

        Its recorders must be closed: what a process that ended without that has left is moved into the store first.
        """
        last = _close(self._store, self.record.id, self.folder, status, error)
        self._lock.close()
        return last


def start_run(
    store: Store,
    *,
    name: str,
    model: str | None = None,
    settings: dict[str, Any] | None = None,
    code: Code | None = None,
    environment: str | None = None,
    resumed_from: str | None = None,
    experiment: str = DEFAULT,
    source: Literal["release", "script", "mlflow"] = "release",
    by: str = "",
    tags: dict[str, str] | None = None,
) -> OpenRun:
    """Begin a run of this process: it is in the store, as `running`, when this returns."""
    record = Run(
        id=new_id(),
        name=name,
        status="running",
        started_at=clock.now(),
        model=model,
        settings=settings or {},
        code=code or Code(),
        environment=environment,
        resumed_from=resumed_from,
        experiment=experiment,
        source=source,
        by=by,
        tags=tags or {},
    )
    # The lock comes before the record: whoever sees the record finds it locked.
    run = OpenRun(store, record)
    add_run(store, record)
    return run


def add_run(store: Store, record: Run) -> None:
    """Put a run into the store, its settings and tags searchable."""
    with store.db.write() as tx:
        tx.execute("run_add", **to_row(record))
        index_settings(tx, record.id, record.settings)
        index_tags(tx, record.id, dict(record.tags))
        index_code(tx, record.id, record.code)


def recover_runs(store: Store) -> list[Run]:
    """Move what dead processes have logged into the store, and close their runs: `interrupted`, with their log.

    A run that came over MLflow's API has no process of ours: its points are moved, and it stays as it is. One that has
    no folder here is of another machine, which shares the store. Return the runs that were closed, oldest first.
    """
    torn = {one.run_id: one.torn_bytes for one in recover_points(store)}
    recovered: list[Run] = []
    for row in store.db.all("run_list_unfinished"):
        run = from_row(Run, row)
        folder = store.folder / "runs" / run.id
        if run.source == "mlflow" or not folder.is_dir() or _is_alive(folder):
            continue
        _close(store, run.id, folder, "interrupted", "The process that ran it died.", torn.get(run.id, 0))
        recovered.append(get_run(store, run.id))
    _sweep(store)
    return recovered


def get_run(store: Store, run_id: str) -> Run:
    """Return the run with this id or this beginning of an id.

    Raises:
        NotFound: when there is none, or more than one begins so.
    """
    is_beginning = run_id.isascii() and run_id.isalnum()
    rows = store.db.all("run_find", prefix=run_id.lower()) if is_beginning else []
    if len(rows) != 1:
        what = "No run has" if not rows else "More than one run has"
        raise NotFound(f"{what} an id that begins with {run_id!r}.", mend="plusone runs")
    return from_row(Run, rows[0])


def list_runs(store: Store, *, model: str | None = None, before: str | None = None, count: int = 50) -> list[Run]:
    """Return up to `count` runs, the newest first, of one model or of all, older than the id `before`."""
    return [from_row(Run, row) for row in store.db.all("run_list", model=model, before=before, count=count)]


def list_steps(store: Store, run_id: str) -> list[StepRun]:
    """Return the steps of a run in the order in which they ran."""
    return [from_row(StepRun, row) for row in store.db.all("step_run_list", run_id=run_id)]


def list_metrics(store: Store, run_id: str, key: str | None = None) -> list[MetricPoint]:
    """Return the logged points of a run, by metric and in the order of logging; those of a living run too.

    All of them, one record each: for long series there is `series.read_series`.
    """
    from ..recording.series import list_keys, read_series  # here: it loads numpy, and most commands need none

    points: list[MetricPoint] = []
    for name in list_keys(store, run_id) if key is None else [key]:
        columns = read_series(store, run_id, name)
        rows = zip(columns.steps.tolist(), columns.values.tolist(), columns.times.tolist(), strict=True)
        points += [MetricPoint(key=name, step=step, value=value, at=at) for step, value, at in rows]
    return points


def latest_metrics(store: Store, run: Run) -> dict[str, float]:
    """Return the latest value of each metric of a run, as far as the store has it: seconds behind a living run."""
    if run.metrics:
        return {key: float(latest.value) for key, latest in run.metrics.items()}
    # A run of before the latest values were kept in it.
    return {point.key: point.value for point in list_metrics(store, run.id)}


def latest_outputs(store: Store) -> dict[str, Dataset]:
    """Return, by output name, what each step made or reused in the newest run it took part in."""
    found: dict[str, Dataset] = {}
    for row in store.db.all("step_run_latest"):
        for name, digest in from_row(StepRun, row).outputs.items():
            stored = store.db.one("dataset_get", digest=digest)
            if stored is not None:
                found[name] = from_row(Dataset, stored)
    return found


def _is_alive(folder: Path) -> bool:
    """Say whether a process is at work on a run: the one that began it, or one that logs to it."""
    if is_held(folder / "journal"):
        return True
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _sweep(store: Store) -> None:
    """Remove the folders of runs that are in the store whole: their process was killed before it could."""
    folder = store.folder / "runs"
    for left in folder.iterdir() if folder.is_dir() else ():
        row = store.db.one("run_get", id=left.name)
        if row is not None and row["status"] != "running" and not _is_alive(left):
            shutil.rmtree(left, ignore_errors=True)


def _close(
    store: Store, run_id: str, folder: Path, status: str, error: str | None, torn_bytes: int = 0
) -> dict[str, float]:
    output = folder / "output.log"
    log = store.blobs.put_file(output) if output.exists() and output.stat().st_size else None
    torn_bytes += sum(one.torn_bytes for one in recover_points(store, run_id))
    if torn_bytes:
        told = f"{torn_bytes} bytes of its journal were no whole record, and were dropped."
        error = f"{error} {told}" if error else told
    with store.db.write() as tx:
        tx.execute("run_finish", id=run_id, status=status, finished_at=clock.now(), log=log, error=error)
    # Only now that the store has it all: a crash before this line leaves the files to be recovered again.
    if not is_held(journal_of(store, run_id)):
        shutil.rmtree(folder, ignore_errors=True)
    return latest_metrics(store, get_run(store, run_id))
