"""Writes a packaged model as a folder, and reads it back with every digest verified.

A package is `manifest.json` (the record `Package`, canonical), `model.onnx` and `environment.txt`. The package's digest
is the sha256 of the manifest, and the manifest holds the digests of the others, so one digest stands for all bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..base import files
from ..base.errors import BrokenArtifact, Incompatible, UsageError
from ..base.ids import canonical_json, check_model_name, digest_bytes, digest_file
from ..base.records import Package, PackageFile, Signature
from ..formats import Compiled, find_format
from ..formats.layout import Block, plan_blocks
from ..formats.runner import OnnxRunner
from .tables import compute

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MANIFEST", "known_values", "pack", "read"]

MANIFEST = "manifest.json"
_MODEL = "model.onnx"
_ENVIRONMENT = "environment.txt"
_decoder = msgspec.json.Decoder(Package)


def pack(
    model: Any,
    *,
    name: str,
    target: str,
    features: Sequence[str],
    train: pa.Table,
    proof: Sequence[pa.Table] = (),
    flavour: str = "pandas",
    environment: str,
    folder: Path,
    tolerance: float = 1e-5,
) -> tuple[Package, str]:
    """Compile a fitted model, prove it equal, write its package; return the package and its digest.

    Args:
        model: the fitted object, as the train function returned it.
        target: the column that the model predicts.
        features: the columns that a request carries.
        train: the training data, with the target.
        proof: other tables with the features, e.g. the holdout.
        flavour: the dataframe that the train function got: `pandas`, `polars` or `pyarrow`.
        environment: the text of the environment lock.
        folder: an empty or absent folder to write into.
        tolerance: how far a compiled probability or number may be from the trained one.

    Raises:
        Incompatible: when the model can't be compiled, or the compiled one answers differently.
        UsageError: when the features do not fit the model or the data, or the folder is not empty.
    """
    check_model_name(name)
    if not 0 <= tolerance < math.inf:
        raise UsageError(f"tolerance is {tolerance}: expected a number of 0 or more.")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: a package is written into an empty folder.")
    package, graph = _build(model, name, target, features, train, proof, flavour, environment, tolerance)
    files.write_atomic(folder / _MODEL, graph)
    files.write_atomic(folder / _ENVIRONMENT, environment.encode())
    manifest = canonical_json(package)
    # The manifest comes last: a folder without one is no package.
    files.write_atomic(folder / MANIFEST, manifest)
    return _decoder.decode(manifest), digest_bytes(manifest)


def read(folder: Path, digest: str | None = None) -> Package:
    """Return the package in `folder`, after verifying the digest of the manifest and of every file.

    Args:
        digest: what the manifest's sha256 must be; None takes any.

    Raises:
        BrokenArtifact: naming the file, its expected and its actual digest.
    """
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenArtifact(f"{path} can't be read: {error}.", file=MANIFEST, mend=_AGAIN) from error
    actual = digest_bytes(data)
    if digest is not None and actual != digest:
        raise _broken(folder, MANIFEST, digest, actual)
    try:
        package = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenArtifact(f"{path} is not a package's manifest: {error}.", file=MANIFEST, mend=_AGAIN) from error
    for file in package.files:
        _verify(folder, file)
    return package


def known_values(package: Package) -> dict[str, frozenset[Any]]:
    """Return, by field, the only values that it may hold, where the model answers to no others."""
    found: dict[str, frozenset[Any]] = {}
    for field in package.signature.fields:
        if field.unseen == "refuse" and field.categories is not None:
            found[field.name] = frozenset(field.categories)
    for name, values in package.options.get("known_values", {}).items():
        found[name] = frozenset(values)
    return found


_AGAIN = "package the release again, or restore the file from a backup"


def _verify(folder: Path, file: PackageFile) -> None:
    try:
        path = files.inside(folder, file.path)
    except UsageError as error:
        raise BrokenArtifact(
            f"The manifest in {folder} names {file.path!r}, which leads out of it.", file=file.path
        ) from error
    try:
        actual = digest_file(path)
    except OSError as error:
        raise BrokenArtifact(
            f"{path} can't be read: {error}.", file=file.path, expected=file.digest, actual=None, mend=_AGAIN
        ) from error
    if actual != file.digest:
        raise _broken(folder, file.path, file.digest, actual)


def _broken(folder: Path, name: str, expected: str, actual: str) -> BrokenArtifact:
    return BrokenArtifact(
        f"{folder / name} was changed: expected sha256 {expected}, found {actual}.",
        file=name,
        expected=expected,
        actual=actual,
        mend=_AGAIN,
    )


def _build(
    model: Any,
    name: str,
    target: str,
    features: Sequence[str],
    train: pa.Table,
    proof: Sequence[pa.Table],
    flavour: str,
    environment: str,
    tolerance: float,
) -> tuple[Package, bytes]:
    """Return the package's record and the bytes of its graph."""
    from ..data.profile import profile
    from .prove import Trained
    from .signature import make_fields, make_output, order_features, settle_fields

    if target in features:
        raise UsageError(f"The target {target!r} is among the features.", mend="leave it out of features=")
    output = make_output(model, target)
    ordered = order_features(model, features, target)
    trained = Trained(model, ordered, flavour)
    fields = settle_fields(make_fields(ordered, train), train, trained.ask)
    signature = Signature(fields=fields, output=output)
    blocks = plan_blocks(fields)
    tables = [("training data", train), *((f"proof table {n}", table) for n, table in enumerate(proof, 1))]
    compiled, blocks, record = _first_proven(model, trained, signature, blocks, tables, tolerance)
    options: dict[str, Any] = {
        "blocks": [msgspec.to_builtins(block) for block in blocks],
        "output": compiled.output,
        "precision": compiled.precision,
        "known_values": _all_known(compiled, signature, train),
    }
    package = Package(
        model=name,
        format="onnx",
        signature=signature,
        files=(_file(_ENVIRONMENT, environment.encode()), _file(_MODEL, compiled.graph)),
        options=options,
        proof=record,
        profile=profile(train.select(ordered)),
        environment=digest_bytes(environment.encode()),
        trained=f"{type(model).__module__}.{type(model).__qualname__}",
    )
    return package, compiled.graph


def _first_proven(
    model: Any,
    trained: Any,
    signature: Signature,
    blocks: Sequence[Block],
    tables: Sequence[tuple[str, pa.Table]],
    tolerance: float,
) -> tuple[Compiled, Sequence[Block], dict[str, Any]]:
    """Return the first attempt that loads and is proven equal, how rows enter it, and the record of its proof."""
    from .codes import strings_to_codes
    from .prove import make_cases, prove

    failure: Exception | None = None
    cases: Any = None
    for compiled in find_format(model, signature.fields, blocks):
        try:
            known = {n: frozenset(v) for n, v in _all_known(compiled, signature, tables[0][1]).items()}
            if cases is None:
                cases = make_cases(trained, signature, blocks, known, tables)
            graph, entry = strings_to_codes(compiled.graph, blocks)
            runner = OnnxRunner(graph, compiled.output, signature.output.classes)
            record = prove(cases, runner, signature, entry, known, tolerance, compiled.precision)
            return msgspec.structs.replace(compiled, graph=graph), entry, record
        except (BrokenArtifact, Incompatible) as error:
            failure = failure or error
    if isinstance(failure, BrokenArtifact):
        raise Incompatible(f"The compiled model can't be loaded: {failure.message}") from failure
    raise failure or Incompatible("There was no way to compile this model.")


def _all_known(compiled: Compiled, signature: Signature, train: pa.Table) -> dict[str, tuple[Any, ...]]:
    """Return, by field, the only values it may hold: numbers as the graph has them, strings as in training."""
    import pyarrow as pa

    found: dict[str, tuple[Any, ...]] = {name: tuple(sorted(values)) for name, values in compiled.known_values.items()}
    for field in signature.fields:
        if field.dtype == "string" and field.unseen == "refuse":
            values = field.categories
            if values is None:
                values = tuple(
                    sorted(compute().unique(train.column(field.name).cast(pa.string()).drop_null()).to_pylist())
                )
            found[field.name] = values
    return found


def _file(path: str, data: bytes) -> PackageFile:
    return PackageFile(path=path, digest=digest_bytes(data), size_bytes=len(data))
