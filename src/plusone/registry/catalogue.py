"""What is registered, as MLflow's clients see it: models, their numbered versions, aliases, read from the records.

A release is a version here, by its number; `live` and `previous` are what the route says.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..base.errors import NotFound, UsageError
from ..base.records import Record, Release, Route
from ..base.registered import ModelVersion, RegisteredModel
from ..store import Store
from ..store.database import Database, Transaction
from ..store.rows import from_row
from .sources import File, keep_missing_package, list_files, package_uri

__all__ = [
    "Registered",
    "Version",
    "check_alias",
    "download_uri",
    "files_of",
    "find_alias",
    "get_model",
    "get_version",
    "is_registered",
    "list_candidates",
    "list_models",
    "list_versions",
]

_ALIAS = re.compile(r"[\w-]+\Z")
_MOST_ALIAS = 255
_PROMPT = "mlflow.prompt.is_prompt"


class Version(Record, frozen=True, kw_only=True):
    """A version with its release, if it is one, and the aliases that point at it."""

    version: ModelVersion
    release: Release | None
    aliases: tuple[str, ...]
    package: str = ""
    """The URI of the release's package."""

    @property
    def stage(self) -> str:
        """The stage of the release; a version that is none is a candidate."""
        return self.release.stage if self.release else "candidate"


class Registered(Record, frozen=True, kw_only=True):
    """A registered model with its versions that are not deleted, by number, and its aliases."""

    model: RegisteredModel
    versions: tuple[Version, ...]
    aliases: dict[str, int]


def get_model(db: Database | Transaction, name: str) -> Registered:
    """Return the registered model of that name.

    Raises:
        NotFound: when there is none.
    """
    found = _models(db, name)
    if not found:
        raise NotFound(f"Registered Model with name={name} not found")
    return found[0]


def list_models(db: Database | Transaction) -> list[Registered]:
    """Return every registered model, by name."""
    return _models(db, None)


def get_version(db: Database | Transaction, name: str, number: int) -> Version:
    """Return a version of a model.

    Raises:
        NotFound: when there is none, or it was deleted.
    """
    found = _versions(db, name, number)
    if not found:
        raise NotFound(f"Model Version (name={name}, version={number}) not found")
    return found[0]


def list_versions(db: Database | Transaction, name: str | None = None) -> list[Version]:
    """Return every version of a model, or of all, that is not deleted, by model and number."""
    return _versions(db, name, None)


def files_of(db: Database | Transaction, version: ModelVersion) -> list[File]:
    """Return the files of a version that this store has, by path."""
    return list_files(db, version.owner, version.path) if version.owner else []


def download_uri(store: Store, name: str, number: int) -> str:
    """Return the URI from which the files of a version can be downloaded.

    Raises:
        NotFound: when there is no such version.
    """
    found = get_version(store.db, name, number)
    if found.release is not None and not found.version.owner:
        keep_missing_package(store, found.release)
    return found.version.source


def list_candidates(db: Database | Transaction, model: str | None = None) -> list[Release]:
    """Return the versions registered through MLflow that are no release yet, as releases without package or digest."""
    return [
        Release(
            model=one.version.model,
            number=one.version.number,
            digest="",
            package="",
            run_id=one.version.run_id,
            fingerprint="",
            stage="candidate",
            created_at=one.version.created_at,
        )
        for one in _versions(db, model, None)
        if one.release is None and _PROMPT not in one.version.tags
    ]


def find_alias(db: Database | Transaction, name: str, alias: str) -> Version:
    """Return the version that an alias points at; `latest` is the one with the largest number.

    Raises:
        NotFound: when there is no such registered model, or it has no version yet.
        UsageError: when the alias is not set.
    """
    found = get_model(db, name)
    if alias.lower() == "latest":
        if not found.versions:
            raise NotFound(f"Latest version not found for model {name}.")
        return found.versions[-1]
    number = found.aliases.get(check_alias(alias))
    if number is None:
        raise UsageError(f"Registered model alias {alias} not found.")
    return next(one for one in found.versions if one.version.number == number)


def is_registered(db: Database | Transaction, name: str) -> bool:
    """Say whether a name is registered, by a client or by having a release."""
    return bool(db.one("registered_get", name=name) or db.one("release_newest", model=name))


def check_alias(alias: str) -> str:
    """Return `alias` if it can be one.

    Raises:
        UsageError: when it is empty, too long, or has anything but letters, digits, '_' and '-'.
    """
    if not _ALIAS.match(alias) or len(alias) > _MOST_ALIAS:
        raise UsageError(
            f"Invalid alias name: {alias[:100]!r}. Expected 1 to {_MOST_ALIAS} letters, digits, '_' and '-'."
        )
    return alias


def _models(db: Database | Transaction, name: str | None) -> list[Registered]:
    rows = [db.one("registered_get", name=name)] if name is not None else db.all("registered_list")
    known = {row["name"]: from_row(RegisteredModel, row) for row in rows if row}
    by_model: dict[str, list[Version]] = {}
    for one in _versions(db, name, None):
        by_model.setdefault(one.version.model, []).append(one)
    found: list[Registered] = []
    for each in sorted({*known, *by_model}):
        versions = by_model.get(each, [])
        first = versions[0].version.created_at if versions else ""
        model = known.get(each) or RegisteredModel(name=each, created_at=first, updated_at=first)
        newest = max([model.updated_at, *(one.version.created_at for one in versions)])
        found.append(
            Registered(
                model=msgspec.structs.replace(model, updated_at=newest),
                versions=tuple(versions),
                aliases={alias: one.version.number for one in versions for alias in one.aliases},
            )
        )
    return found


def _versions(db: Database | Transaction, name: str | None, number: int | None) -> list[Version]:
    releases = {
        (row["model"], row["number"]): (from_row(Release, row), row)
        for row in db.all("release_list_registered", model=name, number=number)
    }
    said = {
        (row["model"], row["number"]): from_row(ModelVersion, row)
        for row in db.all("version_list", model=name, number=number)
    }
    aliases = _aliases(db, name)
    found: list[Version] = []
    for key in sorted({*releases, *said}):
        release, row = releases.get(key, (None, {}))
        version = said.get(key)
        if release is None and version is not None and version.deleted_at is not None:
            continue
        uri = package_uri(row["experiment"], row["run_id"]) if release else ""
        found.append(
            Version(
                version=_of_release(release, version, row, uri)
                if release
                else version or ModelVersion(model="", number=0),
                release=release,
                aliases=tuple(sorted(aliases.get(key, ()))),
                package=uri,
            )
        )
    return found


def _of_release(release: Release, said: ModelVersion | None, row: dict[str, Any], uri: str) -> ModelVersion:
    """Return the version that a release is: with the source it was taken from, or its package as the source."""
    if said is not None and said.source:
        return said
    version = said or ModelVersion(model=release.model, number=release.number, updated_at=release.created_at)
    return msgspec.structs.replace(
        version, source=uri, run_id=release.run_id, by=row["by"], created_at=release.created_at
    )


def _aliases(db: Database | Transaction, name: str | None) -> dict[tuple[str, int], set[str]]:
    found: dict[tuple[str, int], set[str]] = {}
    for row in db.all("alias_list", model=name):
        found.setdefault((row["model"], row["number"]), set()).add(row["alias"])
    for row in db.all("route_current"):
        route = from_row(Route, row)
        for share in route.shares:
            found.setdefault((route.model, share.release), set()).add("live")
        if route.previous is not None:
            found.setdefault((route.model, route.previous.release), set()).add("previous")
    return found
