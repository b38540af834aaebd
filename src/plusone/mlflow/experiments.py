"""Experiments, as MLflow's clients make, find, rename and delete them."""

from __future__ import annotations

from typing import Any

from ..app.app import App
from ..base.errors import Conflict, UsageError
from ..base.records import Experiment
from ..mlflow_wire.endpoint import Endpoint, MlflowError, Tag, Taken
from ..mlflow_wire.errors import invalid
from ..mlflow_wire.wire import VIEWS, View, check_key, check_value, experiment_json
from ..search.search import search_experiments
from ..tracking import experiments

__all__ = ["ENDPOINTS", "check_active", "get"]

_MOST_TAG = 20_000


class CreateExperiment(Taken, frozen=True, kw_only=True):
    """`artifact_location` is not among them: artifacts lie in the store of the project, wherever that is."""

    name: str
    tags: tuple[Tag, ...] = ()


class OneExperiment(Taken, frozen=True, kw_only=True):
    """The id of an experiment."""

    experiment_id: str


class NamedExperiment(Taken, frozen=True, kw_only=True):
    """The name of an experiment."""

    experiment_name: str


class RenameExperiment(Taken, frozen=True, kw_only=True):
    """An experiment and the name that it gets."""

    experiment_id: str
    new_name: str


class ExperimentTag(Taken, frozen=True, kw_only=True):
    """An experiment and the tag that it gets, or loses."""

    experiment_id: str
    key: str
    value: str = ""


class SearchExperiments(Taken, frozen=True, kw_only=True):
    """Which experiments, in which order, and which page of them."""

    view_type: View = "ACTIVE_ONLY"
    max_results: int = 1000
    filter: str = ""
    order_by: tuple[str, ...] = ()
    page_token: str = ""


def create(app: App, asked: CreateExperiment) -> dict[str, Any]:
    """Make an experiment; answer with its id."""
    name = check_value(asked.name, "name", 500)
    tags = {tag.key: _checked(tag.key, tag.value) for tag in asked.tags}
    try:
        made = experiments.add_experiment(app.store, name, tags=tags)
    except Conflict:
        raise MlflowError("RESOURCE_ALREADY_EXISTS", f"Experiment(name={name}) already exists.") from None
    except UsageError as error:
        raise invalid(f"Invalid experiment name: {error}") from None
    return {"experiment_id": made.id}


def get(app: App, experiment_id: str) -> Experiment:
    """Return the experiment with that id.

    Raises:
        MlflowError: RESOURCE_DOES_NOT_EXIST, in MLflow's words.
    """
    try:
        return experiments.get_experiment(app.store, experiment_id)
    except UsageError:
        raise MlflowError("RESOURCE_DOES_NOT_EXIST", f"No Experiment with id={experiment_id[:100]} exists") from None


def check_active(record: Experiment) -> None:
    """Accept an experiment that is not deleted.

    Raises:
        MlflowError: INVALID_PARAMETER_VALUE, in MLflow's words.
    """
    if record.status != "active":
        raise invalid(f"The experiment {record.id} must be in the 'active' state. Current state is {record.status}.")


def _get(app: App, asked: OneExperiment) -> dict[str, Any]:
    return {"experiment": experiment_json(get(app, asked.experiment_id))}


def _get_by_name(app: App, asked: NamedExperiment) -> dict[str, Any]:
    found = experiments.find_experiment(app.store, asked.experiment_name)
    if found is None:
        raise MlflowError(
            "RESOURCE_DOES_NOT_EXIST", f"Could not find experiment with name '{asked.experiment_name[:500]}'"
        )
    return {"experiment": experiment_json(found)}


def _delete(app: App, asked: OneExperiment) -> dict[str, Any]:
    if get(app, asked.experiment_id).status == "deleted":
        raise _no_such(asked.experiment_id, "active")
    experiments.change_experiment(app.store, asked.experiment_id, deleted=True)
    return {}


def _restore(app: App, asked: OneExperiment) -> dict[str, Any]:
    if get(app, asked.experiment_id).status == "active":
        raise _no_such(asked.experiment_id, "deleted")
    experiments.change_experiment(app.store, asked.experiment_id, deleted=False)
    return {}


def _no_such(experiment_id: str, state: str) -> MlflowError:
    return MlflowError("RESOURCE_DOES_NOT_EXIST", f"No {state} Experiment with id={experiment_id} exists")


def _rename(app: App, asked: RenameExperiment) -> dict[str, Any]:
    check_active(get(app, asked.experiment_id))
    name = check_value(asked.new_name, "new_name", 500)
    try:
        experiments.change_experiment(app.store, asked.experiment_id, name=name)
    except Conflict:
        raise MlflowError("RESOURCE_ALREADY_EXISTS", f"Experiment(name={name}) already exists.") from None
    return {}


def _set_tag(app: App, asked: ExperimentTag) -> dict[str, Any]:
    check_active(get(app, asked.experiment_id))
    tags: dict[str, str | None] = {asked.key: _checked(asked.key, asked.value)}
    experiments.change_experiment(app.store, asked.experiment_id, tags=tags)
    return {}


def _delete_tag(app: App, asked: ExperimentTag) -> dict[str, Any]:
    record = get(app, asked.experiment_id)
    check_active(record)
    if asked.key not in record.tags:
        raise MlflowError(
            "RESOURCE_DOES_NOT_EXIST", f"No tag with name: {asked.key[:250]} in experiment with id {record.id}"
        )
    experiments.change_experiment(app.store, asked.experiment_id, tags={asked.key: None})
    return {}


def _search(app: App, asked: SearchExperiments) -> dict[str, Any]:
    page = search_experiments(
        app.store,
        filter=asked.filter,
        order_by=asked.order_by or ("last_update_time DESC",),
        view=VIEWS[asked.view_type],
        count=asked.max_results,
        page=asked.page_token or None,
    )
    found = {"experiments": [experiment_json(one) for one in page.experiments]}
    return {**found, "next_page_token": page.next_page} if page.next_page else found


def _checked(key: str, value: str) -> str:
    check_key(key, "key")
    return check_value(value, "value", _MOST_TAG)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "experiments/create", CreateExperiment, create),
    Endpoint("GET", "experiments/get", OneExperiment, _get),
    Endpoint("GET", "experiments/get-by-name", NamedExperiment, _get_by_name),
    Endpoint("POST", "experiments/search", SearchExperiments, _search),
    Endpoint("GET", "experiments/search", SearchExperiments, _search),
    Endpoint("POST", "experiments/delete", OneExperiment, _delete),
    Endpoint("POST", "experiments/restore", OneExperiment, _restore),
    Endpoint("POST", "experiments/update", RenameExperiment, _rename),
    Endpoint("POST", "experiments/set-experiment-tag", ExperimentTag, _set_tag),
    Endpoint("POST", "experiments/delete-experiment-tag", ExperimentTag, _delete_tag),
)
