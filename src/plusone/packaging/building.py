"""Builds a packaged model from a trained object: its signature, its graph, the proof that both answer alike.

The object never leaves its process, and nothing of it is pickled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..base import files
from ..base.errors import BrokenArtifact, Incompatible, UsageError
from ..base.ids import canonical_json, check_model_name, digest_bytes
from ..base.records import Package, PackageFile, Signature
from ..formats import Compiled, Opened, open_model
from ..graphs.layout import Block, plan_blocks
from ..graphs.runner import OnnxRunner
from .artifact import ENVIRONMENT, MANIFEST, MODEL
from .signature import MAX_CATEGORIES
from .tables import compute

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["pack"]


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
    quantise: float | None = None,
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
        quantise: try a network's layers in 8 bits, and keep them within this distance, see `quantise.try_int8`.

    Raises:
        Incompatible: when the model can't be compiled, or the compiled one answers differently.
        UsageError: when the features do not fit the model or the data, or the folder is not empty.
    """
    check_model_name(name)
    if not 0 <= tolerance < math.inf:
        raise UsageError(f"tolerance is {tolerance}: expected a number of 0 or more.")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: a package is written into an empty folder.")
    package, graph = _build(model, name, target, features, train, proof, flavour, environment, tolerance, quantise)
    files.write_atomic(folder / MODEL, graph)
    files.write_atomic(folder / ENVIRONMENT, environment.encode())
    manifest = canonical_json(package)
    # The manifest comes last: a folder without one is no package.
    files.write_atomic(folder / MANIFEST, manifest)
    return msgspec.json.decode(manifest, type=Package), digest_bytes(manifest)


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
    quantise: float | None,
) -> tuple[Package, bytes]:
    """Return the package's record and the bytes of its graph."""
    from ..data.profile import profile
    from .prove import Trained
    from .signature import make_fields, make_output, order_features, settle_fields

    if target in features:
        raise UsageError(f"The target {target!r} is among the features.", mend="leave it out of features=")
    opened = open_model(model, _labels(train, target))
    output = make_output(opened, target)
    ordered = order_features(opened.trained, features, target)
    trained = Trained(opened.trained, ordered, flavour)
    fields = settle_fields(make_fields(ordered, train), train, trained.ask)
    signature = Signature(fields=fields, output=output)
    blocks = plan_blocks(fields)
    tables = [("training data", train), *((f"proof table {n}", table) for n, table in enumerate(proof, 1))]
    compiled, blocks, record = _first_proven(opened, trained, signature, blocks, tables, tolerance, quantise)
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
        files=(_file(ENVIRONMENT, environment.encode()), _file(MODEL, compiled.graph)),
        options=options,
        proof=record,
        profile=profile(train.select(ordered)),
        environment=digest_bytes(environment.encode()),
        trained=f"{type(model).__module__}.{type(model).__qualname__}",
    )
    return package, compiled.graph


def _first_proven(
    opened: Opened,
    trained: Any,
    signature: Signature,
    blocks: Sequence[Block],
    tables: Sequence[tuple[str, pa.Table]],
    tolerance: float,
    quantise: float | None,
) -> tuple[Compiled, Sequence[Block], dict[str, Any]]:
    """Return the first attempt that loads and is proven equal, how rows enter it, and the record of its proof."""
    from .codes import strings_to_codes
    from .edges import prove_edges
    from .prove import make_cases, prove
    from .quantise import try_int8

    failure: Exception | None = None
    cases: Any = None
    for compiled in opened.compile(signature.fields, blocks):
        try:
            known = {n: frozenset(v) for n, v in _all_known(compiled, signature, tables[0][1]).items()}
            if cases is None:
                cases = make_cases(trained, signature, blocks, known, tables)
            graph, entry = strings_to_codes(compiled.graph, blocks)
            runner = OnnxRunner(graph, compiled.output, signature.output.classes)
            record = prove(cases, runner, signature, entry, known, tolerance, compiled.precision)
            record["edges"] = prove_edges(
                trained, cases, graph, runner, signature, entry, known, tolerance, compiled.precision
            )
            found = msgspec.structs.replace(compiled, graph=graph), entry, record
            if quantise is None:
                return found
            return try_int8(opened, trained, cases, found, signature, blocks, known, quantise)
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


def _labels(train: pa.Table, target: str) -> tuple[Any, ...]:
    """Return the distinct values of the target, sorted; nothing where it has too many or can't be a label."""
    import pyarrow as pa

    if target not in train.column_names:
        return ()
    column = train.column(target)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_text(kind)):
        return ()
    values = compute().unique(column.cast(kind).drop_null())
    if len(values) > MAX_CATEGORIES:
        return ()
    found: list[Any] = values.to_pylist()
    if any(isinstance(value, float) and not value.is_integer() for value in found):
        return ()
    return tuple(sorted(int(value) if isinstance(value, float) else value for value in found))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
