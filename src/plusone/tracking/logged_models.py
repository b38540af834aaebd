"""Logged models: what a script logged through MLflow as a model, with its settings, tags and metrics.

Their files are artifacts, whose owner is the model's id. Nothing here loads a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, cast, get_args

import msgspec

from ..base import clock
from ..base.errors import Conflict, NotFound, UsageError
from ..base.ids import canonical_json, new_id
from ..base.records import as_number
from ..base.registered import LoggedModel, ModelMetric
from ..store import Store
from ..store.database import Database, Transaction
from ..store.rows import from_row, to_row
from .experiments import get_experiment

__all__ = [
    "Logged",
    "ModelOfRun",
    "add_logged_model",
    "add_model_settings",
    "delete_logged_model",
    "finish_logged_model",
    "get_logged_model",
    "link_models",
    "list_logged_models",
    "log_model_metrics",
    "models_of_run",
    "set_model_tags",
]

Status = Literal["UNSPECIFIED", "PENDING", "READY", "FAILED"]
_MOST_NAME = 500
_MOST_KEY = 250
_MOST_VALUE = 8_000
_NOT_IN_NAMES = ("/", ":", ".", "%", '"', "'")


class Logged(NamedTuple):
    """One value of a metric that says which model it is of."""

    model_id: str
    key: str
    value: float
    step: int = 0
    at: float = 0.0
    """Unix time in seconds."""
    dataset_name: str = ""
    dataset_digest: str = ""


class ModelOfRun(NamedTuple):
    """A logged model that a run made (`output`) or used (`input`)."""

    model_id: str
    role: str
    step: int


def add_logged_model(
    store: Store,
    experiment: str,
    *,
    name: str = "",
    run_id: str | None = None,
    type: str = "",
    settings: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LoggedModel:
    """Add a model whose files are still to come (`PENDING`), and return it.

    Raises:
        NotFound: when there is no such experiment or run.
        Conflict: when the experiment was deleted.
        UsageError: for a name that can't stand in a URI, and for texts that are too long.
    """
    if any(part in name for part in _NOT_IN_NAMES) or len(name) > _MOST_NAME or not name.isprintable():
        raise UsageError(
            f"Invalid model name ({name[:100]!r}) provided: expected up to {_MOST_NAME} printable characters, none of "
            f"{' '.join(_NOT_IN_NAMES)}."
        )
    if get_experiment(store, experiment).status == "deleted":
        raise Conflict(f"The experiment {experiment!r} was deleted: expected an active one.")
    if run_id is not None and store.db.one("run_get", id=run_id) is None:
        raise NotFound(f"There is no run {run_id[:100]!r}.", mend="plusone runs")
    now = clock.now()
    id_ = f"m-{new_id()}"
    record = LoggedModel(
        id=id_,
        experiment=experiment,
        run_id=run_id,
        name=name or f"model-{id_[-8:]}",
        type=type,
        settings=_texts("setting", settings or {}),
        tags=_texts("tag", tags or {}),
        created_at=now,
        updated_at=now,
    )
    with store.db.write() as tx:
        tx.execute("logged_model_add", **to_row(record))
    return record


def get_logged_model(db: Database | Transaction, model_id: str, *, deleted: bool = False) -> LoggedModel:
    """Return the model of that id.

    Args:
        deleted: whether one that was deleted counts too.

    Raises:
        NotFound: when there is none.
    """
    row = db.one("logged_model_get", id=model_id)
    if row is None or (row["deleted_at"] is not None and not deleted):
        raise NotFound(f"Logged model with ID '{model_id[:100]}' not found.")
    return from_row(LoggedModel, row)


def list_logged_models(store: Store, experiments: Iterable[str]) -> list[LoggedModel]:
    """Return the models of these experiments that are not deleted, the newest first."""
    rows = [row for one in dict.fromkeys(experiments) for row in store.db.all("logged_model_list", experiment=one)]
    found = [from_row(LoggedModel, row) for row in rows]
    return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)


def finish_logged_model(store: Store, model_id: str, status: str) -> LoggedModel:
    """Record that a model's files are all there (`READY`), or will not come (`FAILED`); return it.

    Raises:
        NotFound: when there is no such model.
        UsageError: for another status.
    """
    if status not in get_args(Status):
        raise UsageError(f"{status[:100]!r} is no status of a model: expected one of {', '.join(get_args(Status))}.")
    return _change(store, model_id, lambda now: msgspec.structs.replace(now, status=cast(Status, status)))


def delete_logged_model(store: Store, model_id: str) -> None:
    """Delete a model; its files stay as long as a registered version is made of them.

    Raises:
        NotFound: when there is none.
    """
    _change(store, model_id, lambda now: msgspec.structs.replace(now, deleted_at=clock.now()))


def set_model_tags(store: Store, model_id: str, tags: Mapping[str, str | None]) -> LoggedModel:
    """Set tags of a model (None takes a tag away); return it.

    Raises:
        NotFound: when there is no such model, or it has not the tag that is to be taken away.
    """
    new = _texts("tag", {key: value for key, value in tags.items() if value is not None})

    def change(now: LoggedModel) -> LoggedModel:
        if missing := [key for key, value in tags.items() if value is None and key not in now.tags]:
            raise NotFound(f"No tag with key {missing[0][:100]!r} found for model with ID {model_id!r}.")
        left = {key: value for key, value in now.tags.items() if key not in tags}
        return msgspec.structs.replace(now, tags={**left, **new})

    return _change(store, model_id, change)


def add_model_settings(store: Store, model_id: str, settings: Mapping[str, str]) -> LoggedModel:
    """Add settings to a model; return it.

    Raises:
        NotFound: when there is no such model.
        Conflict: when one of them has another value already. Nothing is added then.
    """
    new = _texts("setting", settings)

    def change(now: LoggedModel) -> LoggedModel:
        for key, value in new.items():
            if now.settings.get(key, value) != value:
                raise Conflict(
                    f"The setting {key!r} of model {model_id} is {now.settings[key]!r} already, and never changes: it "
                    f"can't be set to {value[:100]!r}."
                )
        return msgspec.structs.replace(now, settings={**now.settings, **new})

    return _change(store, model_id, change)


def log_model_metrics(store: Store, run_id: str, metrics: Iterable[Logged]) -> None:
    """Keep the latest value of each metric of the models that `metrics` name, by dataset and run, in one transaction.

    The latest is the one with the largest step, of those the last in time, of those the largest: as it is for runs.

    Raises:
        NotFound: when one of the models does not exist. Nothing is kept then.
    """
    by_model: dict[str, list[Logged]] = {}
    for one in metrics:
        by_model.setdefault(one.model_id, []).append(one)
    if not by_model:
        return
    with store.db.write() as tx:
        for model_id, logged in by_model.items():
            now = get_logged_model(tx, model_id)
            latest = {_series(one): one for one in now.metrics}
            for one in logged:
                new = ModelMetric(
                    key=one.key,
                    value=as_number(float(one.value)),
                    step=one.step,
                    at=one.at,
                    dataset_name=one.dataset_name,
                    dataset_digest=one.dataset_digest,
                    run_id=run_id,
                )
                old = latest.get(_series(new))
                if old is None or _order(new) >= _order(old):
                    latest[_series(new)] = new
            _write(tx, msgspec.structs.replace(now, metrics=tuple(latest.values())))


def link_models(store: Store, run_id: str, models: Sequence[ModelOfRun]) -> None:
    """Record which models a run made or used.

    Raises:
        NotFound: when there is no such run or model. Nothing is recorded then.
    """
    with store.db.write() as tx:
        if tx.one("run_get", id=run_id) is None:
            raise NotFound(f"There is no run {run_id[:100]!r}.", mend="plusone runs")
        for one in models:
            get_logged_model(tx, one.model_id, deleted=True)
            tx.execute("run_model_put", run_id=run_id, model_id=one.model_id, role=one.role, step=one.step)


def models_of_run(store: Store, run_id: str) -> list[ModelOfRun]:
    """Return the models that a run used and made: inputs first, then by step."""
    return [
        ModelOfRun(row["model_id"], row["role"], row["step"]) for row in store.db.all("run_model_list", run_id=run_id)
    ]


def _change(store: Store, model_id: str, change: Callable[[LoggedModel], LoggedModel]) -> LoggedModel:
    with store.db.write() as tx:
        changed = msgspec.structs.replace(change(get_logged_model(tx, model_id)), updated_at=clock.now())
        _write(tx, changed)
    return changed


def _write(tx: Transaction, model: LoggedModel) -> None:
    tx.execute(
        "logged_model_change",
        id=model.id,
        status=model.status,
        settings=canonical_json(model.settings).decode(),
        tags=canonical_json(model.tags).decode(),
        metrics=canonical_json(model.metrics).decode(),
        updated_at=model.updated_at,
        deleted_at=model.deleted_at,
    )


def _series(metric: ModelMetric) -> tuple[str, str, str, str]:
    return metric.key, metric.dataset_name, metric.dataset_digest, metric.run_id


def _order(metric: ModelMetric) -> tuple[int, float, float]:
    value = float(metric.value)
    return metric.step, metric.at, value if value == value else float("-inf")


def _texts(what: str, values: Mapping[str, str]) -> dict[str, str]:
    for key, value in values.items():
        if not key or len(key) > _MOST_KEY or not key.isprintable():
            raise UsageError(f"{key[:100]!r} can't name a {what}: expected 1 to {_MOST_KEY} printable characters.")
        if len(value) > _MOST_VALUE:
            raise UsageError(f"The {what} {key[:100]!r} has {len(value)} characters: expected at most {_MOST_VALUE}.")
    return dict(values)
