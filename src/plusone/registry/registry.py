"""What MLflow's clients change in the registry: names, candidates, tags, aliases. Each change is one transaction.

A version that a client registers is a candidate with a number of the sequence that releases have: nothing loads it
before `plusone release --from` has packaged and tested it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.ids import canonical_json
from ..base.registered import ModelVersion, RegisteredModel
from ..store import Store
from ..store.database import Transaction
from ..store.rows import from_row, to_row
from .catalogue import Registered, Version, check_alias, get_model, get_version, is_registered
from .sources import find_source

__all__ = [
    "RESERVED",
    "change_model",
    "change_version",
    "create_model",
    "create_version",
    "delete_alias",
    "delete_model",
    "delete_version",
    "rename_model",
    "set_alias",
]

RESERVED = ("live", "previous")
"""The aliases that the route alone sets."""

Tags = Mapping[str, str | None]
_MOST_NAME = 256
_MOST_KEY = 250
_MOST_VALUE = 100_000
_MOST_DESCRIPTION = 5_000
_NUMBERED = re.compile(r"v\d+\Z", re.IGNORECASE)
_OWN = "plusone."


# ---------------------------------------------------------------------------------------------- models


def create_model(
    store: Store, name: str, *, description: str = "", tags: Mapping[str, str] | None = None
) -> Registered:
    """Register a name, and return it.

    Raises:
        Conflict: when it is registered, or has releases, already.
        UsageError: for a name that can't stand in a URI, and for tags that can't be kept.
    """
    now = clock.now()
    record = RegisteredModel(
        name=_name(name),
        description=_description(description),
        tags=_tags({}, tags or {}),
        created_at=now,
        updated_at=now,
    )
    with store.db.write() as tx:
        if is_registered(tx, name):
            raise Conflict(f"Registered Model (name={name}) already exists.", exists=name)
        tx.execute("registered_add", **to_row(record))
    return Registered(model=record, versions=(), aliases={})


def change_model(
    store: Store, name: str, *, description: str | None = None, tags: Tags | None = None
) -> RegisteredModel:
    """Set the description or tags (None takes a tag away) of a registered model; return it.

    Raises:
        NotFound: when there is none.
    """
    with store.db.write() as tx:
        now = _row(tx, name)
        changed = msgspec.structs.replace(
            now,
            description=now.description if description is None else _description(description),
            tags=_tags(now.tags, tags or {}),
            updated_at=clock.now(),
        )
        _write_model(tx, name, changed)
    return changed


def rename_model(store: Store, name: str, new_name: str) -> Registered:
    """Give a registered model another name, its versions and aliases with it; return it.

    Its old name's numbers stay used: a model registered under that name later goes on behind them.

    Raises:
        NotFound: when there is none.
        Conflict: when it has releases (a release never changes), or the new name was used before.
    """
    _name(new_name)
    at = clock.now()
    with store.db.write() as tx:
        now = _row(tx, name)
        _without_releases(tx, name, "renamed")
        if new_name == name:
            return get_model(tx, name)
        if is_registered(tx, new_name) or tx.all("version_list", model=new_name, number=None):
            raise Conflict(
                f"Registered Model (name={new_name}) already exists, or did: its numbers are used.", exists=new_name
            )
        _write_model(tx, name, msgspec.structs.replace(now, name=new_name, updated_at=at))
        tx.execute("version_move", name=name, new_name=new_name, at=at)
        tx.execute("version_delete_all", name=name, at=at)
        tx.execute("alias_move", name=name, new_name=new_name)
        return get_model(tx, new_name)


def delete_model(store: Store, name: str) -> None:
    """Delete a registered model and its versions; their numbers are never used again.

    Raises:
        NotFound: when there is none.
        Conflict: when it has releases.
    """
    with store.db.write() as tx:
        _row(tx, name)
        _without_releases(tx, name, "deleted")
        tx.execute("version_delete_all", name=name, at=clock.now())
        tx.execute("alias_remove", model=name, alias=None, number=None)
        tx.execute("registered_remove", name=name)


# ---------------------------------------------------------------------------------------------- versions


def create_version(
    store: Store,
    name: str,
    source: str,
    *,
    run_id: str = "",
    model_id: str = "",
    description: str = "",
    tags: Mapping[str, str] | None = None,
    by: str = "",
    number: int | None = None,
) -> Version:
    """Register the files that `source` names as the next version of a model: a candidate; return it.

    Its number comes from the sequence that releases have. Its files are kept while it is not deleted.

    Args:
        number: of a version that had it elsewhere; the sequence goes on behind it.

    Raises:
        Conflict: when the number was used.
        NotFound: when there is no such registered model, run or logged model.
        UsageError: when the source is of another run or model than `run_id` and `model_id` say.
    """
    now = clock.now()
    kept = _tags({}, tags or {})
    with store.db.write() as tx:
        model = _row(tx, _name(name))
        where = find_source(tx, source)
        for word, given, found in (("run_id", run_id, where.run_id), ("model_id", model_id, where.model_id)):
            if given and found and given != found:
                raise UsageError(
                    f"Invalid model version source: {source[:200]!r} is of {word} {found!r}, not of {given[:100]!r}."
                )
        for word, given, query in (("run", run_id, "run_get"), ("logged model", model_id, "logged_model_get")):
            if given and tx.one(query, id=given) is None:
                raise NotFound(f"There is no {word} {given[:100]!r}, of which the version is to be.")
        row = tx.one("release_next", model=name)
        after = int(row["number"]) if row else 1
        if number is not None and number < after and _was_used(tx, name, number):
            raise Conflict(f"The number {number} of {name!r} was used: the next one is {after}.")
        version = ModelVersion(
            model=name,
            number=number or after,
            source=source,
            owner=where.owner,
            path=where.path,
            run_id=run_id or where.run_id,
            model_id=model_id or where.model_id,
            description=_description(description),
            tags=kept,
            by=by,
            created_at=now,
            updated_at=now,
        )
        tx.execute("version_add", **to_row(version))
        _write_model(tx, name, msgspec.structs.replace(model, updated_at=now))
    return Version(version=version, release=None, aliases=())


def change_version(
    store: Store, name: str, number: int, *, description: str | None = None, tags: Tags | None = None
) -> Version:
    """Set the description or tags (None takes a tag away) of a version; return it. The release itself never changes.

    Raises:
        NotFound: when there is none.
    """
    with store.db.write() as tx:
        found = get_version(tx, name, number)
        now = found.version
        changed = msgspec.structs.replace(
            now,
            description=now.description if description is None else _description(description),
            tags=_tags(now.tags, tags or {}),
            updated_at=clock.now(),
        )
        if tx.all("version_list", model=name, number=number):
            _write_version(tx, changed)
        else:
            tx.execute("version_add", **to_row(msgspec.structs.replace(changed, source="", run_id="", by="")))
    return msgspec.structs.replace(found, version=changed)


def delete_version(store: Store, name: str, number: int) -> None:
    """Delete a candidate; its number is never used again, and its files are freed by `plusone gc`.

    Raises:
        NotFound: when there is none.
        Conflict: when it is a release.
    """
    with store.db.write() as tx:
        found = get_version(tx, name, number)
        if found.release is not None:
            raise Conflict(
                f"{name}@{number} is a release ({found.stage}): a release never changes and is never deleted.",
                mend=f"plusone reject {name}@{number} --reason 'why'" if found.stage in ("passed", "failed") else "",
            )
        _write_version(tx, msgspec.structs.replace(found.version, deleted_at=clock.now()))
        tx.execute("alias_remove", model=name, alias=None, number=number)


# ---------------------------------------------------------------------------------------------- aliases


def set_alias(store: Store, name: str, alias: str, number: int) -> None:
    """Let an alias point at a version, or at another one than before.

    Raises:
        NotFound: when there is no such version.
        Conflict: for `live` and `previous`: those are moved by decisions.
        UsageError: for a name that can't be an alias.
    """
    check_alias(alias)
    if alias in RESERVED:
        raise _reserved(name, alias, f"{name}@{number}")
    if alias.lower() in (*RESERVED, "latest") or _NUMBERED.match(alias):
        raise UsageError(f"{alias!r} is reserved: it can't be an alias of {name!r}.", mend="use another word")
    with store.db.write() as tx:
        get_version(tx, name, number)
        tx.execute("alias_set", model=name, alias=alias, number=number)


def delete_alias(store: Store, name: str, alias: str) -> None:
    """Take an alias away; one that is not set is no error.

    Raises:
        NotFound: when there is no such registered model.
        Conflict: for `live` and `previous`.
    """
    check_alias(alias)
    if alias in RESERVED:
        raise _reserved(name, alias, name)
    with store.db.write() as tx:
        _row(tx, name)
        tx.execute("alias_remove", model=name, alias=alias, number=None)


def _reserved(name: str, alias: str, target: str) -> Conflict:
    if alias == "live":
        return Conflict(
            f"The alias 'live' of {name!r} is its route: only a decision moves it.", mend=f"plusone promote {target}"
        )
    return Conflict(
        f"The alias 'previous' of {name!r} follows from 'live': it is the release that was live before.",
        mend=f"plusone rollback {name}  (makes the previous one live)",
    )


# ---------------------------------------------------------------------------------------------- inside


def _row(tx: Transaction, name: str) -> RegisteredModel:
    """Return the row of a registered model; a model that has releases gets one now."""
    row = tx.one("registered_get", name=name)
    if row is not None:
        return from_row(RegisteredModel, row)
    model = get_model(tx, name).model
    tx.execute("registered_add", **to_row(model))
    return model


def _write_model(tx: Transaction, name: str, model: RegisteredModel) -> None:
    tx.execute(
        "registered_change",
        name=name,
        new_name=model.name,
        description=model.description,
        tags=canonical_json(model.tags).decode(),
        updated_at=model.updated_at,
    )


def _write_version(tx: Transaction, version: ModelVersion) -> None:
    row = to_row(version)
    names = ("model", "number", "description", "tags", "updated_at", "deleted_at")
    tx.execute("version_change", **{name: row[name] for name in names})


def _was_used(tx: Transaction, name: str, number: int) -> bool:
    return bool(tx.all("version_list", model=name, number=number) or tx.one("release_get", model=name, number=number))


def _without_releases(tx: Transaction, name: str, what: str) -> None:
    newest = tx.one("release_newest", model=name)
    if newest is not None:
        raise Conflict(
            f"The model {name!r} has releases, up to {name}@{newest['number']}: it can't be {what}, "
            "a release never changes."
        )


def _name(name: str) -> str:
    # The rules of MLflow's clients: a name stands in models:/NAME/VERSION.
    fault = ""
    if not name.strip():
        fault = "it is empty"
    elif "/" in name or ":" in name:
        fault = "names cannot contain '/' or ':'"
    elif name in (".", "..") or len(name) > _MOST_NAME or not _is_text(name):
        fault = f"expected 1 to {_MOST_NAME} printable characters"
    if fault:
        raise UsageError(f"Invalid model name {name[:100]!r}: {fault}.")
    return name


def _description(text: str) -> str:
    if len(text) > _MOST_DESCRIPTION:
        raise UsageError(f"The description has {len(text)} characters: expected at most {_MOST_DESCRIPTION}.")
    return text


def _tags(before: Mapping[str, str], change: Tags) -> dict[str, str]:
    for key, value in change.items():
        if not key or len(key) > _MOST_KEY or not _is_text(key):
            raise UsageError(
                f"{key[:100]!r} can't be the key of a tag: expected 1 to {_MOST_KEY} printable characters."
            )
        if key.startswith(_OWN):
            raise UsageError(f"The tag {key[:100]!r} says what plusone knows of a version: it can't be set.")
        if value is not None and len(value) > _MOST_VALUE:
            raise UsageError(f"The tag {key[:100]!r} has {len(value)} characters: expected at most {_MOST_VALUE}.")
    return {key: value for key, value in {**before, **change}.items() if value is not None}


def _is_text(text: str) -> bool:
    # A lone surrogate is not printable either.
    return text.isprintable()
