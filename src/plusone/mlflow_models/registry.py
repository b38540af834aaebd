"""MLflow's model registry: registered models, their versions, tags and aliases.

Releases are versions with their number. Setting the alias `live` is `promote`, and goes through the gate. MLflow's
stages, which it deprecates, are answered from ours: live is `Production`, passed is `Staging`, what was live or was
refused is `Archived`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..app.app import App
from ..base.errors import Conflict, UsageError
from ..base.records import Run
from ..mlflow_wire.endpoint import Endpoint, MlflowError, Tag, Taken
from ..mlflow_wire.wire import as_dict, milliseconds, tag_list
from ..registry import catalogue, registry
from ..registry.catalogue import Registered, Version
from ..search.filter import MODEL_VERSIONS, REGISTERED_MODELS, Condition, Fields, parse_filter, parse_order
from ..search.matching import select
from ..store.rows import from_row
from .pages import page_of

__all__ = ["ENDPOINTS"]

_BY = "mlflow"
_PROMPT = "mlflow.prompt.is_prompt"
_STAGES = {"live": "Production", "passed": "Staging", "shadow": "Staging", "canary": "Staging"}
_ARCHIVED = ("previous", "retired", "rolled back", "rejected")
_KNOWN_STAGES = ("None", "Staging", "Production", "Archived")
_MOST_DIGITS = 18
_MOST_MODELS = 1_000
_MOST_VERSIONS = 200_000


class _Create(Taken, frozen=True, kw_only=True):
    name: str
    tags: tuple[Tag, ...] = ()
    description: str = ""


class _Model(Taken, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    new_name: str = ""
    stages: tuple[str, ...] = ()
    key: str = ""
    value: str = ""
    alias: str = ""
    version: str | int = ""


class _Search(Taken, frozen=True, kw_only=True):
    filter: str = ""
    max_results: int | None = None
    order_by: tuple[str, ...] = ()
    page_token: str | None = None


class _CreateVersion(_Create, frozen=True, kw_only=True):
    source: str
    run_id: str = ""
    model_id: str = ""
    run_link: str = ""


class _Version(Taken, frozen=True, kw_only=True):
    name: str
    version: str | int
    description: str | None = None
    key: str = ""
    value: str = ""
    stage: str = ""


# ---------------------------------------------------------------------------------------------- models


def _create_model(app: App, asked: _Create) -> dict[str, Any]:
    with _names():
        made = registry.create_model(app.store, asked.name, description=asked.description, tags=as_dict(asked.tags))
    return {"registered_model": _model_json(made)}


@contextlib.contextmanager
def _names() -> Iterator[None]:
    """Give the name that is there already the code that MLflow's clients know: they go on with that model then."""
    try:
        yield
    except Conflict as error:
        if "exists" not in error.details:
            raise
        raise MlflowError("RESOURCE_ALREADY_EXISTS", str(error)) from error


def _get_model(app: App, asked: _Model) -> dict[str, Any]:
    return {"registered_model": _model_json(catalogue.get_model(app.store.db, asked.name))}


def _rename_model(app: App, asked: _Model) -> dict[str, Any]:
    with _names():
        renamed = registry.rename_model(app.store, asked.name, asked.new_name)
    return {"registered_model": _model_json(renamed)}


def _update_model(app: App, asked: _Model) -> dict[str, Any]:
    registry.change_model(app.store, asked.name, description=asked.description or "")
    return _get_model(app, asked)


def _delete_model(app: App, asked: _Model) -> dict[str, Any]:
    registry.delete_model(app.store, asked.name)
    return {}


def _search_models(app: App, asked: _Search) -> dict[str, Any]:
    conditions, prompts = _conditions(asked.filter, REGISTERED_MODELS)
    orders = parse_order([*asked.order_by, "name"], fields=REGISTERED_MODELS)
    known = [one for one in catalogue.list_models(app.store.db) if _is_prompt(one.model.tags) == prompts]
    page, token = page_of(
        select(known, conditions, orders, _model_values),
        count=100 if asked.max_results is None else asked.max_results,
        most=_MOST_MODELS,
        token=asked.page_token,
        asked=[asked.filter, asked.order_by],
    )
    return {"registered_models": [_model_json(one) for one in page], **_next(token)}


def _latest_versions(app: App, asked: _Model) -> dict[str, Any]:
    wanted = {_stage_named(stage) for stage in asked.stages} or set(_KNOWN_STAGES)
    found = _latest(catalogue.get_model(app.store.db, asked.name))
    return {"model_versions": [_version_json(one) for stage, one in found.items() if stage in wanted]}


def _set_model_tag(app: App, asked: _Model) -> dict[str, Any]:
    registry.change_model(app.store, asked.name, tags={asked.key: asked.value})
    return {}


def _delete_model_tag(app: App, asked: _Model) -> dict[str, Any]:
    registry.change_model(app.store, asked.name, tags={asked.key: None})
    return {}


# ---------------------------------------------------------------------------------------------- versions


def _create_version(app: App, asked: _CreateVersion) -> dict[str, Any]:
    made = registry.create_version(
        app.store,
        asked.name,
        asked.source,
        run_id=asked.run_id,
        model_id=asked.model_id,
        description=asked.description,
        # A client that copies a version sends its tags along; what plusone said of that one is not true of this one.
        tags={key: value for key, value in as_dict(asked.tags).items() if not key.startswith("plusone.")},
        by=_user(app, asked.run_id),
    )
    return {"model_version": _version_json(made)}


def _get_version(app: App, asked: _Version) -> dict[str, Any]:
    return {"model_version": _version_json(catalogue.get_version(app.store.db, asked.name, _number(asked.version)))}


def _update_version(app: App, asked: _Version) -> dict[str, Any]:
    changed = registry.change_version(
        app.store, asked.name, _number(asked.version), description=asked.description or ""
    )
    return {"model_version": _version_json(changed)}


def _delete_version(app: App, asked: _Version) -> dict[str, Any]:
    registry.delete_version(app.store, asked.name, _number(asked.version))
    return {}


def _search_versions(app: App, asked: _Search) -> dict[str, Any]:
    conditions, prompts = _conditions(asked.filter, MODEL_VERSIONS)
    given = asked.order_by or ["last_updated_timestamp DESC"]
    orders = parse_order([*given, "name", "version_number DESC"], fields=MODEL_VERSIONS)
    # Most clients ask for one model: then only its versions are read.
    names = [one.value for one in conditions if (one.kind, one.key, one.comparator) == ("attribute", "name", "=")]
    listed = catalogue.list_versions(app.store.db, str(names[0]) if names else None)
    known = [one for one in listed if _is_prompt(one.version.tags) == prompts]
    page, token = page_of(
        select(known, conditions, orders, _version_values),
        count=10_000 if asked.max_results is None else asked.max_results,
        most=_MOST_VERSIONS,
        token=asked.page_token,
        asked=[asked.filter, asked.order_by],
    )
    return {"model_versions": [_version_json(one) for one in page], **_next(token)}


def _download_uri(app: App, asked: _Version) -> dict[str, Any]:
    return {"artifact_uri": catalogue.download_uri(app.store, asked.name, _number(asked.version))}


def _set_version_tag(app: App, asked: _Version) -> dict[str, Any]:
    registry.change_version(app.store, asked.name, _number(asked.version), tags={asked.key: asked.value})
    return {}


def _delete_version_tag(app: App, asked: _Version) -> dict[str, Any]:
    registry.change_version(app.store, asked.name, _number(asked.version), tags={asked.key: None})
    return {}


def _transition(app: App, asked: _Version) -> dict[str, Any]:
    wanted = _stage_named(asked.stage)
    found = catalogue.get_version(app.store.db, asked.name, _number(asked.version))
    if _stage(found) != wanted:
        if wanted != "Production":
            raise Conflict(
                f"{asked.name}@{asked.version} is {found.stage}: its stage follows from its checks and from decisions, "
                f"and is not set. Only 'Production' can be asked for: it is promote.",
                mend=f"plusone reject {asked.name}@{asked.version} --reason 'why', or plusone rollback {asked.name}",
            )
        _promote(app, found)
    return _get_version(app, asked)


# ---------------------------------------------------------------------------------------------- aliases


def _set_alias(app: App, asked: _Model) -> dict[str, Any]:
    number = _number(asked.version)
    if asked.alias == "live":
        _promote(app, catalogue.get_version(app.store.db, asked.name, number))
    else:
        registry.set_alias(app.store, asked.name, asked.alias, number)
    return {}


def _delete_alias(app: App, asked: _Model) -> dict[str, Any]:
    registry.delete_alias(app.store, asked.name, asked.alias)
    return {}


def _find_alias(app: App, asked: _Model) -> dict[str, Any]:
    return {"model_version": _version_json(catalogue.find_alias(app.store.db, asked.name, asked.alias))}


def _promote(app: App, found: Version) -> None:
    """Give a version its model's traffic, by the one way there is: through the gate."""
    name, number = found.version.model, found.version.number
    if found.release is None:
        raise Conflict(
            f"{name}@{number} is a candidate that was registered through MLflow: it is not packaged, and no test has "
            "run on it.",
            mend=f"plusone release --from {name}@{number}",
        )
    if found.stage == "live":
        return  # a client that repeats itself is no error
    moved = app.promote(target=f"{name}@{number}", by=_BY, reason="the alias 'live' was set through MLflow's API")
    if moved.served is not None and moved.served.state == "taken back":
        raise MlflowError("INVALID_STATE", f"{name}@{number} was taken back: {moved.served.message}")


# ---------------------------------------------------------------------------------------------- as JSON


def _model_json(found: Registered) -> dict[str, Any]:
    model = found.model
    return {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
        "description": model.description,
        "tags": tag_list(model.tags),
        "latest_versions": [_version_json(one) for one in _latest(found).values()],
        "aliases": [{"alias": alias, "version": str(number)} for alias, number in sorted(found.aliases.items())],
    }


def _version_json(found: Version) -> dict[str, Any]:
    version = found.version
    texts = {"description": version.description, "run_id": version.run_id, "model_id": version.model_id}
    return {
        "name": version.model,
        "version": str(version.number),
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": milliseconds(version.updated_at),
        "user_id": version.by,
        "current_stage": _stage(found),
        "source": version.source,
        "status": "READY",
        "tags": tag_list(_version_tags(found)),
        "aliases": list(found.aliases),
        **{key: text for key, text in texts.items() if text},  # to a client an empty text is one that was set
    }


def _version_tags(found: Version) -> dict[str, str]:
    if _PROMPT in found.version.tags:
        return found.version.tags
    own = {"plusone.stage": found.stage}
    if found.release is not None:
        own |= {"plusone.digest": found.release.digest, "plusone.package": found.package}
    return {**found.version.tags, **own}


def _model_values(found: Registered) -> dict[str, Any]:
    model = found.model
    times = {
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
    }
    return {"attribute": {"name": model.name, **times}, "tag": model.tags}


def _version_values(found: Version) -> dict[str, Any]:
    version = found.version
    return {
        "attribute": {
            "name": version.model,
            "run_id": version.run_id,
            "source_path": version.source,
            "version_number": version.number,
            "creation_timestamp": milliseconds(version.created_at),
            "last_updated_timestamp": milliseconds(version.updated_at),
        },
        "tag": _version_tags(found),
    }


def _latest(found: Registered) -> dict[str, Version]:
    """Return the newest version of each of MLflow's stages."""
    return {_stage(one): one for one in found.versions}


def _stage(found: Version) -> str:
    return "Archived" if found.stage in _ARCHIVED else _STAGES.get(found.stage, "None")


def _stage_named(text: str) -> str:
    for known in _KNOWN_STAGES:
        if text.lower() == known.lower():
            return known
    raise UsageError(f"Invalid Model Version stage: {text[:100]!r}. Expected one of {', '.join(_KNOWN_STAGES)}.")


def _conditions(text: str, fields: Fields) -> tuple[tuple[Condition, ...], bool]:
    """Return the conditions of a filter, and whether it asks for prompts, which lie in the same registry.

    What is no prompt has no such tag: its clients say so by a comparison with a tag that is not there.
    """
    conditions = parse_filter(text, fields=fields)
    about = [one for one in conditions if one.kind == "tag" and one.key == _PROMPT]
    prompts = [(one.comparator, str(one.value).lower()) for one in about] in ([("=", "true")], [("!=", "false")])
    return tuple(one for one in conditions if one not in about), prompts


def _is_prompt(tags: dict[str, str]) -> bool:
    return tags.get(_PROMPT, "").lower() == "true"


def _user(app: App, run_id: str) -> str:
    row = app.store.db.one("run_get", id=run_id) if run_id else None
    run = from_row(Run, row) if row else None
    return (run.by or run.tags.get("mlflow.user") if run else "") or _BY


def _number(text: str | int) -> int:
    found = str(text)
    if not (found.isascii() and found.isdigit() and len(found) <= _MOST_DIGITS):
        raise UsageError(f"Parameter 'version' must be an integer, got {found[:100]!r}.")
    return int(found)


def _next(token: str | None) -> dict[str, str]:
    return {"next_page_token": token} if token else {}


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "registered-models/create", _Create, _create_model),
    Endpoint("GET", "registered-models/get", _Model, _get_model),
    Endpoint("POST", "registered-models/rename", _Model, _rename_model),
    Endpoint("PATCH", "registered-models/update", _Model, _update_model),
    Endpoint("DELETE", "registered-models/delete", _Model, _delete_model),
    Endpoint("GET", "registered-models/search", _Search, _search_models),
    Endpoint("GET", "registered-models/get-latest-versions", _Model, _latest_versions),
    Endpoint("POST", "registered-models/get-latest-versions", _Model, _latest_versions),
    Endpoint("POST", "registered-models/set-tag", _Model, _set_model_tag),
    Endpoint("DELETE", "registered-models/delete-tag", _Model, _delete_model_tag),
    Endpoint("POST", "registered-models/alias", _Model, _set_alias),
    Endpoint("DELETE", "registered-models/alias", _Model, _delete_alias),
    Endpoint("GET", "registered-models/alias", _Model, _find_alias),
    Endpoint("POST", "model-versions/create", _CreateVersion, _create_version),
    Endpoint("GET", "model-versions/get", _Version, _get_version),
    Endpoint("PATCH", "model-versions/update", _Version, _update_version),
    Endpoint("DELETE", "model-versions/delete", _Version, _delete_version),
    Endpoint("GET", "model-versions/search", _Search, _search_versions),
    Endpoint("GET", "model-versions/get-download-uri", _Version, _download_uri),
    Endpoint("POST", "model-versions/transition-stage", _Version, _transition),
    Endpoint("POST", "model-versions/set-tag", _Version, _set_version_tag),
    Endpoint("DELETE", "model-versions/delete-tag", _Version, _delete_version_tag),
)
