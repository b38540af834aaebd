"""Where the files of a registered version are: artifacts that a client's URI names, or a release's own package."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..base.errors import NotFound, UsageError
from ..base.records import Package, Release
from ..packaging import keeping
from ..store import Store
from ..store.blobs import Blobs
from ..store.database import Database, Transaction

__all__ = ["PACKAGE", "File", "Source", "find_source", "keep_package", "list_files", "package_uri"]

PACKAGE = "plusone/package"
"""The folder among the artifacts of a release's run in which its package lies."""

_ARTIFACTS = re.compile(r"/?(?:[^/]+)/(?:models/)?([^/]+)/artifacts(?:/(.*))?\Z")
_PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
_PROMPTS = ("dummy-source", "prompt-template")
"""What MLflow's clients send as the source of a prompt, which has no files."""


class File(NamedTuple):
    """One file of a version, its path relative to the version's folder."""

    path: str
    blob: str
    size_bytes: int


class Source(NamedTuple):
    """What a client's URI means here. An empty owner: the files are not in this store."""

    owner: str
    path: str
    run_id: str
    model_id: str


def find_source(db: Database | Transaction, uri: str) -> Source:
    """Return which artifacts of which run or logged model a URI names.

    Known are `runs:/RUN/path`, `models:/MODEL_ID`, `models:/NAME/n`, `mlflow-artifacts:/...` and the same through the
    proxy's address. Other schemes (s3, dbfs ...) name files that are elsewhere: they are taken down, not looked at.

    Raises:
        UsageError: for a path of this machine, and for one that leads out of its folder.
        NotFound: when there is no such run, logged model or version.
    """
    parts = urlsplit(_checked(uri))
    path = unquote(parts.path).rstrip("/")
    if uri in _PROMPTS:
        return Source("", "", "", "")
    if not parts.scheme or parts.scheme == "file":
        raise UsageError(
            f"Invalid model version source: {uri[:200]!r}. A path of a machine can't be registered: its files would "
            "not be kept. Expected runs:/RUN_ID/path, models:/MODEL_ID or mlflow-artifacts:/...",
            mend="mlflow.log_artifacts(folder, 'model'), then register runs:/RUN_ID/model",
        )
    if parts.scheme == "models":
        return _of_models(db, uri, path.lstrip("/"))
    if parts.scheme == "runs":
        owner, _, inner = path.lstrip("/").partition("/")
        return _owned(db, uri, owner, inner)
    if parts.scheme in ("http", "https") and _PROXY in path:
        path = path.partition(_PROXY)[2]
    elif parts.scheme != "mlflow-artifacts":
        return Source("", "", "", "")
    match = _ARTIFACTS.match(path.removeprefix(_PROXY))
    if match is None:
        raise UsageError(
            f"Invalid model version source: {uri[:200]!r}: expected mlflow-artifacts:/EXPERIMENT/RUN_ID/artifacts/path."
        )
    return _owned(db, uri, match[1], match[2] or "")


def list_files(db: Database | Transaction, owner: str, path: str) -> list[File]:
    """Return the files of `owner` below the folder `path`, or the one file of that name."""
    found: list[File] = []
    for row in db.all("owner_files", owner=owner):
        name = str(row["path"])
        if path and name != path and not name.startswith(f"{path}/"):
            continue
        inner = name.removeprefix(f"{path}/") if path and name != path else name.rpartition("/")[2] if path else name
        found.append(File(inner, row["blob"], row["size_bytes"]))
    return found


def package_uri(experiment: str, run_id: str) -> str:
    """Return the URI of the package among the artifacts of the run that made a release."""
    return f"mlflow-artifacts:/{experiment}/{run_id}/artifacts/{PACKAGE}"


def keep_package(tx: Transaction, release: Release, blobs: Blobs) -> None:
    """Put the files of a release's package among the artifacts of its run, where any client can download them."""
    package = keeping.describe(release.package, blobs)
    for path, blob, size in _package_files(release, package, blobs):
        tx.execute(
            "package_artifact_put",
            owner=release.run_id,
            path=f"{PACKAGE}/{path}",
            blob=blob,
            size_bytes=size,
            created_at=release.created_at,
        )


def keep_missing_package(store: Store, release: Release) -> None:
    """Do what `keep_package` does for a release that was made before packages were artifacts of their run."""
    if not any(one.path == "manifest.json" for one in list_files(store.db, release.run_id, PACKAGE)):
        with store.db.write() as tx:
            keep_package(tx, release, store.blobs)


def _package_files(release: Release, package: Package, blobs: Blobs) -> list[tuple[str, str, int]]:
    manifest = ("manifest.json", release.package, len(blobs.get(release.package)))
    return [manifest, *((file.path, file.digest, file.size_bytes) for file in package.files)]


def _checked(uri: str) -> str:
    decoded = uri
    for _ in range(8):
        if unquote(decoded) == decoded:
            break
        decoded = unquote(decoded)
    if any(part == ".." for part in re.split(r"[/\\]", decoded)) or not decoded.isprintable() or not uri.strip():
        raise UsageError(f"Invalid model version source: {uri[:200]!r}: expected a URI without '..'.")
    return uri


def _of_models(db: Database | Transaction, uri: str, path: str) -> Source:
    name, _, number = path.rpartition("/")
    if not name:
        return _owned(db, uri, path, "")
    rows = db.all("version_list", model=name, number=int(number)) if _is_number(number) else []
    if rows and rows[0]["deleted_at"] is None and rows[0]["owner"]:
        row = rows[0]
        return Source(row["owner"], row["path"], row["run_id"], row["model_id"])
    releases = db.all("release_list_registered", model=name, number=int(number)) if _is_number(number) else []
    if releases:
        return Source(releases[0]["run_id"], PACKAGE, releases[0]["run_id"], "")
    raise NotFound(f"Model Version of the source {uri[:200]!r} not found: expected models:/NAME/NUMBER of one that is.")


def _owned(db: Database | Transaction, uri: str, owner: str, path: str) -> Source:
    if db.one("run_get", id=owner):
        return Source(owner, path, owner, "")
    row = db.one("logged_model_get", id=owner)
    if row is None or row["deleted_at"] is not None:
        raise NotFound(f"There is no run and no logged model {owner[:100]!r}, of which the source {uri[:200]!r} is.")
    return Source(owner, path, row["run_id"] or "", owner)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
