"""What is done in the fresh Python: a package is loaded as serving loads it, and asked its recorded examples.

It imports what `predictor` imports to load and answer, and nothing else: what it reports is the lock.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from .. import media
from ..base import files
from ..base.ids import canonical_json, digest_bytes
from ..base.records import Field, Output, Package, PackageFile, Signature
from ..packaging.artifact import MANIFEST, MODEL
from ..packaging.examples import EXAMPLES, Examples, Recorded, differing, read_examples
from ..predictor import Predictor, load

__all__ = ["answer", "ask_examples"]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what came of asking the package in the request's `folder` its examples; without one, a tiny model.

    Where its requests may bring files, a small one of each kind is read, too: no example is one.

    Returns:
        `rows`, `differing` (the places of rows that are answered otherwise), `max_difference` (None: not to be told).

    Raises:
        PlusoneError: when the package can't be loaded or does not answer.
    """
    if request.get("folder"):
        return _replay(Path(request["folder"]), request["digest"])
    if request.get("images"):
        picture = media.Image(height=1, width=1)
        picture.decode(picture.example_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        return _replay(Path(scratch), _write_tiny(Path(scratch)))


def _replay(folder: Path, digest: str) -> dict[str, Any]:
    predictor = load(folder, digest)
    for field in predictor.signature.fields:
        if field.media is not None:
            media.decode(field.media, media.example_bytes(field.media))
    return ask_examples(predictor, folder)


def ask_examples(predictor: Predictor, folder: Path) -> dict[str, Any]:
    """Return what came of asking a model that is loaded the examples of its package: see `answer`."""
    examples = read_examples(folder)
    if not examples.rows:
        predictor.warm_up()
        return {"rows": 0, "differing": [], "max_difference": 0.0}
    answered = predictor.run(predictor.decode(msgspec.json.encode({"rows": examples.rows})))
    predictor.predictions(answered)
    bad, largest = differing(examples.answers, answered, float(predictor.package.proof.get("tolerance", 0.0)))
    return {"rows": answered.rows, "differing": bad, "max_difference": largest if largest < float("inf") else None}


_TINY = base64.b64decode(
    "CAg6RwoWCgdudW1iZXJzEgF5IghJZGVudGl0eRIBZ1oXCgdudW1iZXJzEgwKCggLEgYKAAoCCAFiEQoBeRIMCgoICxIGCgAKAggBQgQKABAN"
)
"""A graph of one node, Identity: float64 of shape (rows, 1) in, the same out."""


def _write_tiny(folder: Path) -> str:
    """Write a package of one number that is answered as it is, and return its digest."""
    row = Examples(rows=[{"x": 1.5}], answers=Recorded(numbers=[1.5]))
    contents = {MODEL: _TINY, EXAMPLES: canonical_json(row)}
    package = Package(
        model="tiny",
        format="onnx",
        signature=Signature(
            fields=(Field(name="x", dtype="float64", example=1.5),), output=Output(name="y", kind="number")
        ),
        files=tuple(
            PackageFile(path=path, digest=digest_bytes(data), size_bytes=len(data)) for path, data in contents.items()
        ),
        options={"blocks": [{"name": "numbers", "dtype": "float64", "fields": ["x"]}], "output": "number"},
    )
    manifest = canonical_json(package)
    for path, data in {**contents, MANIFEST: manifest}.items():
        files.write_atomic(folder / path, data)
    return digest_bytes(manifest)
