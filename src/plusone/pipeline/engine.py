"""Runs steps in order, or takes over what an equal step made before. Each finished step is in the store at once, so
that a run that was killed goes on where it was."""

from __future__ import annotations

import copy
import inspect
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..base import clock
from ..base.errors import PipelineError, PlusoneError, StepFailed
from ..base.ids import digest_json
from ..base.records import Dataset, StepRun
from ..data import datasets
from ..store import Store
from ..store.rows import from_row, to_row
from .declare import ModelSpec, StepSpec
from .fingerprint import code_digest
from .graph import Graph

__all__ = ["Engine"]

OnEvent = Callable[[dict[str, Any]], None]


class Engine:
    """One run's way through the graph.

    Args:
        environment: digest of the environment lock.
        force: names of steps that run even if an equal one ran before.
        on_event: called with `{"event": "step", "step", "status": "running"|"done"|"cached", ...}`.
    """

    def __init__(
        self,
        graph: Graph,
        store: Store,
        *,
        root: Path,
        run_id: str,
        settings: dict[str, dict[str, Any]],
        environment: str,
        force: frozenset[str],
        on_event: OnEvent,
    ) -> None:
        self.graph = graph
        self.store = store
        self.root = root
        self.run_id = run_id
        self.settings = settings
        self.environment = environment
        self.force = force
        self.on_event = on_event
        self.outputs: dict[str, Dataset] = {}
        # Taken before any step runs: one that changes a global must not change what the next one's code is.
        self._code = {name: code_digest(spec.function, root) for name, spec in graph.steps.items()}

    def run(self, specs: list[StepSpec]) -> dict[str, Dataset]:
        """Run or reuse each step and return every output made so far.

        Raises:
            StepFailed: when a step raised; its traceback was printed.
            UnsafeValue: when a step returned what can't be stored.
        """
        for place, spec in enumerate(specs):
            self.on_event({"event": "plan", "step": spec.name, "place": place, "count": len(specs)})
            self._step(spec)
        return self.outputs

    def fingerprint(self, spec: StepSpec, *, taken: dict[str, str] | None = None) -> str:
        """Return the fingerprint of a step whose inputs are made: code, settings, inputs and environment.

        Args:
            taken: the digests of a model's files by path, when the model comes from there and the function is not
                called: they stand for its code.
        """
        model = spec.model
        return digest_json(
            {
                "step": spec.name,
                "code": self._code[spec.name] if taken is None else {"taken": taken},
                "settings": self.settings[spec.name],
                "inputs": {name: self.outputs[name].digest for name in spec.inputs},
                "environment": self.environment,
                "outputs": spec.outputs,
                "version": self._version(spec),
                "model": None if model is None else _declared(model),
            }
        )

    def call(self, spec: StepSpec) -> Any:
        """Call the step's function with fresh copies of its inputs and return what it returned.

        Raises:
            StepFailed: when it raised.
        """
        inputs = [datasets.load(self.outputs[name], self.store.blobs) for name in spec.inputs]
        try:
            # A copy: a step that changes a list that it was given does not change what is recorded.
            return spec.function(*inputs, **copy.deepcopy(self.settings[spec.name]))
        except (PlusoneError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit, and the panics of libraries in other languages
            raise _failure(spec, error, self.run_id) from error

    def same(self, spec: StepSpec, fingerprint: str) -> StepRun | None:
        """Return the newest run of an equal step, or None."""
        if spec.name in self.force:
            return None
        rows = self.store.db.all("step_run_same", step=spec.name, fingerprint=fingerprint)
        return from_row(StepRun, rows[0]) if rows else None

    def record(
        self, spec: StepSpec, fingerprint: str, *, cached: bool, outputs: dict[str, str], began: float
    ) -> StepRun:
        """Add the step, which began at `began` of the performance counter, to the run and return its record."""
        duration_s = time.perf_counter() - began
        made = StepRun(
            run_id=self.run_id,
            step=spec.name,
            fingerprint=fingerprint,
            status="cached" if cached else "done",
            inputs={name: self.outputs[name].digest for name in spec.inputs},
            outputs=outputs,
            settings=self.settings[spec.name],
            started_at=clock.ago(duration_s),
            duration_s=round(duration_s, 6),
        )
        with self.store.db.write() as tx:
            for dataset in self.outputs.values():
                if dataset.digest in outputs.values():
                    tx.execute("dataset_add", **to_row(dataset))
            tx.execute("step_run_add", **to_row(made))
            for role, named in (("input", made.inputs), ("output", outputs)):
                for name, digest in named.items():
                    tx.execute(
                        "step_dataset_add",
                        run_id=made.run_id,
                        step=made.step,
                        role=role,
                        name=name,
                        digest=digest,
                        reused=int(cached),
                    )
        self.on_event(
            {
                "event": "step",
                "step": spec.name,
                "status": made.status,
                "duration_s": made.duration_s,
                "outputs": outputs,
            }
        )
        return made

    def _step(self, spec: StepSpec) -> None:
        began = time.perf_counter()
        fingerprint = self.fingerprint(spec)
        # A source without a version can't tell whether its data changed, so it always runs.
        may_reuse = bool(spec.inputs) or spec.version is not None
        before = self.same(spec, fingerprint) if may_reuse else None
        known = self._known(before) if before else None
        if known is not None:
            self.outputs.update(known)
        else:
            self.on_event({"event": "step", "step": spec.name, "status": "running"})
            self.outputs.update(self._make(spec))
        outputs = {name: self.outputs[name].digest for name in spec.outputs}
        self.record(spec, fingerprint, cached=known is not None, outputs=outputs, began=began)

    def _known(self, before: StepRun) -> dict[str, Dataset] | None:
        found: dict[str, Dataset] = {}
        for name, digest in before.outputs.items():
            row = self.store.db.one("dataset_get", digest=digest)
            if row is None:
                return None
            found[name] = from_row(Dataset, row)
            # A blob that was lost or freed is made again.
            if not self.store.blobs.renew(found[name].blob):
                return None
        return found

    def _make(self, spec: StepSpec) -> dict[str, Dataset]:
        value = self.call(spec)
        values = (value,) if len(spec.outputs) == 1 else value
        if len(spec.outputs) > 1 and (not isinstance(values, tuple) or len(values) != len(spec.outputs)):
            got = f"a tuple of {len(values)}" if isinstance(values, tuple) else f"a {type(value).__name__}"
            listed = isinstance(value, list) and len(value) == len(spec.outputs)
            raise PipelineError(
                f"{spec.where}: step {spec.name!r} returned {got}: expected a tuple of {len(spec.outputs)}, "
                f"for outputs={list(spec.outputs)}.",
                mend=f"return tuple(...), or {', '.join(spec.outputs)}" if listed else "",
            )
        made: dict[str, Dataset] = {}
        for name, part in zip(spec.outputs, values, strict=True):
            try:
                made[name] = datasets.save(part, self.store.blobs)
            except PlusoneError as error:
                error.message = f"{spec.where}: step {spec.name!r}, output {name!r}: {error.message}"
                raise
        return made

    def _version(self, spec: StepSpec) -> Any:
        if spec.version is None:
            return None
        settings = copy.deepcopy(self.settings[spec.name])
        try:
            found = spec.version(**{name: settings[name] for name in _keywords(spec.version) if name in settings})
            return digest_json(found)
        except (PlusoneError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise _failure(spec, error, self.run_id, part="version=") from error


def _keywords(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # a builtin that does not tell
        return []
    return [name for name, part in parameters.items() if part.kind is part.KEYWORD_ONLY]


def _declared(model: ModelSpec) -> list[Any]:
    """Return what `@plusone.model` says that decides what is packaged."""
    said: list[Any] = [model.name, model.target, model.features, model.tolerance]
    if model.media:
        said.append(msgspec.to_builtins(model.media))
    if model.quantise is not None:
        said.append({"quantise": model.quantise})
    return said


def _failure(spec: StepSpec, error: BaseException, run_id: str, part: str = "") -> StepFailed:
    frames = traceback.extract_tb(error.__traceback__)
    # The frame of the user's own function says more than the depths of a library.
    file = spec.where.rpartition(":")[0]
    own = [frame for frame in frames if frame.filename == file] or frames
    place = f"{own[-1].filename}:{own[-1].lineno}" if own else spec.where
    print(_printable("".join(traceback.format_exception(error))), flush=True)
    return StepFailed(
        f"Step {spec.name!r}{' ' + part if part else ''} raised {type(error).__name__}: {_printable(_said(error))} "
        f"(at {place}).",
        mend=f"the traceback is above, and in the log of the run: plusone runs log {run_id}",
        step=spec.name,
        place=place,
    )


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # its own __str__ is what is wrong
        return f"(its text can't be read: {type(second).__name__})"


def _printable(text: str) -> str:
    # A lone surrogate, from a file name for one, can neither be printed nor sent.
    return text.encode("utf-8", "backslashreplace").decode()
