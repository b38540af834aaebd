"""A training script that says nothing of tracking but `mlflow.sklearn.autolog()`, and logs what else a user logs."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("iris")
client = mlflow.MlflowClient()
x, y = load_iris(return_X_y=True, as_frame=True)


def fitted(log_models: bool) -> str:
    mlflow.sklearn.autolog(log_models=log_models, silent=False)
    with mlflow.start_run() as run:
        model = LogisticRegression(max_iter=300, C=0.5).fit(x, y)
        model.score(x, y)
    read = mlflow.get_run(run.info.run_id)
    assert read.data.params["C"] == "0.5"
    assert read.data.params["max_iter"] == "300"
    assert 0.9 < read.data.metrics["training_accuracy_score"] <= 1
    assert [one.dataset.source_type for one in read.inputs.dataset_inputs]
    assert "training_confusion_matrix.png" in {one.path for one in client.list_artifacts(run.info.run_id)}
    if log_models:
        found = mlflow.search_logged_models(
            experiment_ids=[run.info.experiment_id],
            filter_string=f"source_run_id = '{run.info.run_id}'",
            output_format="list",
        )
        assert len(found) == 1, found
        assert found[0].status == "READY"
        assert {metric.key for metric in found[0].metrics} >= {"training_accuracy_score"}
        back = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
        assert (back.predict(x) == model.predict(x)).all()
        assert [one.model_id for one in read.outputs.model_outputs] == [found[0].model_id]
    return run.info.run_id


def grid() -> None:
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=3)
    with mlflow.start_run() as run:
        GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(x, y)
    children = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert len(children) == 3
    mlflow.sklearn.autolog(disable=True)


def by_hand() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    dataset = mlflow.data.from_pandas(frame, source="somewhere.csv", name="frames", targets="a")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"kind": "demo"})
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3])
        mlflow.log_figure(figure, "plots/line.png")
        mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), "black.png")
        mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), key="steps", step=1)
        mlflow.log_table({"q": ["1", "2"], "a": ["3", "4"]}, "table.json")
        mlflow.log_table({"q": ["5"], "a": ["6"]}, "table.json")
    read = mlflow.get_run(run.info.run_id)
    [one] = read.inputs.dataset_inputs
    assert one.dataset.name == "frames"
    assert {tag.key: tag.value for tag in one.tags} == {"mlflow.data.context": "training", "kind": "demo"}
    assert len(mlflow.load_table("table.json", run_ids=[run.info.run_id])) == 3
    assert {path.path for path in client.list_artifacts(run.info.run_id)} >= {"black.png", "plots", "table.json"}
    found = client.search_runs([run.info.experiment_id], "dataset.name = 'frames'")
    assert [one.info.run_id for one in found] == [run.info.run_id]


fitted(log_models=False)
fitted(log_models=True)
grid()
by_hand()
print("done")
