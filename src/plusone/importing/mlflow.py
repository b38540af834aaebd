"""Brings another MLflow tracking server over: experiments, runs, series, files, and what it counts there and here.

A run keeps its id, so that links and notebooks that name it go on working. A run is whole or it is begun again: the
tag `plusone.imported` is set last, and says what the run was like when it was read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import NotFound, UsageError
from ..base.ids import digest_json
from ..base.records import Experiment, Record, Run
from ..mlflow_wire.endpoint import MlflowError
from ..recording.recorder import Recorder, recover_points
from ..store import Store
from ..store.rows import from_row
from ..tracking import artifacts
from ..tracking.changing import set_tags
from ..tracking.experiments import DEFAULT, add_experiment, change_experiment, find_experiment
from ..tracking.inputs import add_inputs
from ..tracking.logged_models import link_models, put_logged_model
from ..tracking.runs import add_run
from .foreign import tracking_server
from .reading import inputs_of, links_of, model_of, run_of
from .registry import bring_registered
from .source import Source

__all__ = ["Counts", "Imported", "import_tracking"]

_TAG = "plusone.imported"

OnEvent = Callable[[dict[str, Any]], None]


class Counts(Record, frozen=True):
    """How much there is of each thing."""

    runs: int = 0
    settings: int = 0
    tags: int = 0
    points: int = 0
    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Imported(Record, frozen=True):
    """What an import did: `there` is what was read, `here` what the store has of it, counted after it was written."""

    source: str
    experiments: int
    there: Counts
    here: Counts
    skipped: int
    """Runs that an earlier import brought over whole; they are in both counts."""
    logged_models: int
    registered_models: int
    versions: int
    problems: tuple[str, ...]
    """What could not be brought over, or differs; empty: everything is here."""


def import_tracking(
    store: Store,
    uri: str,
    *,
    experiments: Sequence[str] = (),
    command: str | None = None,
    on_event: OnEvent = lambda event: None,
) -> Imported:
    """Bring the runs of an MLflow server or database over; return what was read and what is here now.

    Begun again after it was interrupted it goes on with the runs that are not here whole. Nothing is changed at the
    source.

    Args:
        uri: `http://HOST:PORT`, `sqlite:///mlflow.db`, another database, or the folder of a file store.
        experiments: the names of those to bring; default: all.
        command: the `mlflow` command that serves a database or a folder.
        on_event: called with `{"event": "experiment", ...}` and `{"event": "run", ...}` as it goes.

    Raises:
        UsageError: when the URI can't be one, or a named experiment is not there.
        Unavailable: when the source does not answer.
    """
    with (
        tracking_server(uri, command=command) as source,
        tempfile.TemporaryDirectory(prefix=".tmp-import-", dir=store.folder) as scratch,
    ):
        found = list(source.experiments())
        if missing := sorted(set(experiments) - {one["name"] for one in found}):
            raise UsageError(
                f"There is no experiment {missing[0]!r} at {source.address}. "
                f"There are: {', '.join(repr(one['name']) for one in found)}."
            )
        wanted = [one for one in found if not experiments or one["name"] in experiments]
        work = _Import(store, source, Path(scratch), on_event)
        for one in wanted:
            work.experiment(one)
        models, versions, problems = bring_registered(store, source) if not experiments else (0, 0, [])
        return Imported(
            source=source.address if uri.startswith("http") else uri.rpartition("@")[2],
            experiments=len(wanted),
            there=work.there,
            here=work.here,
            skipped=work.skipped,
            logged_models=work.logged_models,
            registered_models=models,
            versions=versions,
            problems=(*work.problems, *problems),
        )


class _Import:
    def __init__(self, store: Store, source: Source, scratch: Path, on_event: OnEvent) -> None:
        self.store = store
        self.source = source
        self.scratch = scratch
        self.on_event = on_event
        self.there = Counts()
        self.here = Counts()
        self.skipped = 0
        self.logged_models = 0
        self.problems: list[str] = []

    def experiment(self, found: dict[str, Any]) -> None:
        mine = self._experiment(found)
        self.on_event({"event": "experiment", "name": mine.name})
        experiment = str(found["experiment_id"])
        # Before the runs, which name them.
        for model in self.source.logged_models(experiment):
            self._guarded(f"logged model {model['info']['model_id']}", lambda one=model: self._model(mine, one))
        for run in self.source.runs(experiment):
            self._guarded(f"run {run['info']['run_id']}", lambda one=run: self._run(mine, one))
        if found.get("lifecycle_stage") == "deleted" and mine.id != DEFAULT:
            change_experiment(self.store, mine.id, deleted=True)

    def _guarded(self, what: str, bring: Callable[[], None]) -> None:
        try:
            bring()
        except (UsageError, NotFound, MlflowError) as error:
            # This one can't be had as it is; the others can.
            self.problems.append(f"{what}: {error.message}")

    def _model(self, experiment: Experiment, found: dict[str, Any]) -> None:
        model = model_of(found, experiment.id)
        put_logged_model(self.store, model)
        for path, _ in self.source.model_files(model.id):
            place = self.scratch / "file"
            self.source.download_model_file(model.id, path, place)
            artifacts.log_file(self.store, model.id, path, place)
        self.logged_models += 1

    def _experiment(self, found: dict[str, Any]) -> Experiment:
        tags = {str(tag["key"]): str(tag.get("value", "")) for tag in found.get("tags") or ()}
        mine = find_experiment(self.store, found["name"])
        if mine is None:
            return add_experiment(self.store, found["name"], tags=tags)
        return change_experiment(self.store, mine.id, tags={**tags, **mine.tags})

    def _run(self, experiment: Experiment, found: dict[str, Any]) -> None:
        run = run_of(found, experiment.id)
        print_of = digest_json([found["info"], found.get("data"), found.get("inputs"), found.get("outputs")])
        before = self.store.db.one("run_get", id=run.id)
        known = from_row(Run, before) if before else None
        if known is not None and known.source != "mlflow":
            raise UsageError(f"the store has a run of its own with the id {run.id}")
        if known is None or known.tags.get(_TAG) != print_of:
            if known is not None:
                self._forget(known)
            there = self._bring(run, found)
            set_tags(self.store, run.id, {_TAG: print_of})
        else:
            self.skipped += 1
            there = None
        here = self._count(run.id)
        self._compare(run, there or here, here)
        self.on_event({"event": "run", "run": run.id, "name": run.name, "skipped": there is None})

    def _bring(self, run: Run, found: dict[str, Any]) -> Counts:
        add_run(self.store, run)
        points = self._points(run.id, found)
        files = [self._file(run.id, path) for path, _ in self.source.files(run.id)]
        add_inputs(self.store, inputs_of(found))
        link_models(self.store, run.id, links_of(found))
        return Counts(
            runs=1,
            settings=len(run.settings),
            tags=len(run.tags),
            points=points,
            files=len(files),
            size_bytes=sum(files),
        )

    def _points(self, run_id: str, found: dict[str, Any]) -> int:
        recorder = Recorder(self.store, run_id)
        count = 0
        try:
            for metric in (found.get("data") or {}).get("metrics") or ():
                for point in self.source.history(run_id, metric["key"]):
                    at = int(point.get("timestamp") or 0) / 1000
                    recorder.log({metric["key"]: float(point["value"])}, step=int(point.get("step") or 0), at=at)
                    count += 1
        finally:
            recorder.close()
        return count

    def _file(self, run_id: str, path: str) -> int:
        place = self.scratch / "file"
        size = self.source.download(run_id, path, place)
        try:
            artifacts.log_file(self.store, run_id, path, place)
        except UsageError as error:
            self.problems.append(f"run {run_id}: {error.message}")
        return size

    def _forget(self, run: Run) -> None:
        """Take away what an interrupted import left of a run, all of it or nothing."""
        # What is still in its journal first: left there it would be moved into the run that is made anew.
        recover_points(self.store, run.id)
        with self.store.db.write() as tx:
            for query, keys in (
                ("run_setting_remove", run.settings),
                ("run_tag_remove", run.tags),
                ("run_metric_remove", run.metrics),
            ):
                for key in keys:
                    tx.execute(query, run_id=run.id, key=key)
            tx.execute("run_forget_points", run_id=run.id)
            tx.execute("run_forget_positions", run_id=run.id)
            tx.execute("run_forget_files", run_id=run.id)
            tx.execute("run_forget_inputs", run_id=run.id)
            tx.execute("run_forget_models", run_id=run.id)
            tx.execute("run_forget", run_id=run.id)

    def _count(self, run_id: str) -> Counts:
        row, stored = self.store.db.one("run_counts", run_id=run_id), self.store.db.one("run_get", id=run_id)
        if row is None or stored is None:
            raise NotFound(f"The run {run_id} was brought over and is not in the store.")
        run = from_row(Run, stored)
        # The tag that says so is ours and not the source's.
        return Counts(runs=1, settings=len(run.settings), tags=len(run.tags) - 1, **row)

    def _compare(self, run: Run, there: Counts, here: Counts) -> None:
        self.there += there
        self.here += here
        for name in here.__struct_fields__:
            if getattr(there, name) != getattr(here, name):
                self.problems.append(
                    f"run {run.id}: {name.replace('_', ' ')}: {getattr(there, name)} there, {getattr(here, name)} here"
                )
