"""Experiments over MLflow's API, beside what its own client is shown to do with them."""

from __future__ import annotations

import pytest

from tests.mlflow.asking import Asking


def test_an_experiment_is_made_found_renamed_deleted_and_restored(mlflow: Asking):
    made = mlflow.post("experiments/create", name="a", tags=[{"key": "t", "value": "1"}])["experiment_id"]
    found = mlflow.get("experiments/get-by-name", experiment_name="a")["experiment"]
    assert found["experiment_id"] == made
    assert found["artifact_location"] == f"mlflow-artifacts:/{made}"
    assert found["tags"] == [{"key": "t", "value": "1"}]
    assert mlflow.refused("POST", "experiments/create", name="a")[0] == "RESOURCE_ALREADY_EXISTS"
    mlflow.post("experiments/update", experiment_id=made, new_name="b")
    mlflow.post("experiments/delete", experiment_id=made)
    assert mlflow.get("experiments/get", experiment_id=made)["experiment"]["lifecycle_stage"] == "deleted"
    assert mlflow.refused("POST", "experiments/delete", experiment_id=made)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert mlflow.refused("POST", "runs/create", experiment_id=made)[0] == "INVALID_PARAMETER_VALUE"
    assert mlflow.refused("POST", "experiments/update", experiment_id=made, new_name="c")[0]
    mlflow.post("experiments/restore", experiment_id=made)
    assert mlflow.get("experiments/get", experiment_id=made)["experiment"]["name"] == "b"


def test_runs_go_and_come_back_with_their_experiment(mlflow: Asking):
    made = mlflow.post("experiments/create", name="a")["experiment_id"]
    run = mlflow.run(experiment_id=made)
    other = mlflow.run()
    mlflow.post("experiments/delete", experiment_id=made)
    assert mlflow.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    assert mlflow.get("runs/get", run_id=other)["run"]["info"]["lifecycle_stage"] == "active"
    mlflow.post("experiments/restore", experiment_id=made)
    assert mlflow.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "active"


def test_the_default_experiment_stays(mlflow: Asking):
    assert mlflow.refused("POST", "experiments/delete", experiment_id="0")[0] == "INVALID_STATE"


@pytest.mark.parametrize("key", ["", "../x", "a" * 251, "a=b", "/a", "a//b"])
def test_a_tag_has_a_name_that_mlflow_takes(mlflow: Asking, key: str):
    code, _ = mlflow.refused("POST", "experiments/set-experiment-tag", experiment_id="0", key=key, value="x")
    assert code == "INVALID_PARAMETER_VALUE"


def test_a_search_has_pages(mlflow: Asking):
    for number in range(5):
        mlflow.post("experiments/create", name=f"e{number}")
    first = mlflow.post("experiments/search", max_results=4, order_by=["name"])
    assert [one["name"] for one in first["experiments"]] == ["Default", "e0", "e1", "e2"]
    rest = mlflow.get("experiments/search", max_results=4, order_by=["name"], page_token=first["next_page_token"])
    assert [one["name"] for one in rest["experiments"]] == ["e3", "e4"]
    assert "next_page_token" not in rest
    assert mlflow.refused("POST", "experiments/search", filter="name >")[0] == "INVALID_PARAMETER_VALUE"
    assert mlflow.refused("POST", "experiments/search", page_token="x")[0] == "INVALID_PARAMETER_VALUE"
