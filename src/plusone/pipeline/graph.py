"""The steps of a project fitted together: who makes what, in which order; faults are found before anything runs."""

from __future__ import annotations

import graphlib
import sys
import traceback
from collections.abc import Collection, Iterable
from pathlib import Path

from ..base.errors import NotFound, PipelineError
from .declare import StepSpec, collecting
from .importing import import_file

__all__ = ["Graph", "load_graph"]


class Graph:
    """The steps of one project, in an order in which each comes after what it needs.

    Attributes:
        steps: by name, in that order.
        makers: the step that makes each output.
        models: the step that trains each model, by the model's name.

    Raises:
        PipelineError: for cycles, unknown inputs, names used twice or reserved.
    """

    def __init__(self, specs: Iterable[StepSpec], *, reserved: Collection[str] = ()) -> None:
        found = list(specs)
        if not found:
            raise PipelineError("The pipeline has no step.", mend="decorate a function with @plusone.step")
        self.makers: dict[str, StepSpec] = {}
        self.models: dict[str, StepSpec] = {}
        by_name: dict[str, StepSpec] = {}
        for spec in found:
            if spec.name in by_name:
                raise PipelineError(
                    f"Two steps are named {spec.name!r}: {by_name[spec.name].where} and {spec.where}.",
                    mend="rename one of them",
                )
            by_name[spec.name] = spec
            self._add(spec, reserved)
        self._check_inputs(found)
        try:
            order = list(graphlib.TopologicalSorter(self._needs(found)).static_order())
        except graphlib.CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise PipelineError(f"The steps need each other in a circle: {circle}.") from None
        self.steps: dict[str, StepSpec] = {name: by_name[name] for name in order}

    def pick_model(self, name: str | None) -> StepSpec:
        """Return the step that trains the model `name`, or the only one there is.

        Raises:
            NotFound: when there is none of that name.
            PipelineError: when no name was given and there is not exactly one.
        """
        known = ", ".join(self.models) or "none"
        if name is None:
            if len(self.models) == 1:
                return next(iter(self.models.values()))
            if not self.models:
                raise PipelineError(
                    "The pipeline has no model.",
                    mend='decorate the train function with @plusone.model("name", target="column")',
                )
            raise PipelineError(f"The project has several models: {known}.", mend="plusone release MODEL")
        if name not in self.models:
            raise NotFound(f"The project has no model {name!r}. It has: {known}.")
        return self.models[name]

    def wanted(self, trainer: StepSpec | None, until: str | None = None) -> list[StepSpec]:
        """Return the steps to run, in order, without trainers: all but those that only other models need, and those
        that only these feed.

        With `until`, that step and what it needs.

        Raises:
            NotFound: when `until` is no step's name.
        """
        if until is not None:
            if until not in self.steps:
                raise NotFound(f"The project has no step {until!r}. It has: {', '.join(self.steps)}.")
            names = self._upstream(self.steps[until]) | {until}
        else:
            names = set(self.steps) - self._of_others(trainer)
            # A step that is fed from both sides is run, so what it needs of the other one is run as well.
            for name in list(names):
                names |= self._upstream(self.steps[name]) if self.steps[name].model is None else set()
        return [spec for name, spec in self.steps.items() if name in names and spec.model is None]

    def upstream(self, trainer: StepSpec) -> list[str]:
        """Return the step outputs that what `trainer` learns from was made of, its inputs among them, sorted.

        A step's other outputs are not: of a split into two, the one that is kept from training was not learned from.
        """
        made = (name for step in self._upstream(trainer) for name in self.steps[step].inputs)
        return sorted({*trainer.inputs, *made})

    def sources(self, trainer: StepSpec) -> list[str]:
        """Return those of them that come from outside: the outputs of steps without inputs."""
        return [output for output in self.upstream(trainer) if not self.makers[output].inputs]

    def _of_others(self, trainer: StepSpec | None) -> set[str]:
        """Return the steps that belong to other models than the one that `trainer` trains."""
        if trainer is None:
            return set()
        found: set[str] = set()
        for other in self.models.values():
            found |= self._upstream(other)
        found -= self._upstream(trainer)
        for name, spec in self.steps.items():  # in order: what feeds a step comes before it
            if spec.inputs and spec is not trainer and all(self.makers[one].name in found for one in spec.inputs):
                found.add(name)
        return found

    def _upstream(self, spec: StepSpec) -> set[str]:
        found: set[str] = set()
        waiting = list(spec.inputs)
        while waiting:
            maker = self.makers[waiting.pop()]
            if maker.name not in found:
                found.add(maker.name)
                waiting.extend(maker.inputs)
        return found

    def _add(self, spec: StepSpec, reserved: Collection[str]) -> None:
        for output in spec.outputs:
            if output in reserved:
                raise PipelineError(
                    f"{spec.where}: step {spec.name!r} makes {output!r}, which is the name of a fixture of pytest or "
                    "plusone: tests could not ask for it.",
                    mend="rename the step, or name its output with @plusone.step(outputs=...)",
                )
            if output in self.makers:
                raise PipelineError(
                    f"Two steps make {output!r}: {self.makers[output].name} ({self.makers[output].where}) and "
                    f"{spec.name} ({spec.where}).",
                    mend="rename one of the outputs",
                )
            self.makers[output] = spec
        if spec.model is not None:
            other = self.models.get(spec.model.name)
            if other is not None:
                raise PipelineError(f"Two functions train model {spec.model.name!r}: {other.where} and {spec.where}.")
            self.models[spec.model.name] = spec

    def _check_inputs(self, specs: list[StepSpec]) -> None:
        for spec in specs:
            for name in spec.inputs:
                if name not in self.makers:
                    known = ", ".join(sorted(self.makers)) or "none"
                    raise PipelineError(
                        f"{spec.where}: {spec.name!r} takes {name!r}, which no step makes. Step outputs: {known}.",
                        mend=f"write a step {name!r}, or put a * before {name!r} if it is a setting",
                    )

    def _needs(self, specs: list[StepSpec]) -> dict[str, list[str]]:
        return {spec.name: [self.makers[name].name for name in spec.inputs] for spec in specs}


def load_graph(file: Path, *, reserved: Collection[str] = ()) -> Graph:
    """Import the project's pipeline file and return its graph. The file's folder comes first on the import path.

    Raises:
        PipelineError: when the file is missing, can't be imported, or its steps do not fit together.
    """
    if not file.is_file():
        raise PipelineError(
            f"There is no pipeline: expected {file}.", mend='write it, or set [tool.plusone] pipeline = "..."'
        )
    if file.stem in sys.stdlib_module_names or file.stem == "plusone":
        raise PipelineError(
            f"{file} has the name of a module that Python or plusone needs itself: {file.stem}.",
            mend="rename it, for example to pipeline.py",
        )
    if not file.stem.isidentifier() or file.suffix != ".py":
        raise PipelineError(
            f"{file} can't be imported: expected a name like pipeline.py.",
            mend='rename it, and set [tool.plusone] pipeline = "pipeline.py"',
        )
    try:
        with collecting() as specs:
            import_file(file)
    except PipelineError:
        raise
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise PipelineError(
            f"{file} can't be imported: {type(error).__name__}: {error} (at {last.filename}:{last.lineno})."
        ) from error
    return Graph(specs, reserved=reserved)
