"""`plusone release --from NAME@n`: which version is taken, and whether its file may be loaded at all."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..base.errors import Conflict, NotFound, UnsafeValue, UsageError
from ..pipeline.taking import TakeRequest
from ..store import Store
from ..store.database import Database, Transaction
from .catalogue import files_of, get_version
from .sources import File

__all__ = ["Taken", "check_open", "find_taken"]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MOST_DIGITS = 18
_PICKLED = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".pt", ".pth")
_KINDS = {".skops": "skops", ".onnx": "onnx"}


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version that becomes a release under its own number.

    Attributes:
        files: the digest of each file of the version, by path.
        request: what the project's process is asked.
    """

    model: str
    number: int
    files: dict[str, str]
    request: TakeRequest

    @property
    def evidence(self) -> dict[str, Any]:
        """What the release and the decision on its checks keep of where it came from."""
        found: dict[str, Any] = {"from": f"{self.model}@{self.number}", "files": self.files}
        return {**found, "trusted": self.request.blob} if self.request.trusted else found

    def tags(self, by: str) -> dict[str, str]:
        """Return what the run keeps of where its model came from, and who trusted it."""
        found = {"plusone.from": f"{self.model}@{self.number}"}
        if self.request.trusted:
            found |= {"plusone.trusted": self.request.blob, "plusone.trusted_by": by}
        return found


def find_taken(store: Store, target: str, *, trust: str = "") -> Taken:
    """Return the version that `NAME@n` names, if it can be packaged.

    Args:
        trust: the sha256 of the model's file, from a person who trusts what it holds.

    Raises:
        UsageError: when the text names no version, or `trust` is not the digest of its model's file.
        NotFound: when there is no such version.
        Conflict: when it is a release already, or its files are not in this store.
        UnsafeValue: when its model is pickled: that is never loaded.
    """
    name, _, digits = target.rpartition("@")
    if not (name and digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise UsageError(
            f"--from {target[:100]!r} names no version: expected MODEL@N.", mend="for example --from flight-delays@3"
        )
    number = int(digits)
    check_open(store.db, name, number)
    version = get_version(store.db, name, number).version
    files = files_of(store.db, version)
    if not files:
        raise Conflict(
            f"{name}@{number} has no files in this store: its source is {version.source[:200]!r}.",
            mend="log the model to this server, for example with mlflow.sklearn.log_model",
        )
    kind, file = _model_file(f"{name}@{number}", files)
    if trust and trust != file.blob:
        raise UsageError(
            f"--trust {trust[:80]!r} is not the digest of the model's file of {name}@{number}, {file.path}."
            + ("" if _DIGEST.match(trust) else " Expected a whole sha256, 64 hex digits."),
            mend=f"if you trust that file: --trust {file.blob}",
        )
    request = TakeRequest(
        model=name, kind=kind, path=file.path, blob=file.blob, files=_digests(files), trusted=bool(trust)
    )
    return Taken(model=name, number=number, files=request.files, request=request)


def check_open(db: Database | Transaction, name: str, number: int) -> None:
    """Accept a version that is no release yet and was not deleted.

    Raises:
        NotFound: when there is no such version.
        Conflict: when it is a release already.
    """
    found = get_version(db, name, number)
    if found.release is not None:
        raise Conflict(
            f"{name}@{number} is a release already ({found.stage}): a release never changes.",
            mend=f"plusone promote {name}@{number}" if found.stage == "passed" else f"plusone show {name}@{number}",
        )


def _model_file(target: str, files: list[File]) -> tuple[str, File]:
    """Return the one file that holds the model, and how it is to be read."""
    for ending, kind in _KINDS.items():
        found = [file for file in files if file.path.endswith(ending)]
        if len(found) > 1:
            names = ", ".join(file.path for file in found[:5])
            raise UsageError(f"{target} has several {ending} files ({names}): expected one, the model.")
        if found:
            return kind, found[0]
    if pickled := [file for file in files if file.path.endswith(_PICKLED)]:
        raise UnsafeValue(
            f"{target} is pickled ({pickled[0].path}, sha256 {pickled[0].blob}). Loading a pickle runs whatever code "
            "is in it, so plusone loads none, whoever trusts it.",
            mend="log the model again: mlflow.sklearn.log_model(model, name='model', serialization_format='skops')",
            path=pickled[0].path,
            digest=pickled[0].blob,
        )
    names = ", ".join(file.path for file in files[:10])
    raise NotFound(
        f"{target} has no model that can be taken among its files: {names}. Expected a .skops or an .onnx file.",
        mend="log the model again: mlflow.sklearn.log_model(model, name='model', serialization_format='skops')",
    )


def _digests(files: list[File]) -> dict[str, str]:
    return {file.path: file.blob for file in files}
