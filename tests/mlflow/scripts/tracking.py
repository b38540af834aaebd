"""What a user's training script does, with MLflow's own client: every step checks what comes back."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

address = sys.argv[1]
mlflow.set_tracking_uri(address)
client = mlflow.MlflowClient()


def refused(code: str, action, *arguments, **named) -> str:
    """Do what must be refused with this code; return the message."""
    found: MlflowException | None = None
    try:
        action(*arguments, **named)
    except MlflowException as error:
        found = error
    assert found is not None, f"{action} was not refused"
    assert found.error_code == code, (found.error_code, str(found))
    return str(found)


def experiments() -> None:
    first = mlflow.set_experiment("flights")
    assert mlflow.set_experiment("flights").experiment_id == first.experiment_id
    assert mlflow.get_experiment_by_name("flights").lifecycle_stage == "active"
    assert mlflow.get_experiment_by_name("none of that name") is None
    made = mlflow.create_experiment("ships", tags={"team": "sea"})
    assert mlflow.get_experiment(made).tags == {"team": "sea"}
    assert "already exists" in refused("RESOURCE_ALREADY_EXISTS", mlflow.create_experiment, "ships")
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.get_experiment, "123456")
    client.rename_experiment(made, "boats")
    client.set_experiment_tag(made, "team", "river")
    client.set_experiment_tag(made, "year", "2026")
    client.delete_experiment_tag(made, "year")
    assert client.get_experiment(made).tags == {"team": "river"}
    assert client.get_experiment(made).name == "boats"
    found = mlflow.search_experiments(filter_string="tags.team = 'river' AND name LIKE 'b%'")
    assert [one.name for one in found] == ["boats"]
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    assert {one.name for one in mlflow.search_experiments()} == {"Default", "flights"}
    assert [one.name for one in mlflow.search_experiments(view_type=ViewType.DELETED_ONLY)] == ["boats"]
    refused("INVALID_PARAMETER_VALUE", client.create_run, made)
    client.restore_experiment(made)
    by_name = client.search_experiments(order_by=["name ASC"], max_results=2)
    assert [one.name for one in by_name] == ["Default", "boats"]
    rest = client.search_experiments(order_by=["name ASC"], max_results=2, page_token=by_name.token)
    assert [one.name for one in rest] == ["flights"]
    assert rest.token is None


def one_run() -> str:
    with mlflow.start_run(run_name="first", tags={"kind": "demo"}, description="a run") as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "kind": "tree", "none": None})
        for step in range(10):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.91, "odd": math.nan, "far": -math.inf}, step=9)
        mlflow.set_tags({"a/b": "1", "c d": "2"})
        mlflow.set_tag("gone", "soon")
        mlflow.delete_tag("gone")
        refused("INVALID_PARAMETER_VALUE", mlflow.log_param, "depth", 5)
        mlflow.log_param("depth", 3)
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            mlflow.log_metric("loss", 0.5)
    run_id = run.info.run_id
    read = mlflow.get_run(run_id)
    assert read.info.status == "FINISHED"
    assert read.info.run_name == "first"
    assert read.info.end_time >= read.info.start_time
    assert read.info.artifact_uri == f"mlflow-artifacts:/{read.info.experiment_id}/{run_id}/artifacts"
    assert read.data.params == {"depth": "3", "rate": "0.1", "kind": "tree", "none": "None"}
    assert read.data.metrics["loss"] == 0.1
    assert read.data.metrics["auc"] == 0.91
    assert math.isnan(read.data.metrics["odd"])
    assert read.data.metrics["far"] == -math.inf
    assert {"kind": "demo", "a/b": "1", "c d": "2", "mlflow.runName": "first"}.items() <= read.data.tags.items()
    assert "gone" not in read.data.tags
    assert mlflow.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == run_id
    points = client.get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(step, 1.0 / (step + 1)) for step in range(10)]
    assert client.get_metric_history(run_id, "none of that name") == []
    return run_id


def changes(run_id: str) -> None:
    client.update_run(run_id, status="FAILED", name="renamed")
    assert client.get_run(run_id).info.status == "FAILED"
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "renamed"
    client.set_tag(run_id, "mlflow.runName", "again")
    assert client.get_run(run_id).info.run_name == "again"
    client.set_terminated(run_id, "KILLED")
    assert client.get_run(run_id).info.status == "KILLED"
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, "loss", 1.0)
    refused("INVALID_PARAMETER_VALUE", client.set_tag, run_id, "a", "b")
    client.restore_run(run_id)
    client.log_metric(run_id, "loss", 0.01, step=10)
    assert client.get_run(run_id).data.metrics["loss"] == 0.01
    with mlflow.start_run(run_id=run_id):
        mlflow.log_metric("loss", 0.02, step=11)
    assert len(client.get_metric_history(run_id, "loss")) == 12
    refused("RESOURCE_DOES_NOT_EXIST", client.get_run, "0123456789abcdef")
    refused("RESOURCE_DOES_NOT_EXIST", client.log_metric, "0123456789abcdef", "loss", 1.0)
    refused("RESOURCE_DOES_NOT_EXIST", client.delete_tag, run_id, "none of that name")


def batches() -> None:
    run = client.create_run(mlflow.get_experiment_by_name("flights").experiment_id)
    run_id = run.info.run_id
    metrics = [Metric("m", float(place), 1_700_000_000_000 + place, place) for place in range(1000)]
    client.log_batch(run_id, metrics=metrics)
    client.log_batch(run_id, params=[Param(f"p{n}", str(n)) for n in range(100)], tags=[RunTag("t", "1")])
    history = client.get_metric_history(run_id, "m")
    assert [(point.step, point.value, point.timestamp) for point in history] == [
        (place, float(place), 1_700_000_000_000 + place) for place in range(1000)
    ]
    read = client.get_run(run_id).data
    assert read.metrics == {"m": 999.0}
    assert len(read.params) == 100
    assert read.tags["t"] == "1"
    refused("INVALID_PARAMETER_VALUE", client.log_batch, run_id, params=[Param("p1", "changed"), Param("new", "1")])
    assert "new" not in client.get_run(run_id).data.params
    same = [Metric("tied", 1.0, 5, 0), Metric("tied", 3.0, 5, 0), Metric("tied", 2.0, 5, 0)]
    client.log_batch(run_id, metrics=same)
    assert client.get_run(run_id).data.metrics["tied"] == 3.0
    refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, "k" * 251, 1.0)
    refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, "../up", 1.0)
    client.set_terminated(run_id)


def files(run_id: str) -> None:
    with tempfile.TemporaryDirectory() as name, mlflow.start_run(run_id=run_id):
        folder = Path(name)
        (folder / "a").mkdir()
        (folder / "a" / "x y.txt").write_text("first", "utf-8")
        (folder / "a" / "ü.bin").write_bytes(b"\0\1\2")
        (folder / "big.bin").write_bytes(bytes(range(256)) * 20_000)
        mlflow.log_artifact(str(folder / "big.bin"))
        mlflow.log_artifact(str(folder / "big.bin"), "deep/er")
        mlflow.log_artifacts(str(folder / "a"), "a")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"x": [1, 2]}, "x.json")
        back = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="a", dst_path=str(folder / "to")))
        assert (back / "x y.txt").read_text("utf-8") == "first"
        assert (back / "ü.bin").read_bytes() == b"\0\1\2"
        whole = Path(mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(folder / "all")))
        assert (whole / "big.bin").read_bytes() == (folder / "big.bin").read_bytes()
        assert (whole / "deep" / "er" / "big.bin").is_file()
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello"
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/x.json") == {"x": [1, 2]}
    listed = {one.path: (one.is_dir, one.file_size) for one in client.list_artifacts(run_id)}
    assert listed["big.bin"] == (False, 256 * 20_000)
    assert listed["a"] == (True, None)
    assert [one.path for one in client.list_artifacts(run_id, "deep/er")] == ["deep/er/big.bin"]
    assert client.list_artifacts(run_id, "x.json") == []


def searches() -> None:
    experiment = mlflow.create_experiment("searched")
    for number in range(25):
        tags = {"kind": "even" if number % 2 == 0 else "odd"}
        with mlflow.start_run(experiment_id=experiment, run_name=f"run-{number:02}", tags=tags):
            mlflow.log_param("depth", number % 3)
            mlflow.log_metric("auc", number / 100)
    ids = [experiment]
    best = client.search_runs(ids, "metrics.auc > 0.1 and params.depth = '1'", order_by=["metrics.auc DESC"])
    assert [run.info.run_name for run in best] == ["run-22", "run-19", "run-16", "run-13"]
    assert len(client.search_runs(ids, "tags.kind LIKE 'ev%' AND status = 'FINISHED'")) == 13
    assert len(client.search_runs(ids, "attributes.run_name = 'run-07'")) == 1
    assert len(client.search_runs(ids, "tags.`mlflow.runName` = 'run-07'")) == 1
    names: list[str] = []
    token = None
    while True:
        page = client.search_runs(ids, order_by=["attributes.start_time ASC"], max_results=10, page_token=token)
        names += [run.info.run_name for run in page]
        token = page.token
        if not token:
            break
    assert names == [f"run-{number:02}" for number in range(25)]
    refused("INVALID_PARAMETER_VALUE", client.search_runs, ids, "metrics.auc >")
    refused("INVALID_PARAMETER_VALUE", client.search_runs, ids, "", order_by=["nonsense DESC"])
    listed = mlflow.search_runs(ids, "metrics.auc >= 0.2", output_format="list")  # a frame needs pandas
    assert sorted(run.data.metrics["auc"] for run in listed) == [0.2, 0.21, 0.22, 0.23, 0.24]
    client.delete_run(best[0].info.run_id)
    assert len(client.search_runs(ids)) == 24
    assert len(client.search_runs(ids, run_view_type=ViewType.DELETED_ONLY)) == 1
    assert len(client.search_runs(ids, run_view_type=ViewType.ALL)) == 25
    client.delete_experiment(experiment)
    assert client.search_runs(ids) == []
    client.restore_experiment(experiment)
    assert len(client.search_runs(ids)) == 25


experiments()
mlflow.set_experiment("flights")
run_id = one_run()
changes(run_id)
batches()
files(run_id)
searches()
print("done")
