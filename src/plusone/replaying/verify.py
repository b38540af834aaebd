"""`plusone package verify`: a package in a clean environment, made from its own lock and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from ..base.errors import BrokenArtifact, BrokenEnvironment, PlusoneError
from ..base.records import Package, Record
from ..execution import environment, venvs
from ..packaging.artifact import ENVIRONMENT, read
from ..packaging.environments import NATIVE
from .asking import Replay, replay
from .natively import replay_natively

__all__ = ["Line", "Verified", "verify"]

Log = Callable[[str], None]


class Line(Record, frozen=True):
    """One line of a lock, and what came of it."""

    name: str
    version: str
    imported: bool = False
    """Whether the replay imported anything of it."""
    without: Literal["", "fails", "differs", "missed", "answers"] = ""
    """What became of a replay in an environment that lacks it: it fails, or answers differently: the line is needed.
    Or it answers equally, and the line was imported in passing: a module that the lock says was imported is missed, or
    not even that. '' when it was not tried."""
    module: str = ""
    """The module of it that was not there then."""

    @property
    def in_passing(self) -> bool:
        """Whether the model works equally without it."""
        return self.without in ("missed", "answers")


class Verified(Record, frozen=True):
    """What came of a replay in the environment of the lock alone.

    `missing` is the module that the lock is not enough for, and `distribution` the one that has it, in this Python.
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
        each_line: replay once more for each line of which something was imported, in an environment without it. One
            without which the model fails or answers differently, and of which no module is missed, is a problem.

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
        ask: Callable[..., Replay] = replay
        if package.format in NATIVE:
            ask = partial(replay_natively, package=package, trusted=trusted)
        found = ask(python, folder, digest)
        used, missed = _imported(found, python, lock, folder)
        missing = missed[0] if missed else ""
        lines = tuple(Line(name=one, version=version, imported=one in used) for one, version in wanted.items())
        problems = _problems(found, missing)
        if each_line and not problems:
            lines = tuple(_without(line, lock, ask, folder, digest, log) if line.imported else line for line in lines)
            problems += _unnamed_ones(lines)
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


def _unnamed_ones(lines: Sequence[Line]) -> list[str]:
    return [_unnamed(line) for line in lines if line.without in ("fails", "differs") and not line.module]


def _silent(text: str) -> None:
    del text


def _lock_of(folder: Path, package: Package) -> str:
    if not any(file.path == ENVIRONMENT for file in package.files):
        raise BrokenArtifact(f"The package in {folder} has no {ENVIRONMENT}.", file=ENVIRONMENT)
    return (folder / ENVIRONMENT).read_text()


def _imported(found: Replay, python: Path, lock: str, folder: Path) -> tuple[set[str], list[str]]:
    """Return the distributions of which something was imported, and the modules that were not there."""
    owners = environment.owners(found.files, path=[str(venvs.site_of(python.parent.parent))])
    # A model in a process of its own brings modules of its own.
    if strays := [file for file, owner in owners.items() if owner is None and not _below(file, folder)]:
        raise BrokenEnvironment(f"{strays[0]} was imported, which is in no distribution of the lock.")
    used = {owner.name for owner in owners.values() if owner is not None}
    if found.error is not None:
        return used, [found.error.module] if found.error.module else []
    modules = {environment.module_of(file, owner) for file, owner in owners.items() if owner is not None}
    return used, [name for name in environment.imports_of(lock) if name not in modules]


def _below(file: str, folder: Path) -> bool:
    return Path(file).resolve().is_relative_to(folder.resolve())


def _problems(found: Replay, missing: str) -> list[str]:
    if missing:
        owner = environment.owner_of(missing)
        where = f"which {owner} has" if owner else "which no distribution of this Python has"
        return [f"the lock is not enough: there is no module {missing!r}, {where}"]
    if found.error is not None:
        return [f"the model does not load and answer there: {found.error.kind}: {found.error.message}"]
    if found.differing:
        shown = ", ".join(map(str, found.differing[:10]))
        what = (
            f"{len(found.differing)} of {found.rows} examples are answered otherwise than when the model was packaged"
        )
        return [f"{what}: rows {shown}, largest difference {found.max_difference}"]
    return []


def _without(line: Line, lock: str, ask: Callable[..., Replay], folder: Path, digest: str, log: Log | None) -> Line:
    (log or _silent)(f"without {line.name}=={line.version}")
    with venvs.without(lock, line.name) as python:
        found = ask(python, folder, digest)
        _, missed = _imported(found, python, lock, folder)
    # What a line imports itself is not there either then: of those, the line's own.
    own = next((module for module in missed if environment.owner_of(module) == line.name), "")
    if found.error is not None:
        return _replaced(line, "fails", own)
    if found.differing:
        return _replaced(line, "differs", own)
    return _replaced(line, "missed" if own else "answers", own)


def _replaced(line: Line, without: Literal["fails", "differs", "missed", "answers"], module: str) -> Line:
    return Line(name=line.name, version=line.version, imported=line.imported, without=without, module=module)


def _unnamed(line: Line) -> str:
    if line.without == "fails":
        return f"without {line.name}=={line.version} the model fails, and the error names no module of it"
    return f"without {line.name}=={line.version} the model answers differently, and no module of it is missed"
