"""Brings MLflow's registered models over: names, versions with their numbers, tags and aliases."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from ..base.errors import Conflict, NotFound, PlusoneError
from ..registry.catalogue import get_version, is_registered
from ..registry.registry import RESERVED, change_model, create_model, create_version, set_alias
from ..store import Store
from .reading import tags_of
from .source import Source

__all__ = ["bring_registered"]

_INNER = re.compile(r"/artifacts/?(.*)\Z")


def bring_registered(store: Store, source: Source) -> tuple[int, int, list[str]]:
    """Bring the registered models over, whose runs and logged models are here already.

    Returns how many models and versions are here, and what could not be brought over.
    """
    models, versions, problems = 0, 0, []
    for found in source.registered_models():
        name = str(found["name"])
        try:
            _model(store, found)
            models += 1
        except PlusoneError as error:
            problems.append(f"registered model {name!r}: {error.message}")
            continue
        for one in sorted(source.versions(name), key=lambda each: int(each["version"])):
            try:
                _version(store, name, one)
                versions += 1
            except PlusoneError as error:
                problems.append(f"version {one['version']} of {name!r}: {error.message}")
        problems += _aliases(store, name, found)
    return models, versions, problems


def _model(store: Store, found: dict[str, Any]) -> None:
    name, description = str(found["name"]), str(found.get("description") or "")
    if is_registered(store.db, name):
        change_model(store, name, description=description or None, tags=dict(tags_of(found.get("tags"))))
    else:
        create_model(store, name, description=description, tags=tags_of(found.get("tags")))


def _version(store: Store, name: str, found: dict[str, Any]) -> None:
    number = int(found["version"])
    run_id, model_id = str(found.get("run_id") or ""), str(found.get("model_id") or "")
    with contextlib.suppress(NotFound):
        mine = get_version(store.db, name, number).version
        if (mine.run_id, mine.model_id) != (run_id or mine.run_id, model_id or mine.model_id):
            raise Conflict(f"the store has a {name}@{number} of its own")
        return
    where = str(found.get("source") or "")
    create_version(
        store,
        name,
        _source(where, run_id, model_id),
        run_id=run_id if store.db.one("run_get", id=run_id) else "",
        model_id=model_id if store.db.one("logged_model_get", id=model_id) else "",
        description=str(found.get("description") or ""),
        tags={**tags_of(found.get("tags")), "imported.source": where},
        by=str(found.get("user_id") or ""),
        number=number,
    )


def _source(where: str, run_id: str, model_id: str) -> str:
    """Return what stands for the files of a version here: those of its logged model, or of its run."""
    if model_id:
        return f"models:/{model_id}"
    inner = _INNER.search(where)
    if run_id and inner:
        return f"runs:/{run_id}/{inner[1]}".rstrip("/")
    return where


def _aliases(store: Store, name: str, found: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    for one in found.get("aliases") or ():
        alias = str(one["alias"])
        if alias in RESERVED:
            problems.append(f"the alias {alias!r} of {name!r}: it is the route here, which only a decision moves")
            continue
        try:
            set_alias(store, name, alias, int(one["version"]))
        except PlusoneError as error:
            problems.append(f"the alias {alias!r} of {name!r}: {error.message}")
    return problems
