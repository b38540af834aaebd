"""Builds a packaged model from a trained object: its signature, its graph, the proof that both answer alike.

The object never leaves its process, and nothing of it is pickled.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..base import files
from ..base.errors import BrokenArtifact, Incompatible, UsageError
from ..base.ids import canonical_json, check_model_name, digest_bytes
from ..base.records import Package, Signature
from ..formats import Compiled, Opened, open_model
from ..graphs.layout import Block, plan_blocks
from ..graphs.runner import OnnxRunner
from ..media import Audio, Image
from ..native.plain import open_plain
from ..signatures.shapes import width_of, with_media
from ..signatures.signature import MAX_CATEGORIES
from ..signatures.tables import compute
from .artifact import ENVIRONMENT, MANIFEST, MODEL
from .natively import listed, pack_natively

if TYPE_CHECKING:
    import pyarrow as pa

    from ..proving.prove import Trained

__all__ = ["pack"]

_BECAUSE = 300
_LABELS = 5
_ASKED_FIRST = 256
"""So many rows a model is asked with whose answers have to be seen before it is known what they are."""


def pack(
    model: Any,
    *,
    name: str,
    target: str | Sequence[str] | None,
    features: Sequence[str],
    train: pa.Table,
    proof: Sequence[pa.Table] = (),
    flavour: str = "pandas",
    environment: str,
    folder: Path,
    tolerance: float = 1e-5,
    media: Mapping[str, Image | Audio] | None = None,
    root: Path | None = None,
    quantise: float | None = None,
) -> tuple[Package, str]:
    """Compile a fitted model, prove it equal, write its package; return the package and its digest.

    Args:
        model: the fitted object, as the train function returned it.
        target: the column that the model predicts; several, in the order of its answers; or None.
        features: the columns that a request carries.
        train: the training data, with the target.
        proof: other tables with the features, e.g. the holdout.
        flavour: what the train function got: a dataframe of `pandas`, `polars` or `pyarrow`, or arrays of `numpy`.
        environment: the text of the environment lock: of what the packaged model needs to load and answer.
        folder: an empty or absent folder to write into.
        tolerance: how far a compiled probability or number may be from the trained one.
        media: by feature, how the bytes of an image or a sound become its tensor.
        root: the project's folder: with it plain Python of the project, and what can't be compiled, is packaged as it
            is, to run in a process of its own.
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
    package, contents = _build(
        model, name, target, features, train, proof, flavour, environment, tolerance, media or {}, root, quantise
    )
    for path, data in contents.items():
        files.write_atomic(files.inside(folder, path), data)
    manifest = canonical_json(package)
    # The manifest comes last: a folder without one is no package.
    files.write_atomic(folder / MANIFEST, manifest)
    return msgspec.json.decode(manifest, type=Package), digest_bytes(manifest)


def _build(
    model: Any,
    name: str,
    target: str | Sequence[str] | None,
    features: Sequence[str],
    train: pa.Table,
    proof: Sequence[pa.Table],
    flavour: str,
    environment: str,
    tolerance: float,
    media: Mapping[str, Image | Audio],
    root: Path | None,
    quantise: float | None,
) -> tuple[Package, dict[str, bytes]]:
    """Return the package's record and the bytes of its files, by path."""
    from ..data.profile import profile
    from ..proving.prove import Trained
    from ..signatures.signature import base_row, make_fields, make_output, order_features, settle_fields, targets_of

    targets = targets_of(target)
    if both := [name for name in targets if name in features]:
        raise UsageError(f"The target {both[0]!r} is among the features.", mend="leave it out of features=")
    opened = _open(model, _labels(train, targets[0]) if len(targets) == 1 else (), root)
    ordered = order_features(opened.trained, features, target, width_of(train, features))
    fields = with_media(make_fields(ordered, train), media)
    if opened.settle is not None:
        rows = Trained(opened.trained, ordered, flavour).frame(train.slice(0, _ASKED_FIRST))
        opened = opened.settle(fields, rows)
    trained = Trained(opened.trained, ordered, flavour)
    output = make_output(opened, target, lambda: trained.width(base_row(ordered, train)))
    if opened.output is None and output.kind == "classes" and targets:
        _check_labels(output.classes, _labels(train, targets[0]), targets[0])
    fields = settle_fields(fields, train, trained.ask)
    signature = Signature(fields=fields, output=output)
    blocks = plan_blocks(fields)
    tables = [("training data", train), *((f"proof table {n}", table) for n, table in enumerate(proof, 1))]
    made = _make(model, name, opened, trained, signature, blocks, tables, environment, tolerance, root, quantise)
    package = Package(
        model=name,
        format=made.format,
        signature=signature,
        files=listed(made.contents),
        options=made.options,
        proof=made.record,
        profile=profile(train.select(ordered)),
        environment=digest_bytes(made.contents[ENVIRONMENT]),
        trained=f"{type(model).__module__}.{type(model).__qualname__}",
    )
    return package, made.contents


class _Made(NamedTuple):
    """A trained object as a package, but for its manifest: compiled, or as it is."""

    format: str
    contents: dict[str, bytes]
    options: dict[str, Any]
    record: dict[str, Any]


def _make(
    model: Any,
    name: str,
    opened: Opened,
    trained: Trained,
    signature: Signature,
    blocks: Sequence[Block],
    tables: Sequence[tuple[str, pa.Table]],
    environment: str,
    tolerance: float,
    root: Path | None,
    quantise: float | None,
) -> _Made:
    """Return the object compiled or, in a project, as it is where it can't be compiled."""
    from .examples import EXAMPLES, make_examples

    train = tables[0][1]
    try:
        compiled, blocks, record = _first_proven(opened, trained, signature, blocks, tables, tolerance, quantise)
    except Incompatible as error:
        if root is None:
            raise
        known = _all_known({}, signature, train)
        allowed = {name: frozenset(values) for name, values in known.items()}
        native = pack_natively(
            model,
            trained,
            signature,
            blocks,
            allowed,
            tables,
            name=name,
            root=root,
            tolerance=tolerance,
            because=error.message.partition("\n")[0][:_BECAUSE],
            examples=functools.partial(make_examples, train, signature, blocks, allowed),
        )
        contents = {ENVIRONMENT: native.environment.encode(), EXAMPLES: native.examples, **native.packed.files}
        return _Made(native.packed.format, contents, {**native.options, "known_values": known}, native.record)
    known = _all_known(compiled.known_values, signature, train)
    output = signature.output
    runner = OnnxRunner(compiled.graph, compiled.output, output.classes, output.sizes)
    allowed = {name: frozenset(values) for name, values in known.items()}
    contents = {
        MODEL: compiled.graph,
        ENVIRONMENT: environment.encode(),
        EXAMPLES: make_examples(train, signature, blocks, allowed, runner.run),
    }
    options: dict[str, Any] = {
        "blocks": [msgspec.to_builtins(block) for block in blocks],
        "output": compiled.output,
        "precision": compiled.precision,
        "known_values": known,
    }
    return _Made("onnx", contents, options, record)


def _open(model: Any, labels: Sequence[Any], root: Path | None) -> Opened:
    """Return the trained object as its format has it: that of an installed one, or else plain Python of the project."""
    try:
        return open_model(model, labels)
    except Incompatible:
        plain = open_plain(model, labels, root) if root is not None else None
        if plain is None:
            raise
        return plain


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
    from ..proving.codes import strings_to_codes
    from ..proving.edges import prove_edges
    from ..proving.prove import make_cases, prove
    from ..proving.quantise import try_int8

    failure: Exception | None = None
    cases: Any = None
    for compiled in opened.compile(signature.fields, blocks):
        try:
            known = {n: frozenset(v) for n, v in _all_known(compiled.known_values, signature, tables[0][1]).items()}
            if cases is None:
                cases = make_cases(trained, signature, blocks, known, tables)
            graph, entry = strings_to_codes(compiled.graph, blocks)
            runner = OnnxRunner(graph, compiled.output, signature.output.classes, signature.output.sizes)
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


def _all_known(
    numbers: Mapping[str, Sequence[float]], signature: Signature, train: pa.Table
) -> dict[str, tuple[Any, ...]]:
    """Return, by field, the only values it may hold: numbers as the graph has them, strings as in training."""
    import pyarrow as pa

    found: dict[str, tuple[Any, ...]] = {name: tuple(sorted(values)) for name, values in numbers.items()}
    for field in signature.fields:
        if field.dtype == "string" and field.unseen == "refuse":
            values = field.categories
            if values is None:
                values = tuple(
                    sorted(compute().unique(train.column(field.name).cast(pa.string()).drop_null()).to_pylist())
                )
            found[field.name] = values
    return found


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


def _check_labels(classes: Sequence[Any], found: Sequence[Any], target: str) -> None:
    """Raise Incompatible when a model answers none of the target's labels: nothing could ever say that it is right.

    Args:
        found: what `_labels` has of the target; nothing is known where that is empty.
    """
    if found and not set(classes) & set(found):
        several = " and others" if len(found) > _LABELS else ""
        raise Incompatible(
            f"The model answers the labels {', '.join(map(repr, classes[:_LABELS]))}, and the target {target!r} of the "
            f"training data holds none of them, but {', '.join(map(repr, found[:_LABELS]))}{several}.",
            mend=f"fit it on train_set[{target!r}] as it is; or name the column that holds its labels as target=, or "
            "None where there is none",
        )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
