"""Takes a model that was trained elsewhere instead of training one, and packages it like any other.

The file is read by its digest, in the process in which the project's own code runs. Nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..base.errors import UsageError
from .declare import StepSpec
from .engine import Engine
from .training import package_model

__all__ = ["TakeRequest", "check_settings", "take"]


class TakeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which file holds the model, and how it is read.

    Attributes:
        kind: `skops` or `onnx`.
        path: of the file, for messages.
        blob: its digest.
        files: the digests of all files that came with it, by path: they stand for the code of the train function.
        trusted: whether a person trusted this very digest.
    """

    model: str
    kind: str
    path: str
    blob: str
    files: dict[str, str]
    trusted: bool = False


def check_settings(trainer: StepSpec, specs: Sequence[StepSpec], assigned: Mapping[str, Any]) -> None:
    """Accept assignments of which none is about the train function alone: it is not called.

    Raises:
        UsageError: naming the setting.
    """
    for key in assigned:
        step, dot, short = key.rpartition(".")
        reached = {spec.name for spec in specs if short in spec.settings and (not dot or spec.name == step)}
        if reached == {trainer.name}:
            raise UsageError(
                f"--set {key}: it is a setting of {trainer.name!r}, which is not called: the model comes from --from.",
                mend="leave it out",
            )


def take(engine: Engine, spec: StepSpec, asked: TakeRequest) -> tuple[str, bool]:
    """Return the digest of the packaged model, and whether the package of the same files was taken over.

    Raises:
        UnsafeValue: when the file names types that are not known to be safe, and nobody trusted its digest.
        Incompatible: when what it holds can't be packaged, or the packaged model answers differently.
        UsageError: when it can't be read.
    """
    fingerprint = engine.fingerprint(spec, taken=asked.files)
    return package_model(engine, spec, fingerprint, lambda: _load(engine, asked))


def _load(engine: Engine, asked: TakeRequest) -> Any:
    data = engine.store.blobs.get(asked.blob)
    if asked.kind == "skops":
        from ..formats.skops import load_skops

        return load_skops(data, path=asked.path, digest=asked.blob, trusted=asked.trusted)
    from ..formats.onnx import OnnxModel

    folder = asked.path.rpartition("/")[0]

    def beside(name: str) -> bytes | None:
        digest = asked.files.get(f"{folder}/{name}" if folder else name)
        return engine.store.blobs.get(digest) if digest else None

    return OnnxModel(data, beside=beside)
