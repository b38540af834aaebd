"""`plusone package verify`: a package in a clean environment, made from its own lock and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from ..base.errors import BrokenArtifact, BrokenEnvironment, PlusoneError
from ..base.records import Package, Record
from ..execution import environment, venvs
from ..packaging.artifact import ENVIRONMENT, read
from ..packaging.environments import NATIVE
from .asking import NOT_HERE, Failure, Replay, absent, replay
from .natively import replay_natively

__all__ = ["Line", "Verified", "verify"]

Log = Callable[[str], None]


class Line(Record, frozen=True):
    """One line of a lock, and what came of it."""

    name: str
    version: str
    imported: bool = False
    """Whether the replay imported anything of it."""
    without: Literal["", "fails", "differs", "answers"] = ""
    """What the model itself did in an environment that lacks it: it failed, or answered its examples differently, or
    equally. '' when it was not tried. Whatever it did, the replay there is to fail."""
    module: str = ""
    """The module of it by whose name the replay failed there; '' of one that was tried is a problem."""
    failure: str = ""
    """The kind of that failure: of the error, or `NOT_HERE`."""

    @property
    def optional(self) -> bool:
        """Whether the model answers its examples equally without it."""
        return self.without == "answers"


class Verified(Record, frozen=True):
    """What came of a replay in the environment of the lock alone.

    `missing` is the module by whose name the replay failed, and `distribution` the one that has it, in this Python.
    """

    digest: str
    environment: str
    """The name of the environment, as `plusone environments` lists it; '' when it could not be made."""
    lines: tuple[Line, ...]
    rows: int
    differing: tuple[int, ...] = ()
    max_difference: float | None = 0.0
    tolerance: float = 0.0
    missing: str = ""
    distribution: str = ""
    problems: tuple[str, ...] = ()
    duration_s: float = 0.0


def verify(
    folder: Path,
    digest: str,
    *,
    each_line: bool = False,
    log: Log | None = None,
    trusted: frozenset[str] = frozenset(),
) -> Verified:
    """Return what came of loading the package in a clean environment of its lock, and asking its examples again.

    What is wrong with the environment or the answers is among the `problems`; none means that it works.

    Args:
        trusted: the packages that may make types which are not known to be safe.
        each_line: replay once more for each line of which something was imported, in an environment without it. Each
            of these replays is to fail by the name of a module of that line: one that does not is a problem.

    Raises:
        BrokenArtifact: when the package was changed on disk, or has no examples.
    """
    from ..packaging.examples import read_examples  # loads numpy: the command line names this module

    began = time.perf_counter()
    package = read(folder, digest)
    lock = _lock_of(folder, package)
    rows = len(read_examples(folder).rows)
    tolerance = float(package.proof.get("tolerance", 0.0))
    wanted, name = dict[str, str](), ""
    try:
        wanted = venvs.lines_of(lock)
        python = venvs.ensure(lock, log=log)
        name = python.parent.parent.name
        (log or _silent)(f"asking {rows} examples in the environment {name}")
        ask = partial(replay_natively, package=package, trusted=trusted) if package.format in NATIVE else replay
        found = ask(python, folder, digest)
        here = _imported(found, python, folder)
        found = _held(found, python, environment.imports_of(lock), here)
        missing = found.error.module if found.error is not None else ""
        lines = tuple(Line(name=one, version=version, imported=one in here) for one, version in wanted.items())
        problems = _problems(found, wanted)
        if each_line and not problems:
            missed = partial(_without, lock=lock, ask=ask, folder=folder, digest=digest, log=log)
            lines = tuple(missed(line, here[line.name]) if line.imported else line for line in lines)
            problems += [_unnamed(line) for line in lines if line.imported and not line.module]
    except PlusoneError as error:
        found, missing, problems = Replay(files=(), max_difference=None), "", [error.message]
        lines = tuple(Line(name=one, version=version) for one, version in wanted.items())
    return Verified(
        digest=digest,
        environment=name,
        lines=lines,
        rows=found.rows,
        differing=found.differing,
        max_difference=found.max_difference,
        tolerance=tolerance,
        missing=missing,
        distribution=environment.owner_of(missing) if missing else "",
        problems=tuple(problems),
        duration_s=round(time.perf_counter() - began, 3),
    )


def _silent(text: str) -> None:
    del text


def _lock_of(folder: Path, package: Package) -> str:
    if not any(file.path == ENVIRONMENT for file in package.files):
        raise BrokenArtifact(f"The package in {folder} has no {ENVIRONMENT}.", file=ENVIRONMENT)
    return (folder / ENVIRONMENT).read_text()


def _imported(found: Replay, python: Path, folder: Path) -> dict[str, set[str]]:
    """Return the modules that were imported there, by distribution."""
    owners = environment.owners(found.files, path=[str(venvs.site_of(python.parent.parent))])
    # A model in a process of its own brings modules of its own.
    if strays := [file for file, owner in owners.items() if owner is None and not _below(file, folder)]:
        raise BrokenEnvironment(f"{strays[0]} was imported, which is in no distribution of the lock.")
    here: dict[str, set[str]] = {}
    for file, owner in owners.items():
        if owner is not None:
            here.setdefault(owner.name, set()).add(environment.module_of(file, owner))
    return here


def _held(found: Replay, python: Path, modules: Sequence[str], here: dict[str, set[str]]) -> Replay:
    """Return the replay, failed by the name of the first of these modules that it lacks, whatever the model answered.

    Where the model failed and named no module, it can't be seen what it would have imported: its Python is asked
    whether it could find these.
    """
    if found.error is None:
        seen = set[str]().union(*here.values())
        lacking = [module for module in modules if module not in seen]
        did = "answers its examples differently" if found.differing else "answers its examples equally"
    elif not found.error.module:
        lacking = absent(python, modules)
        did = f"fails: {found.error.kind}: {found.error.message}"
    else:
        return found
    if not lacking:
        return found
    failure = Failure(kind=NOT_HERE, message=f"{NOT_HERE}; the model {did}", module=lacking[0])
    return msgspec.structs.replace(found, error=failure)


def _below(file: str, folder: Path) -> bool:
    return Path(file).resolve().is_relative_to(folder.resolve())


def _problems(found: Replay, wanted: dict[str, str]) -> list[str]:
    if found.error is not None and found.error.module:
        return [_missing(found.error, wanted)]
    if found.error is not None:
        return [f"the model does not load and answer there: {found.error.kind}: {found.error.message}"]
    if found.differing:
        shown = ", ".join(map(str, found.differing[:10]))
        what = (
            f"{len(found.differing)} of {found.rows} examples are answered otherwise than when the model was packaged"
        )
        return [f"{what}: rows {shown}, largest difference {found.max_difference}"]
    return []


def _missing(failure: Failure, wanted: dict[str, str]) -> str:
    module, owner = failure.module, environment.owner_of(failure.module)
    told = f" (it was {failure.message})" if failure.kind == NOT_HERE else ""
    if owner in wanted:
        return f"the module {module!r} of {owner}=={wanted[owner]} was not imported, although its line is there{told}"
    where = f"which {owner} has" if owner else "which no distribution of this Python has"
    return f"the lock is not enough: there is no module {module!r}, {where}{told}"


def _without(
    line: Line, modules: set[str], *, lock: str, ask: Callable[..., Replay], folder: Path, digest: str, log: Log | None
) -> Line:
    """Return the line with what came of a replay without it; `modules`: those of it that were imported with it."""
    (log or _silent)(f"without {line.name}=={line.version}")
    named = [module for module in environment.imports_of(lock) if module in modules]
    shortest = sorted(modules - {""}, key=lambda text: (len(text), text))
    with venvs.without(lock, line.name) as python:
        try:
            found = ask(python, folder, digest)
        except BrokenEnvironment as error:  # it died or hung
            found = Replay(files=(), error=Failure(kind=type(error).__name__, message=error.message))
        without = "fails" if found.error is not None else "differs" if found.differing else "answers"
        if found.error is not None and not _is_of(found.error.module, line.name, modules):
            # What it imports itself may be named in its place, or nothing.
            found = msgspec.structs.replace(found, error=msgspec.structs.replace(found.error, module=""))
        found = _held(found, python, [*named, *shortest][:1], _imported(found, python, folder))
    failure = found.error or Failure(kind="", message="")
    return msgspec.structs.replace(line, without=without, module=failure.module, failure=failure.kind)


def _is_of(module: str, distribution: str, modules: set[str]) -> bool:
    return module in modules or environment.owner_of(module) == distribution


def _unnamed(line: Line) -> str:
    what = {
        "fails": "the model fails, and the error names no module of it",
        "differs": "the model answers differently, and no module of it is missed",
        "answers": "the model answers equally, and no module of it is missed",
    }[line.without or "answers"]
    return f"without {line.name}=={line.version} {what}"
