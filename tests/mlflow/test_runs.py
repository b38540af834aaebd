"""Runs over MLflow's API: what their clients rely on, and that they are ordinary runs of plusone."""

from __future__ import annotations

from pathlib import Path

import pytest

from plusone.tracking.runs import get_run, recover_runs, start_run
from tests.mlflow.asking import Asking


def test_a_run_of_mlflow_is_an_ordinary_run(mlflow: Asking):
    tags = [{"key": "a", "value": "1"}, {"key": "mlflow.user", "value": "ann"}]
    run_id = mlflow.run(run_name="first", start_time=1_700_000_000_123, tags=tags)
    mlflow.post("runs/log-parameter", run_id=run_id, key="depth", value="3")
    mlflow.post("runs/update", run_id=run_id, status="FINISHED", end_time=1_700_000_001_000)
    run = get_run(mlflow.app.store, run_id)
    assert (run.name, run.source, run.status, run.by) == ("first", "mlflow", "done", "ann")
    assert run.started_at == "2023-11-14T22:13:20.123000Z"
    assert run.finished_at == "2023-11-14T22:13:21.000000Z"
    assert run.settings == {"depth": "3"}
    info = mlflow.get("runs/get", run_id=run_id)["run"]["info"]
    assert (info["start_time"], info["end_time"]) == (1_700_000_000_123, 1_700_000_001_000)
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/{run_id}/artifacts"


def test_a_run_of_plusone_is_one_for_mlflows_clients(mlflow: Asking):
    opened = start_run(
        mlflow.app.store, name="train", model="flights", settings={"depth": 3, "rate": 0.5, "on": True}, by="ann"
    )
    opened.finish("interrupted")
    read = mlflow.get("runs/get", run_id=opened.record.id)["run"]
    assert read["info"]["status"] == "KILLED"
    assert {one["key"]: one["value"] for one in read["data"]["params"]} == {"depth": "3", "rate": "0.5", "on": "True"}
    tags = {one["key"]: one["value"] for one in read["data"]["tags"]}
    assert tags["mlflow.runName"] == "train"
    assert tags["mlflow.user"] == "ann"
    assert tags["mlflow.source.name"] == "flights"


def test_a_run_stays_running_when_processes_of_ours_recover(mlflow: Asking):
    run_id = mlflow.run()
    mlflow.post("runs/log-metric", run_id=run_id, key="a", value=1.0, timestamp=1)
    assert recover_runs(mlflow.app.store) == []
    assert mlflow.get("runs/get", run_id=run_id)["run"]["info"]["status"] == "RUNNING"


def test_a_name_is_invented_and_is_a_tag_too(mlflow: Asking):
    run_id = mlflow.run()
    read = mlflow.get("runs/get", run_id=run_id)["run"]
    assert {"key": "mlflow.runName", "value": read["info"]["run_name"]} in read["data"]["tags"]
    mlflow.post("runs/set-tag", run_id=run_id, key="mlflow.runName", value="other")
    assert mlflow.get("runs/get", run_uuid=run_id)["run"]["info"]["run_name"] == "other"
    tags = [{"key": "mlflow.runName", "value": "a"}]
    assert mlflow.refused("POST", "runs/create", run_name="b", tags=tags)[0] == "INVALID_PARAMETER_VALUE"


def test_an_id_is_not_the_beginning_of_one(mlflow: Asking):
    run_id = mlflow.run()
    for wrong in (run_id[:-1], run_id[:5], run_id.upper(), "%", "_" * len(run_id)):
        assert mlflow.refused("GET", "runs/get", run_id=wrong)[0] == "RESOURCE_DOES_NOT_EXIST"
        assert mlflow.refused("POST", "runs/delete", run_id=wrong)[0] == "RESOURCE_DOES_NOT_EXIST"


def test_a_parameter_never_changes(mlflow: Asking):
    run_id = mlflow.run()
    mlflow.post("runs/log-parameter", run_id=run_id, key="a", value="1")
    mlflow.post("runs/log-parameter", run_id=run_id, key="a", value="1")
    code, message = mlflow.refused("POST", "runs/log-parameter", run_id=run_id, key="a", value="2")
    assert code == "INVALID_PARAMETER_VALUE"
    assert "Changing param values is not allowed" in message
    mlflow.post("runs/log-parameter", run_id=run_id, key="long", value="x" * 7000)
    params = {one["key"]: one["value"] for one in mlflow.get("runs/get", run_id=run_id)["run"]["data"]["params"]}
    assert params == {"a": "1", "long": "x" * 6000}


def test_a_deleted_run_is_read_and_not_changed(mlflow: Asking):
    run_id = mlflow.run()
    mlflow.post("runs/log-metric", run_id=run_id, key="a", value=1.0, timestamp=1)
    mlflow.post("runs/delete", run_id=run_id)
    for path, values in (
        ("runs/log-metric", {"key": "a", "value": 2.0, "timestamp": 2}),
        ("runs/log-parameter", {"key": "a", "value": "1"}),
        ("runs/set-tag", {"key": "a", "value": "1"}),
        ("runs/delete-tag", {"key": "mlflow.runName"}),
        ("runs/log-inputs", {"datasets": []}),
        ("runs/update", {"status": "FINISHED"}),
        ("runs/delete", {}),
    ):
        assert mlflow.refused("POST", path, run_id=run_id, **values)[0] == "INVALID_PARAMETER_VALUE", path
    assert mlflow.get("runs/get", run_id=run_id)["run"]["data"]["metrics"][0]["value"] == 1.0
    mlflow.post("runs/restore", run_id=run_id)
    assert mlflow.refused("POST", "runs/restore", run_id=run_id)[0] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("ms", [-1, 10**15, 2**63 - 1])
def test_a_time_that_no_calendar_has_is_refused(mlflow: Asking, ms: int):
    assert mlflow.refused("POST", "runs/create", start_time=ms)[0] == "INVALID_PARAMETER_VALUE"
    assert mlflow.refused("POST", "runs/update", run_id=mlflow.run(), end_time=ms)[0] == "INVALID_PARAMETER_VALUE"


def test_what_was_logged_a_moment_ago_is_found(mlflow: Asking, tmp_path: Path):
    run_id = mlflow.run(run_name="found")
    mlflow.run(run_name="other")
    mlflow.post("runs/log-metric", run_id=run_id, key="auc", value=0.9, timestamp=1)
    found = mlflow.post("runs/search", experiment_ids=["0"], filter="metrics.auc > 0.8")["runs"]
    assert [one["info"]["run_name"] for one in found] == ["found"]
    assert mlflow.refused("POST", "runs/search", experiment_ids=["0"], filter="auc >")[0] == "INVALID_PARAMETER_VALUE"
    assert mlflow.post("runs/search", experiment_ids=[]) == {"runs": []}


def test_what_a_run_read_comes_back(mlflow: Asking):
    run_id = mlflow.run()
    dataset = {"name": "d", "digest": "123", "source_type": "local", "source": "{}", "schema": "{}", "profile": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    mlflow.post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset, "tags": tags}])
    read = mlflow.get("runs/get", run_id=run_id)["run"]
    assert read["inputs"]["dataset_inputs"] == [{"dataset": dataset, "tags": tags}]
    for wrong in ({"name": "", "digest": "1"}, {"name": "d", "digest": "1" * 37}, {"name": "d" * 501, "digest": "1"}):
        code, _ = mlflow.refused("POST", "runs/log-inputs", run_id=run_id, datasets=[{"dataset": wrong}])
        assert code == "INVALID_PARAMETER_VALUE"
