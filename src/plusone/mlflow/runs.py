"""Runs, as MLflow's clients begin, describe, end and delete them."""

from __future__ import annotations

import getpass
from typing import Any, Literal

from ..app.app import App
from ..base import clock
from ..base.errors import Conflict
from ..base.ids import new_id
from ..base.records import Run, RunStatus
from ..mlflow_wire.endpoint import Endpoint, MlflowError, Tag, Taken
from ..mlflow_wire.errors import invalid, missing
from ..mlflow_wire.wire import RUN_NAME, VIEWS, View, as_dict, check_key, check_value, info_json, run_json, text_of
from ..search.search import search_runs
from ..store import Store
from ..store.rows import from_row
from ..tracking import experiments as tracked_experiments
from ..tracking.changing import add_settings, change_run, set_tags
from ..tracking.inputs import list_inputs
from ..tracking.logged_models import models_of_run
from ..tracking.runs import add_run
from .experiments import check_active, get
from .names import invent_name
from .recorders import Recorders

__all__ = ["OfRun", "active_run", "endpoints", "find_run", "log_params", "log_tags"]

_MOST_PARAM = 6000
_MOST_TAG = 8000
_STATUS: dict[str, RunStatus] = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "done",
    "FAILED": "failed",
    "KILLED": "interrupted",
}
Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", 1, 2, 3, 4, 5]
_BY_NUMBER: dict[int, str] = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


class OfRun(Taken, frozen=True, kw_only=True):
    """What is about one run. Clients older than 1.0 called its id `run_uuid`."""

    run_id: str = ""
    run_uuid: str = ""

    @property
    def id(self) -> str:
        """The id that was given.

        Raises:
            MlflowError: when none was.
        """
        if not (self.run_id or self.run_uuid):
            raise missing("run_id")
        return self.run_id or self.run_uuid


class CreateRun(Taken, frozen=True, kw_only=True):
    """How a run begins."""

    experiment_id: str = tracked_experiments.DEFAULT
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: tuple[Tag, ...] = ()


class UpdateRun(OfRun, frozen=True, kw_only=True):
    """What changes of a run."""

    status: Status | None = None
    end_time: int | None = None
    run_name: str = ""


class SetTag(OfRun, frozen=True, kw_only=True):
    """A tag or a parameter of a run."""

    key: str
    value: str = ""


class SearchRuns(Taken, frozen=True, kw_only=True):
    """Which runs, in which order, and which page of them."""

    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    run_view_type: View = "ACTIVE_ONLY"
    max_results: int = 1000
    order_by: tuple[str, ...] = ()
    page_token: str = ""


def find_run(store: Store, run_id: str) -> Run:
    """Return the run with exactly this id, deleted ones too.

    Raises:
        MlflowError: RESOURCE_DOES_NOT_EXIST, in MLflow's words.
    """
    row = store.db.one("run_get", id=run_id)
    if row is None:
        raise MlflowError("RESOURCE_DOES_NOT_EXIST", f"Run with id={run_id[:100]} not found")
    return from_row(Run, row)


def active_run(store: Store, run_id: str) -> Run:
    """Return the run with exactly this id if it is not deleted.

    Raises:
        MlflowError: RESOURCE_DOES_NOT_EXIST when there is none, INVALID_PARAMETER_VALUE when it is deleted.
    """
    run = find_run(store, run_id)
    if run.deleted_at:
        raise invalid(f"The run {run.id} must be in the 'active' state. Current state is deleted.")
    return run


def log_params(store: Store, run_id: str, params: dict[str, str]) -> None:
    """Add parameters to a run.

    Raises:
        MlflowError: INVALID_PARAMETER_VALUE when one of them has another value already: nothing is added then.
    """
    checked: dict[str, Any] = {
        check_key(key, "key"): check_value(value, "value", _MOST_PARAM, cut=True) for key, value in params.items()
    }
    try:
        add_settings(store, run_id, checked)
    except Conflict as error:
        told = error.details
        raise invalid(
            f"Changing param values is not allowed. Param with key='{told['key']}' was already logged with "
            f"value='{told['old']}' for run ID='{run_id}'. Attempted logging new value '{told['new']}'."
        ) from None


def log_tags(store: Store, run_id: str, tags: dict[str, str]) -> None:
    """Set tags of a run; the one called `mlflow.runName` is its name too."""
    checked = _checked_tags(tags)
    if name := checked.get(RUN_NAME):
        change_run(store, run_id, name=name)
    set_tags(store, run_id, dict(checked))


def endpoints(recorders: Recorders) -> tuple[Endpoint, ...]:
    """Return the endpoints of runs; what `recorders` holds of a run is in the store before the run is read."""

    def read(app: App, run_id: str) -> Run:
        recorders.flush(run_id)
        return find_run(app.store, run_id)

    def get_run(app: App, asked: OfRun) -> dict[str, Any]:
        return {"run": described(app.store, read(app, asked.id))}

    def update(app: App, asked: UpdateRun) -> dict[str, Any]:
        run = active_run(app.store, asked.id)
        if asked.run_name:
            log_tags(app.store, run.id, {RUN_NAME: asked.run_name})
        theirs = _BY_NUMBER[asked.status] if isinstance(asked.status, int) else asked.status
        ended_at = None if asked.end_time is None else text_of(asked.end_time)
        changed = change_run(
            app.store, run.id, status=None if theirs is None else _STATUS[theirs], finished_at=ended_at
        )
        if changed.status != "running":
            recorders.close(run.id)
        return {"run_info": info_json(changed)}

    def delete(app: App, asked: OfRun) -> dict[str, Any]:
        active_run(app.store, asked.id)
        change_run(app.store, asked.id, deleted=True)
        recorders.close(asked.id)  # only now: a point that came in between would have opened it again
        return {}

    def search(app: App, asked: SearchRuns) -> dict[str, Any]:
        recorders.flush_all()
        page = search_runs(
            app.store,
            filter=asked.filter,
            order_by=asked.order_by,
            experiments=asked.experiment_ids,
            view=VIEWS[asked.run_view_type],
            count=asked.max_results,
            page=asked.page_token or None,
        )
        found: dict[str, Any] = {"runs": [described(app.store, run) for run in page.runs]}
        return {**found, "next_page_token": page.next_page} if page.next_page else found

    return (
        Endpoint("POST", "runs/create", CreateRun, _create),
        Endpoint("GET", "runs/get", OfRun, get_run),
        Endpoint("POST", "runs/search", SearchRuns, search),
        Endpoint("POST", "runs/update", UpdateRun, update),
        Endpoint("POST", "runs/delete", OfRun, delete),
        Endpoint("POST", "runs/restore", OfRun, _restore),
        Endpoint("POST", "runs/log-parameter", SetTag, _log_param),
        Endpoint("POST", "runs/set-tag", SetTag, _set_tag),
        Endpoint("POST", "runs/delete-tag", SetTag, _delete_tag),
    )


def described(store: Store, run: Run) -> dict[str, Any]:
    """Return a run as MLflow writes it, with what it read and the models that it made."""
    return run_json(run, list_inputs(store, run.id), models_of_run(store, run.id))


def _create(app: App, asked: CreateRun) -> dict[str, Any]:
    experiment = get(app, asked.experiment_id or tracked_experiments.DEFAULT)
    check_active(experiment)
    tags = _checked_tags(as_dict(asked.tags))
    named = tags.get(RUN_NAME)
    if asked.run_name and named and asked.run_name != named:
        raise invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name='{asked.run_name}', mlflow.runName='{named}')."
        )
    name = check_value(asked.run_name or named or invent_name(), "run_name", _MOST_TAG)
    record = Run(
        id=new_id(),
        name=name,
        status="running",
        started_at=text_of(asked.start_time) if asked.start_time else clock.now(),
        experiment=experiment.id,
        source="mlflow",
        by=check_value(asked.user_id or tags.get("mlflow.user") or _user(), "user_id", _MOST_TAG),
        tags={**tags, RUN_NAME: name},
    )
    add_run(app.store, record)
    return {"run": run_json(record)}


def _restore(app: App, asked: OfRun) -> dict[str, Any]:
    run = find_run(app.store, asked.id)
    if not run.deleted_at:
        raise invalid(f"The run {run.id} must be in the 'deleted' state. Current state is active.")
    change_run(app.store, run.id, deleted=False)
    return {}


def _log_param(app: App, asked: SetTag) -> dict[str, Any]:
    log_params(app.store, active_run(app.store, asked.id).id, {asked.key: asked.value})
    return {}


def _set_tag(app: App, asked: SetTag) -> dict[str, Any]:
    log_tags(app.store, active_run(app.store, asked.id).id, {asked.key: asked.value})
    return {}


def _delete_tag(app: App, asked: SetTag) -> dict[str, Any]:
    run = active_run(app.store, asked.id)
    if asked.key not in run.tags:
        raise MlflowError("RESOURCE_DOES_NOT_EXIST", f"No tag with name: {asked.key[:250]} in run with id {run.id}")
    set_tags(app.store, run.id, {asked.key: None})
    return {}


def _checked_tags(tags: dict[str, str]) -> dict[str, str]:
    return {check_key(key, "key"): check_value(value, "value", _MOST_TAG, cut=True) for key, value in tags.items()}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return ""
