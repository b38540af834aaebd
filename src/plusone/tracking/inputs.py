"""What a run that is not of the pipeline says it read: files and datasets, by digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..base.errors import UsageError
from ..base.ids import digest_file
from ..base.records import Dataset, RunInput
from ..store import Store
from ..store.rows import from_row, to_row

__all__ = ["add_inputs", "files_of", "inputs_of_path", "list_inputs"]

_MOST_FILES = 10_000


def add_inputs(store: Store, inputs: Sequence[RunInput], *, datasets: Sequence[Dataset] = ()) -> None:
    """Record what runs read, and the datasets among it that are new, in one transaction."""
    with store.db.write() as tx:
        for dataset in datasets:
            tx.execute("dataset_add", **to_row(dataset))
        for one in inputs:
            tx.execute("run_input_put", **to_row(one))


def list_inputs(store: Store, run_id: str) -> list[RunInput]:
    """Return what a run says it read, by name."""
    return [from_row(RunInput, row) for row in store.db.all("run_input_list", run_id=run_id)]


def inputs_of_path(run_id: str, path: Path, *, name: str, root: Path, without: Path | None = None) -> list[RunInput]:
    """Return one input for a file, or one for each file below a folder; the bytes stay where they are.

    Args:
        name: how the run calls it; a file in a folder is called `name/path/in/folder`.
        root: what `source` is relative to, when the path lies below it.
        without: a folder to leave out.

    Raises:
        UsageError: when there is no such file or folder, or the folder has over 10,000 files.
    """
    found: list[RunInput] = []
    for inner, file in files_of(path, without=without):
        absolute = file.resolve()
        source = absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)
        try:
            digest = digest_file(file)
        except OSError as error:
            raise UsageError(f"{file} can't be read: {error.strerror or error}.") from error
        title = f"{name}/{inner}" if inner else name
        found.append(RunInput(run_id=run_id, name=title, digest=digest, source_type="file", source=source))
    return found


def files_of(path: Path, *, without: Path | None = None) -> list[tuple[str, Path]]:
    """Return each file below a folder with its path in it, sorted; a file alone has the path ''.

    Links to files are followed, links to folders are not: they may lead in circles.

    Args:
        without: a folder to leave out: the store, for one, which may lie in what is stored.

    Raises:
        UsageError: when there is nothing, something that is neither file nor folder (a pipe, a dangling link), a name
            that is no text, or over 10,000 files.
    """
    if path.is_file():
        return [("", path)]
    if not path.is_dir():
        raise UsageError(f"There is no file and no folder {path}.")
    found: list[tuple[str, Path]] = []
    for file in _below(path, without.resolve() if without else None):
        inner = file.relative_to(path).as_posix()
        if not file.is_file():
            raise UsageError(
                f"{file} is no ordinary file: expected a folder of files.", mend="take it out of the folder"
            )
        if len(found) == _MOST_FILES:
            raise UsageError(f"{path} has over {_MOST_FILES} files.", mend="make one archive of them, and log that")
        found.append((inner, file))
    return found


def _below(folder: Path, without: Path | None) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if (Path(place) / name).resolve() != without)
        yield from (Path(place) / name for name in sorted(names))
