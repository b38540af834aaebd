"""`plusone.run`: a run of any script or notebook, with the same store, journal and records that releases have."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal

from ..base.config import load_project
from ..base.errors import Conflict, UsageError
from ..base.records import Artifact, Dataset, RunInput
from ..recording import active
from ..recording.recorder import Recorder
from ..store import Store
from ..store.opening import open_project
from ..tracking import artifacts, changing
from ..tracking.inputs import add_inputs, files_of, inputs_of_path
from ..tracking.runs import OpenRun, latest_outputs
from .beginning import begin, is_interactive, reopen
from .system import SystemMetrics, wanted_interval
from .uploads import showing
from .values import plain_settings

__all__ = ["ScriptRun", "run"]

Status = Literal["done", "failed", "interrupted"]


def run(
    name: str = "",
    *,
    settings: Any = None,
    experiment: str = "",
    tags: Mapping[str, Any] | None = None,
    id: str = "",
    system_metrics: bool | float | None = None,
    folder: Path | str | None = None,
) -> ScriptRun:
    """Begin a run and return it: `with plusone.run("try", settings={"depth": 3}) as run: run.log(loss=0.3)`.

    It is `done` when the block ends, `failed` when it raises, `interrupted` by ctrl-C. Without `with`, call
    `run.finish()`; what is open when the process ends is closed then. Until it ends `plusone.log` logs to it, too; of
    several the newest.

    In a project (a folder with `[tool.plusone]`, or below one) it goes to the project's store, elsewhere to
    `PLUSONE_STORE`, to the nearest `.plusone` folder, or to a new one in the working folder: a line then says where.

    Args:
        name: what is tried; default: the script's name.
        settings: a dict, a dataclass or what argparse parsed. A setting never changes once it is given.
        experiment: the name under which runs are compared; made when there is none of that name.
        tags: texts by name; they may change.
        id: a run, or the beginning of its id, that goes on; it keeps its name and experiment.
        system_metrics: True, or the seconds between two samples. Default: what `PLUSONE_SYSTEM_METRICS` says.
        folder: where to look for the project; default: the working folder.

    Raises:
        UsageError: for settings that JSON can't hold, or system metrics without psutil.
        NotFound: when there is no run `id`.
        Conflict: when the run `id` is under way or deleted, or one of the settings was another before.
    """
    if id and (name or experiment):
        raise UsageError("A run that goes on keeps its name and experiment.", mend=f"plusone.run(id={id!r})")
    interval_s = wanted_interval(system_metrics)
    given = plain_settings(settings if settings is not None else {})
    texts = {key: str(value) for key, value in (tags or {}).items()}
    project = load_project(Path(folder) if folder is not None else None, anywhere=True)
    is_new = not project.store.exists()
    store = open_project(project)
    if is_new:
        print(f"plusone: runs are kept in {project.store}", file=sys.stderr)
    try:
        if id:
            opened = reopen(store, id, given, texts)
        else:
            opened = begin(store, project, name=name, settings=given, experiment=experiment, tags=texts)
        return ScriptRun(store, opened, project.root, interval_s)
    except BaseException:
        store.close()
        raise


class ScriptRun:
    """A run under way in this process. Its methods may be called from several threads.

    Attributes:
        id: what `plusone runs show` takes.
        name: what is tried.
        settings: as they were given; they never change.
    """

    def __init__(self, store: Store, opened: OpenRun, root: Path, interval_s: float | None) -> None:
        self._store = store
        self._opened = opened
        self._root = root
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._ended = False
        self._system: SystemMetrics | None = None
        self.id = opened.record.id
        self.name = opened.record.name
        self._settings = dict(opened.record.settings)
        try:
            self._recorder = Recorder(store, self.id)
            if interval_s is not None:
                self._system = SystemMetrics(self._recorder.log, interval_s)
        except BaseException as error:
            opened.finish("failed", error=_said(error))
            raise
        active.start(self._recorder)
        atexit.register(self._at_exit)

    def __repr__(self) -> str:
        return f"<run {self.id} {self.name!r} {'ended' if self._ended else 'running'}>"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings, to look at."""
        return MappingProxyType(self._settings)

    # -------------------------------------------------------------------------------------------- what is logged

    def log(self, metrics: Mapping[str, float] | None = None, /, *, step: int | None = None, **more: float) -> None:
        """Log one value of each named metric: `run.log(step=3, loss=0.31)`, or `run.log({"val/loss": 0.31})`.

        As `plusone.log`, and to this run whichever is the newest.

        Raises:
            UsageError: when a value is no number or the step no integer of 64 bits; then nothing of the call is logged.
            Conflict: when the run has ended.
        """
        self._check_open()
        self._recorder.log({**(metrics or {}), **more}, step=step)

    def set_settings(self, settings: Any) -> None:
        """Add settings that were not known at the beginning.

        Raises:
            Conflict: when one of them is another already: a setting never changes.
        """
        self._check_open()
        self._settings = dict(changing.add_settings(self._store, self.id, plain_settings(settings)).settings)

    def set_tag(self, key: str, value: Any) -> None:
        """Set a tag; None takes it away."""
        self._check_open()
        changing.set_tags(self._store, self.id, {key: None if value is None else str(value)})

    def log_file(self, path: Path | str, *, to: str = "") -> list[Artifact]:
        """Keep a file, or every file below a folder, and return what was kept.

        A path that was logged before is replaced. Equal bytes are stored once, whatever they are called.

        Args:
            to: the path in the run; default: the name of the file or folder.

        Raises:
            UsageError: when there is no such file, or its path can't be one in a run.
            Conflict: when the path is a folder of the run already, or a part of it is a file.
        """
        self._check_open()
        source = Path(path)
        title = to or (source.name or source.resolve().name)
        found = [
            (f"{title}/{inner}" if inner else title, file)
            for inner, file in files_of(source, without=self._store.folder)
        ]
        for name, _ in found:  # all of them, before the first is kept
            artifacts.check_path(name)
        with showing(f"storing {title}", [file for _, file in found]) as stored:
            kept: list[Artifact] = []
            for name, file in found:
                kept.append(artifacts.log_file(self._store, self.id, name, file, on_bytes=stored))
        return kept

    def log_figure(self, figure: Any, name: str = "figure", *, step: int | None = None) -> Artifact:
        """Keep a figure of matplotlib or plotly, an image of Pillow or a numpy array, as `figures/NAME`.

        Args:
            name: its ending says how it is stored, e.g. `roc.svg`; default PNG, of plotly JSON.
            step: one figure for each step: `figures/NAME/00000003.png`.

        Raises:
            UsageError: when it is no figure that is known, or can't be stored so.
        """
        from .figures import encode_figure

        self._check_open()
        file, data = encode_figure(figure, name)
        return self._keep("figures", file, data, "figure", step)

    def log_table(self, table: Any, name: str = "table", *, step: int | None = None) -> Artifact:
        """Keep a dataframe of any library that narwhals knows, or a list of dicts, as `tables/NAME.parquet`.

        A table that Parquet would change (categories with an order, for one) is stored as an Arrow file, `.arrow`.

        Raises:
            UnsafeValue: when it is no table, or a column holds values of several types.
        """
        from ..data.tables import encode, to_arrow

        self._check_open()
        data = encode(to_arrow(table))
        ending = "parquet" if bytes(data[:4]) == b"PAR1" else "arrow"
        return self._keep("tables", f"{name.removesuffix('.parquet')}.{ending}", data, "table", step)

    # -------------------------------------------------------------------------------------------- what it reads

    def use(self, thing: Any, *, name: str = "") -> Any:
        """Record that the run reads a file, every file of a folder, a dataset or a dataframe; return `thing`.

        Of files the digest is recorded and the bytes stay where they are; a dataframe is stored as a dataset.

        Raises:
            UsageError: when there is no such file, or a folder has over 10,000 of them.
            UnsafeValue: when it is a value that can't be stored.
        """
        self._check_open()
        if isinstance(thing, (str, Path)):
            path = Path(thing)
            title = name or path.name or path.resolve().name
            store = self._store
            add_inputs(store, inputs_of_path(self.id, path, name=title, root=self._root, without=store.folder))
        else:
            self._use_dataset(thing, name)
        return thing

    def use_output(self, name: str) -> Any:
        """Return what a step of the project made the last time, as a step that takes it gets it; recorded as read.

        Raises:
            UsageError: when no step has made an output of that name.
        """
        from ..data import datasets

        self._check_open()
        known = latest_outputs(self._store)
        if name not in known:
            raise UsageError(
                f"No step has made {name!r}. Made were: {', '.join(sorted(known)) or 'none'}.",
                mend=f"plusone release --until {name}",
            )
        self._use_dataset(known[name], name)
        return datasets.load(known[name], self._store.blobs)

    def _use_dataset(self, thing: Any, name: str) -> None:
        from ..data import datasets

        dataset: Dataset = thing if isinstance(thing, Dataset) else datasets.save(thing, self._store.blobs)
        given = RunInput(run_id=self.id, name=name or "data", digest=dataset.digest, source_type="dataset")
        add_inputs(self._store, [given], datasets=[dataset])

    # -------------------------------------------------------------------------------------------- its end

    def finish(self, status: Status = "done", *, error: str | None = None) -> None:
        """End the run: when this returns everything that was logged is in the store. A second call does nothing."""
        with self._lock:
            if self._ended or os.getpid() != self._process:  # a fork has a copy of us, and ends no run of its parent
                return
            self._ended = True
        atexit.unregister(self._at_exit)
        active.stop(self._recorder)
        try:
            if self._system is not None:
                self._system.stop()
            self._recorder.close()
            self._opened.finish(status, error=error)
        finally:
            self._store.close()

    def __enter__(self) -> ScriptRun:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.finish()
            return
        if not self._ended:
            lines = "".join(traceback.format_exception(error))
            with self._opened.output.open("a", encoding="utf-8", errors="backslashreplace") as output:
                output.write(lines)
        self.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=_said(error))

    def _at_exit(self) -> None:
        error: BaseException | None = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if is_interactive():
            # An error in a cell is not the end of a notebook, nor is its being closed the end of the work.
            self.finish("interrupted", error="The session was closed before run.finish().")
        elif error is None:
            self.finish()
        else:
            self.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=_said(error))

    def _check_open(self) -> None:
        if self._ended:
            raise Conflict(f"The run {self.id} has ended.", mend=f"plusone.run(id={self.id!r})  (goes on with it)")

    def _keep(self, folder: str, name: str, data: bytes | memoryview, kind: str, step: int | None) -> Artifact:
        if step is not None:
            stem, dot, ending = name.rpartition(".")
            name = f"{stem}/{step:08d}{dot}{ending}"
        return artifacts.log_bytes(self._store, self.id, f"{folder}/{name}", data, kind=kind)


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as second:  # its own __str__ is what is wrong
        text = f"(its text can't be read: {type(second).__name__})"
    return f"{type(error).__name__}: {text}"[:2000].encode("utf-8", "backslashreplace").decode()
