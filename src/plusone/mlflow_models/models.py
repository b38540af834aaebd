"""MLflow 3's logged models: a model of a run, with its files, settings, tags and metrics; and which runs made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..app.app import App
from ..base.errors import UsageError
from ..base.registered import LoggedModel, ModelMetric
from ..mlflow_wire.endpoint import Endpoint, Tag, Taken
from ..mlflow_wire.wire import ARTIFACTS, as_dict, tag_list
from ..store import Store
from ..tracking import logged_models as models
from ..tracking.filter import LOGGED_MODELS, Condition, Order, parse_filter, parse_order
from ..tracking.matching import matches, sort_key
from ..tracking.search import milliseconds
from .pages import page_of

__all__ = ["ENDPOINTS", "artifact_root"]

_MOST = 1_000
_DEFAULT = 100
_STATUS = {
    "UNSPECIFIED": "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "PENDING": "LOGGED_MODEL_PENDING",
    "READY": "LOGGED_MODEL_READY",
    "FAILED": "LOGGED_MODEL_UPLOAD_FAILED",
}
_NUMBERS = dict(enumerate(_STATUS))


class _Create(Taken, frozen=True, kw_only=True):
    experiment_id: str
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: tuple[Tag, ...] = ()
    tags: tuple[Tag, ...] = ()


class _Model(Taken, frozen=True, kw_only=True):
    model_id: str
    allow_deleted: bool = False
    status: str | int = ""
    tags: tuple[Tag, ...] = ()
    tag_key: str = ""
    params: tuple[Tag, ...] = ()
    artifact_directory_path: str = ""


class _Dataset(Taken, frozen=True, kw_only=True):
    dataset_name: str
    dataset_digest: str = ""


class _OrderBy(Taken, frozen=True, kw_only=True):
    field_name: str
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class _Search(Taken, frozen=True, kw_only=True):
    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    datasets: tuple[_Dataset, ...] = ()
    max_results: int | None = None
    order_by: tuple[_OrderBy, ...] = ()
    page_token: str | None = None


class _Output(Taken, frozen=True, kw_only=True):
    model_id: str
    step: int = 0


class _Outputs(Taken, frozen=True, kw_only=True):
    run_id: str
    models: tuple[_Output, ...] = ()


def artifact_root(model: LoggedModel) -> str:
    """Return the URI below which the model's files are, for the proxy to serve."""
    return f"{ARTIFACTS}/{model.experiment}/models/{model.id}/artifacts"


def _create(app: App, asked: _Create) -> dict[str, Any]:
    made = models.add_logged_model(
        app.store,
        asked.experiment_id,
        name=asked.name,
        run_id=asked.source_run_id or None,
        type=asked.model_type,
        settings=as_dict(asked.params),
        tags=as_dict(asked.tags),
    )
    return {"model": _json(app.store, made)}


def _get(app: App, asked: _Model) -> dict[str, Any]:
    found = models.get_logged_model(app.store.db, asked.model_id, deleted=asked.allow_deleted)
    return {"model": _json(app.store, found)}


def _finish(app: App, asked: _Model) -> dict[str, Any]:
    # A client writes the name of the status, or its number.
    text = _NUMBERS.get(asked.status, "") if isinstance(asked.status, int) else asked.status
    status = next((ours for ours, theirs in _STATUS.items() if text in (ours, theirs)), str(asked.status))
    return {"model": _json(app.store, models.finish_logged_model(app.store, asked.model_id, status))}


def _delete(app: App, asked: _Model) -> dict[str, Any]:
    models.delete_logged_model(app.store, asked.model_id)
    return {}


def _set_tags(app: App, asked: _Model) -> dict[str, Any]:
    changed = models.set_model_tags(app.store, asked.model_id, as_dict(asked.tags))
    return {"model": _json(app.store, changed)}


def _delete_tag(app: App, asked: _Model) -> dict[str, Any]:
    models.set_model_tags(app.store, asked.model_id, {asked.tag_key: None})
    return {}


def _log_params(app: App, asked: _Model) -> dict[str, Any]:
    models.add_model_settings(app.store, asked.model_id, as_dict(asked.params))
    return {}


def _list_files(app: App, asked: _Model) -> dict[str, Any]:
    model = models.get_logged_model(app.store.db, asked.model_id)
    folder = asked.artifact_directory_path.strip("/")
    if ".." in folder.split("/"):
        raise UsageError(f"Invalid path: {folder[:100]!r}: expected one without '..'.")
    prefix = f"{folder}/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for row in app.store.db.all("owner_files", owner=model.id):
        if row["path"].startswith(prefix):
            first, slash, _ = row["path"].removeprefix(prefix).partition("/")
            file = {"path": prefix + first, "is_dir": bool(slash)}
            found[first] = file if slash else {**file, "file_size": row["size_bytes"]}
    return {"root_uri": artifact_root(model), "files": [found[name] for name in sorted(found)]}


def _log_outputs(app: App, asked: _Outputs) -> dict[str, Any]:
    made = [models.ModelOfRun(one.model_id, "output", one.step) for one in asked.models]
    models.link_models(app.store, asked.run_id, made)
    return {}


# ---------------------------------------------------------------------------------------------- search


def _search(app: App, asked: _Search) -> dict[str, Any]:
    if any(not one.field_name for one in asked.order_by):
        raise UsageError("`field_name` in the `order_by` clause must be specified.")
    conditions = parse_filter(asked.filter, fields=LOGGED_MODELS)
    orders = [
        (parse_order([f"{one.field_name} {'ASC' if one.ascending else 'DESC'}"], fields=LOGGED_MODELS), one)
        for one in asked.order_by
    ]
    known = models.list_logged_models(app.store, asked.experiment_ids)
    found = [model for model in known if _matches(conditions, model, asked.datasets)]
    found.sort(key=lambda model: [_key(order, model, one) for order, one in orders])
    page, token = page_of(
        found,
        count=_DEFAULT if asked.max_results is None else asked.max_results,
        most=_MOST,
        token=asked.page_token,
        asked=[asked.experiment_ids, asked.filter, asked.datasets, asked.order_by],
    )
    return {"models": [_json(app.store, one) for one in page], **({"next_page_token": token} if token else {})}


def _matches(conditions: Sequence[Condition], model: LoggedModel, datasets: Sequence[_Dataset]) -> bool:
    """Say whether each condition holds; one on a metric holds when any value of it does, on any of the datasets."""
    values = _values(model)
    for condition in conditions:
        if condition.kind != "metric":
            if not matches([condition], values):
                return False
            continue
        logged = [one for one in model.metrics if one.key == condition.key and _is_on(one, datasets)]
        if not any(matches([condition], {"metric": {one.key: float(one.value)}}) for one in logged):
            return False
    return True


def _key(orders: Sequence[Order], model: LoggedModel, asked: _OrderBy) -> tuple[Any, ...]:
    wanted = [_Dataset(dataset_name=asked.dataset_name, dataset_digest=asked.dataset_digest)]
    logged = [one for one in model.metrics if _is_on(one, wanted if asked.dataset_name else [])]
    newest = {one.key: float(one.value) for one in sorted(logged, key=lambda one: (one.step, one.at))}
    return sort_key(orders, {**_values(model), "metric": newest})


def _is_on(metric: ModelMetric, datasets: Sequence[_Dataset]) -> bool:
    return not datasets or any(
        metric.dataset_name == one.dataset_name and one.dataset_digest in ("", metric.dataset_digest)
        for one in datasets
    )


def _values(model: LoggedModel) -> dict[str, Any]:
    made = milliseconds(model.created_at)
    return {
        "attribute": {
            "name": model.name,
            "model_id": model.id,
            "model_type": model.type,
            "status": model.status,
            "source_run_id": model.run_id,
            "experiment_id": model.experiment,
            "creation_timestamp": made,
            "creation_time": made,
            "last_updated_timestamp": milliseconds(model.updated_at),
        },
        "param": model.settings,
        "tag": model.tags,
    }


# ---------------------------------------------------------------------------------------------- as JSON


def _json(store: Store, model: LoggedModel) -> dict[str, Any]:
    registered = store.db.all("version_list_of_model_id", model_id=model.id)
    info = {
        "model_id": model.id,
        "experiment_id": model.experiment,
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created_at),
        "last_updated_timestamp_ms": milliseconds(model.updated_at),
        "artifact_uri": artifact_root(model),
        "status": _STATUS[model.status],
        "model_type": model.type,
        "tags": tag_list(model.tags),
        "registrations": [{"name": row["model"], "version": str(row["number"])} for row in registered],
    }
    if model.run_id is not None:
        info["source_run_id"] = model.run_id
    metrics = [_metric_json(model.id, one) for one in model.metrics]
    return {"info": info, "data": {"params": tag_list(model.settings), "metrics": metrics}}


def _metric_json(model_id: str, metric: ModelMetric) -> dict[str, Any]:
    found = {
        "key": metric.key,
        "value": metric.value,
        "timestamp": round(metric.at * 1000),
        "step": metric.step,
        "model_id": model_id,
        "run_id": metric.run_id,
    }
    if metric.dataset_name:
        found |= {"dataset_name": metric.dataset_name, "dataset_digest": metric.dataset_digest}
    return found


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "logged-models", _Create, _create),
    Endpoint("POST", "logged-models/search", _Search, _search),
    Endpoint("GET", "logged-models/{model_id}", _Model, _get),
    Endpoint("PATCH", "logged-models/{model_id}", _Model, _finish),
    Endpoint("DELETE", "logged-models/{model_id}", _Model, _delete),
    Endpoint("PATCH", "logged-models/{model_id}/tags", _Model, _set_tags),
    Endpoint("DELETE", "logged-models/{model_id}/tags/{tag_key}", _Model, _delete_tag),
    Endpoint("POST", "logged-models/{model_id}/params", _Model, _log_params),
    Endpoint("GET", "logged-models/{model_id}/artifacts/directories", _Model, _list_files),
    Endpoint("POST", "runs/outputs", _Outputs, _log_outputs),
)
