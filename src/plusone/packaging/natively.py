"""Packages a trained object as it is, to run in a process of its own, and proves that it answers there as it does here.

For plain Python, and for what can't be compiled. The proof asks `native.runner.NativeRunner`, which serves it too.
"""

from __future__ import annotations

import functools
import site
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ..base import files
from ..base.errors import BrokenArtifact, Incompatible, PlusoneError
from ..base.ids import digest_bytes
from ..base.records import Package, PackageFile, Signature
from ..execution.environment import lock_of
from ..graphs.layout import Block, Columns
from ..graphs.runner import Answer
from ..native.plain import Packed, pack_object
from ..native.pythons import make_interpreter
from ..native.runner import NativeRunner
from ..proving.prove import Case, Trained, make_cases, prove
from ..signatures.tables import Known

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Native", "pack_natively"]


T = TypeVar("T")


class Native(msgspec.Struct, frozen=True, kw_only=True):
    """A trained object as the files and options of a package, proven.

    Attributes:
        environment: the lock of what its process imported, with which it was proven.
        examples: what `examples` made, asked with that process.
    """

    packed: Packed
    options: dict[str, Any]
    record: dict[str, Any]
    environment: str
    examples: bytes


def pack_natively(
    model: Any,
    trained: Trained,
    signature: Signature,
    blocks: Sequence[Block],
    known: Known,
    tables: Sequence[tuple[str, pa.Table]],
    *,
    name: str,
    root: Path,
    tolerance: float,
    because: str,
    examples: Callable[[Callable[[Columns], Answer]], bytes],
) -> Native:
    """Return a trained object as a native package.

    It is proven twice: with this interpreter, to learn what the model imports, and in the environment that has only
    that.

    Args:
        name: the model's.
        root: the project's folder: code and data below it are packaged.
        because: why it is not compiled.
        examples: makes `examples.json`, given what answers.

    Raises:
        Incompatible: when something of it can't be packaged, or it answers differently in a process of its own.
    """
    try:
        packed = pack_object(model, root)
    except Incompatible as error:
        if packed_plain(trained):
            raise
        raise Incompatible(f"{because} Nor can it be packaged as it is: {error.message}", mend=error.mend) from error
    cases = make_cases(trained, signature, blocks, known, tables)
    failure: PlusoneError | None = None
    for ask_labels in (False, True):
        options = _options(packed, trained, signature, blocks, tables[0][1], because, ask_labels)
        try:
            package = Package(
                model=name, format=packed.format, signature=signature, files=listed(packed.files), options=options
            )
            ask = functools.partial(_proven, packed, package, cases, blocks, known, tolerance)
            _, imported = ask(Path(sys.executable), lambda runner: runner.imported(), places=_places())
            lock = lock_of(imported, project=[root])
            record, recorded = ask(make_interpreter(lock), lambda runner: examples(runner.run))
            return Native(packed=packed, options=options, record=record, environment=lock, examples=recorded)
        except Incompatible as error:
            failure = failure or error
            # Labels are the classes with the largest probabilities, unless the model says others: then it is asked.
            if options["output"] != "probabilities":
                break
    raise failure or Incompatible("The model was not asked.")


def _places() -> list[str]:
    """Return where this Python finds distributions: its site-packages, and the folders that `.pth` files there name.

    What such files run when Python starts is left out: no model asked for what that imports.
    """
    found = [folder for folder in site.getsitepackages() if Path(folder).is_dir()]
    for file in sorted(file for folder in found for file in Path(folder).glob("*.pth")):
        lines = file.read_text("utf-8", errors="replace").splitlines()
        named = [file.parent / line.strip() for line in lines if line.strip() and not line.startswith(("import", "#"))]
        found += [str(folder) for folder in named if folder.is_dir()]
    return list(dict.fromkeys(found))


def packed_plain(trained: Trained) -> bool:
    """Say whether the object is plain Python, of which nobody expects that it is compiled."""
    return bool(getattr(trained.model, "takes_frames", False))


def _options(
    packed: Packed,
    trained: Trained,
    signature: Signature,
    blocks: Sequence[Block],
    train: pa.Table,
    because: str,
    ask_labels: bool,
) -> dict[str, Any]:
    output = signature.output
    labels = "probabilities" if output.probabilities else "codes"
    kind = labels if output.kind in ("classes", "labels") else output.kind
    options: dict[str, Any] = {
        "blocks": [msgspec.to_builtins(block) for block in blocks],
        "output": kind,
        "precision": "native",
        "entry": packed.entry,
        "frame": _frame(trained, signature, train),
        "paths": list(packed.paths),
        "types": list(packed.types),
        "native_because": because,
    }
    return {**options, "ask_labels": True} if ask_labels else options


def _frame(trained: Trained, signature: Signature, train: pa.Table) -> dict[str, Any]:
    """Return how the model's own kind of table is made of the columns of a request."""
    flavour, frame = trained.frame_of(train.slice(0, 1))
    columns: list[dict[str, Any]] = []
    for field in signature.fields:
        column: Any = frame[field.name]
        described: dict[str, Any] = {"name": field.name, "dtype": field.dtype, "as": str(column.dtype)}
        categories: Any = getattr(column.dtype, "categories", None)
        if categories is not None and (flavour != "polars" or described["as"].startswith("Enum")):
            described |= {"categories": [str(one) for one in categories], "ordered": bool(_ordered(column.dtype))}
        columns.append(described)
    return {"flavour": flavour, "columns": columns}


def _ordered(dtype: Any) -> Any:
    return getattr(dtype, "ordered", False)


def _proven(
    packed: Packed,
    package: Package,
    cases: Sequence[Case],
    blocks: Sequence[Block],
    known: Known,
    tolerance: float,
    python: Path,
    then: Callable[[NativeRunner], T],
    places: Sequence[str] = (),
) -> tuple[dict[str, Any], T]:
    """Return the record of the proof, made with a process that has nothing but the package's files, and what `then` has
    of that process.
    """
    with tempfile.TemporaryDirectory(prefix="plusone-") as scratch:
        folder = Path(scratch)
        for path, data in packed.files.items():
            files.write_atomic(files.inside(folder, path), data)
        try:
            runner = NativeRunner(folder, package, python, path=places)
        except BrokenArtifact as error:
            raise Incompatible(error.message, mend=error.mend, **error.details) from error
        try:
            record = prove(cases, runner, package.signature, blocks, known, tolerance, "native")
            return record, then(runner)
        except Incompatible:
            raise
        except PlusoneError as error:
            notes = "\n".join(getattr(error, "__notes__", ()))
            raise Incompatible(
                f"The model does not answer in a process of its own, where it has only its package: {error.message}"
                + (f"\n{notes}" if notes else ""),
                mend="keep what it uses in its attributes, in modules of the project, or in files whose paths it keeps",
            ) from error
        finally:
            runner.close()


def listed(data: Mapping[str, bytes]) -> tuple[PackageFile, ...]:
    """Return the files of a package as its manifest lists them, sorted by path."""
    return tuple(
        PackageFile(path=path, digest=digest_bytes(data[path]), size_bytes=len(data[path])) for path in sorted(data)
    )
