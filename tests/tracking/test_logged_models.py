"""Logged models: status, settings that never change, and the latest metric of each dataset and run."""

from __future__ import annotations

import math
from typing import Any

import pytest

from plusone.base.errors import Conflict, NotFound, UsageError
from plusone.base.registered import LoggedModel
from plusone.store import Store
from plusone.tracking.experiments import add_experiment, change_experiment
from plusone.tracking.logged_models import (
    Logged,
    ModelOfRun,
    add_logged_model,
    add_model_settings,
    delete_logged_model,
    finish_logged_model,
    get_logged_model,
    link_models,
    list_logged_models,
    log_model_metrics,
    models_of_run,
    set_model_tags,
)
from plusone.tracking.runs import start_run


@pytest.fixture
def model(store: Store) -> LoggedModel:
    return add_logged_model(store, "0", name="model", settings={"C": "1"}, tags={"a": "b"})


def _run(store: Store) -> str:
    run = start_run(store, name="r", source="mlflow")
    run.finish("done")
    return run.record.id


def _metrics(store: Store, model: LoggedModel) -> dict[tuple[str, str, str], Any]:
    found = get_logged_model(store.db, model.id)
    return {(one.key, one.dataset_name, one.run_id): one.value for one in found.metrics}


def test_a_model_is_pending_until_its_files_are_there(store: Store, model: LoggedModel):
    assert (model.status, model.experiment, model.run_id) == ("PENDING", "0", None)
    assert model.id.startswith("m-")
    assert finish_logged_model(store, model.id, "READY").status == "READY"
    assert get_logged_model(store.db, model.id).status == "READY"
    with pytest.raises(UsageError, match="expected one of"):
        finish_logged_model(store, model.id, "DONE")


def test_one_without_a_name_is_given_one(store: Store):
    assert add_logged_model(store, "0").name.startswith("model-")


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "a%b", 'a"', "a'", "x" * 501, "a\nb", "\ud800"])
def test_a_name_that_can_stand_in_no_uri_is_refused(store: Store, name: str):
    with pytest.raises(UsageError):
        add_logged_model(store, "0", name=name)


def test_it_is_of_an_active_experiment_and_of_a_run_that_is_there(store: Store):
    with pytest.raises(NotFound):
        add_logged_model(store, "nowhere")
    with pytest.raises(NotFound):
        add_logged_model(store, "0", run_id="nobody")
    gone = add_experiment(store, "gone")
    change_experiment(store, gone.id, deleted=True)
    with pytest.raises(Conflict, match="deleted"):
        add_logged_model(store, gone.id)


def test_tags_change_and_settings_never_do(store: Store, model: LoggedModel):
    assert set_model_tags(store, model.id, {"a": "2", "c": "3"}).tags == {"a": "2", "c": "3"}
    assert set_model_tags(store, model.id, {"a": None}).tags == {"c": "3"}
    with pytest.raises(NotFound, match="No tag"):
        set_model_tags(store, model.id, {"a": None})
    assert add_model_settings(store, model.id, {"C": "1", "l1": "0.5"}).settings == {"C": "1", "l1": "0.5"}
    with pytest.raises(Conflict, match="never changes"):
        add_model_settings(store, model.id, {"new": "1", "C": "2"})
    assert get_logged_model(store.db, model.id).settings == {"C": "1", "l1": "0.5"}


@pytest.mark.parametrize(
    ("key", "value"), [("", "v"), ("k" * 251, "v"), ("a\nb", "v"), ("k", "v" * 8001), ("\ud800", "v")]
)
def test_texts_that_can_not_be_kept_are_refused(store: Store, model: LoggedModel, key: str, value: str):
    with pytest.raises(UsageError):
        set_model_tags(store, model.id, {key: value})
    with pytest.raises(UsageError):
        add_model_settings(store, model.id, {key: value})


def test_the_latest_value_of_a_metric_is_kept_by_dataset_and_run(store: Store, model: LoggedModel):
    log_model_metrics(store, "r1", [Logged(model.id, "auc", 0.5, 1, 10.0), Logged(model.id, "auc", 0.7, 2, 5.0)])
    log_model_metrics(store, "r1", [Logged(model.id, "auc", 0.6, 1, 20.0)])  # an earlier step
    log_model_metrics(store, "r1", [Logged(model.id, "auc", 0.8, 2, 5.0), Logged(model.id, "auc", 0.1, 2, 5.0)])
    log_model_metrics(store, "r1", [Logged(model.id, "auc", 0.9, 0, 1.0, "holdout", "abc")])
    log_model_metrics(store, "r2", [Logged(model.id, "auc", 0.2)])
    expected = {("auc", "", "r1"): 0.8, ("auc", "holdout", "r1"): 0.9, ("auc", "", "r2"): 0.2}
    assert _metrics(store, model) == expected


@pytest.mark.parametrize(("value", "kept"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_json_has_no_number_for_is_kept(store: Store, model: LoggedModel, value: float, kept: str):
    log_model_metrics(store, "r", [Logged(model.id, "loss", value, 1)])
    assert _metrics(store, model) == {("loss", "", "r"): kept}
    log_model_metrics(store, "r", [Logged(model.id, "loss", 0.5, 1)])
    assert _metrics(store, model) == {("loss", "", "r"): 0.5 if kept != "Infinity" else kept}


def test_a_metric_of_no_model_keeps_nothing_of_its_batch(store: Store, model: LoggedModel):
    with pytest.raises(NotFound):
        log_model_metrics(store, "r", [Logged(model.id, "a", 1.0), Logged("m-nobody", "a", 1.0)])
    assert _metrics(store, model) == {}
    log_model_metrics(store, "r", [])


def test_a_deleted_model_is_found_by_who_asks_for_deleted_ones(store: Store, model: LoggedModel):
    delete_logged_model(store, model.id)
    with pytest.raises(NotFound):
        get_logged_model(store.db, model.id)
    with pytest.raises(NotFound):
        delete_logged_model(store, model.id)
    assert get_logged_model(store.db, model.id, deleted=True).deleted_at
    assert list_logged_models(store, ["0"]) == []


def test_models_are_listed_by_experiment_the_newest_first(store: Store, model: LoggedModel):
    other = add_experiment(store, "other")
    second = add_logged_model(store, other.id)
    third = add_logged_model(store, "0")
    assert [one.id for one in list_logged_models(store, ["0", other.id, "0"])] == [third.id, second.id, model.id]
    assert [one.id for one in list_logged_models(store, [other.id])] == [second.id]


def test_a_run_says_which_models_it_used_and_made(store: Store, model: LoggedModel):
    run = _run(store)
    other = add_logged_model(store, "0", run_id=run)
    link_models(store, run, [ModelOfRun(other.id, "output", 3), ModelOfRun(model.id, "input", 0)])
    link_models(store, run, [ModelOfRun(other.id, "output", 4)])
    assert models_of_run(store, run) == [ModelOfRun(model.id, "input", 0), ModelOfRun(other.id, "output", 4)]
    with pytest.raises(NotFound):
        link_models(store, run, [ModelOfRun(other.id, "input", 0), ModelOfRun("m-nobody", "input", 0)])
    assert len(models_of_run(store, run)) == 2, "nothing of a refused call is kept"
    with pytest.raises(NotFound):
        link_models(store, "nobody", [])
