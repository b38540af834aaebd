"""Trains a model, or takes one that was trained elsewhere, and packages it in one go: the object never leaves the
process that made it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import PipelineError
from ..data import datasets
from ..data.tensors import tabled
from ..media import Image
from ..packaging import keeping
from .declare import ModelSpec, StepSpec
from .engine import Engine

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["package_model", "train"]


def train(engine: Engine, spec: StepSpec) -> tuple[str, bool]:
    """Return the digest of the packaged model, and whether an equal training's package was taken over.

    Raises:
        StepFailed: when the function raised.
        Incompatible: when what it returned can't be packaged, or the packaged model answers differently.
    """
    fingerprint = engine.fingerprint(spec)
    return package_model(engine, spec, fingerprint, lambda: engine.call(spec))


def package_model(engine: Engine, spec: StepSpec, fingerprint: str, give: Callable[[], Any]) -> tuple[str, bool]:
    """Return the digest of the package of the fitted object that `give` returns, and whether it was there already.

    Args:
        fingerprint: of all that decides what `give` returns: equal ones have equal packages.

    Raises:
        Incompatible: when the object can't be packaged, or the packaged model answers differently.
    """
    began = time.perf_counter()
    before = engine.same(spec, fingerprint)
    known = before.outputs.get("package") if before else None
    if known and keeping.renew(known, engine.store.blobs):
        engine.record(spec, fingerprint, cached=True, outputs={"package": known}, began=began)
        return known, True
    engine.on_event({"event": "step", "step": spec.name, "status": "running"})
    digest = _make(engine, spec, give)
    engine.record(spec, fingerprint, cached=False, outputs={"package": digest}, began=began)
    return digest, False


def _make(engine: Engine, spec: StepSpec, give: Callable[[], Any]) -> str:
    if spec.model is None:
        raise PipelineError(f"{spec.where}: {spec.name!r} trains no model.")
    # Loads numpy and the runtime: only a training that really runs needs them.
    from ..packaging import pack
    from ..replaying.asking import compiled_lock

    store = engine.store
    first = engine.outputs[spec.inputs[0]]
    if first.kind not in ("table", "arrays"):
        raise PipelineError(
            f"{spec.where}: the first input of {spec.name!r}, {spec.inputs[0]!r}, is of kind {first.kind!r}: "
            "the training data must be a table (a dataframe), or a dict of numpy arrays with equally many rows."
        )
    table = datasets.load_table(first, store.blobs)
    features = _features(spec, spec.model, table)
    table = tabled(table, features)
    fitted = give()
    engine.on_event({"event": "step", "step": "package", "status": "running"})
    scratch = Path(tempfile.mkdtemp(prefix=".tmp-package-", dir=store.folder))
    try:
        package, digest = pack(
            fitted,
            name=spec.model.name,
            target=spec.model.target,
            features=features,
            train=table,
            proof=_proof_tables(engine, spec, features),
            flavour=first.flavour,
            environment=compiled_lock(images=any(isinstance(one, Image) for one in spec.model.media.values())),
            folder=scratch,
            tolerance=spec.model.tolerance,
            media=spec.model.media,
            root=engine.root,
            quantise=spec.model.quantise,
        )
        if because := package.options.get("native_because"):
            engine.on_event({"event": "native", "because": because})
        kept = keeping.keep(scratch, store.blobs)
        engine.on_event({"event": "step", "step": "package", "status": "done", "duration_s": 0.0, "outputs": {}})
        return kept if kept == digest else digest
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _features(spec: StepSpec, model: ModelSpec, table: pa.Table) -> list[str]:
    # The index of a pandas frame is stored beside its columns, and is none.
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])
    columns: list[str] = [name for name in table.column_names if name not in index]
    targets = model.targets
    if absent := [name for name in targets if name not in columns]:
        raise PipelineError(
            f"{spec.where}: model {model.name!r}: the training data {spec.inputs[0]!r} has no column "
            f"{absent[0]!r} (its target). It has: {', '.join(columns)}."
        )
    features = [name for name in columns if name not in targets] if model.features is None else list(model.features)
    missing = [name for name in features if name not in columns]
    if missing:
        raise PipelineError(
            f"{spec.where}: model {model.name!r}: features {missing} are not in the training data "
            f"{spec.inputs[0]!r}. It has: {', '.join(columns)}."
        )
    return features


def _proof_tables(engine: Engine, spec: StepSpec, features: list[str]) -> list[Any]:
    """Return every other table of this run, or dict of arrays, that has the features: the holdout is among them."""
    found: list[Any] = []
    own = engine.outputs[spec.inputs[0]].digest
    for name, dataset in sorted(engine.outputs.items()):
        names = {column.name for column in dataset.columns}
        if dataset.kind in ("table", "arrays") and dataset.digest != own and set(features) <= names:
            found.append(datasets.load_table(engine.outputs[name], engine.store.blobs).select(features))
    return found
