"""What a user's script does with the model registry, with MLflow's own client: every step checks what comes back."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
x = np.linspace(-1.0, 1.0, 200)
frame = pd.DataFrame({"x": x, "z": np.cos(7.0 * x)})
target = x + 0.3 * np.sin(40.0 * x) > 0.0


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


def log(name: str, **more) -> LogisticRegression:
    """Log a model and register it under a name in one call, as most scripts do."""
    model = LogisticRegression(C=2.0).fit(frame, target)
    # Named, or MLflow starts a process that imports everything to find out.
    more["pip_requirements"] = ["scikit-learn"]
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="model", input_example=frame.head(2), registered_model_name=name, **more)
    return model


def same(uri: str, model: LogisticRegression) -> None:
    """Load a model back in this process, by any name that it has."""
    assert (mlflow.sklearn.load_model(uri).predict_proba(frame) == model.predict_proba(frame)).all(), uri


def register() -> None:
    model = log("m", serialization_format="skops")
    versions = {int(one.version): one for one in client.search_model_versions("name = 'm'")}
    assert set(versions) == {1, 2}, "the release and the candidate share one sequence"
    assert versions[1].tags["plusone.stage"] == "live"
    assert (versions[2].tags["plusone.stage"], versions[2].status) == ("candidate", "READY")
    same("models:/m/2", model)
    same(versions[2].source, model)  # models:/MODEL_ID
    client.set_registered_model_alias("m", "champion", "2")
    same("models:/m@champion", model)
    assert int(client.get_model_version_by_alias("m", "live").version) == 1
    message = refused("INVALID_STATE", client.set_registered_model_alias, "m", "live", "2")
    assert "plusone release --from m@2" in message
    refused("INVALID_STATE", client.set_registered_model_alias, "m", "previous", "1")
    refused("INVALID_STATE", client.delete_registered_model_alias, "m", "live")
    refused("INVALID_STATE", client.delete_model_version, "m", "1")
    refused("INVALID_STATE", client.delete_registered_model, "m")
    refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, "m")
    package = Path(mlflow.artifacts.download_artifacts("models:/m@live", dst_path=tempfile.mkdtemp()))
    assert {one.name for one in package.iterdir()} >= {"manifest.json", "model.onnx", "environment.txt"}
    names()
    logged_models()


def names() -> None:
    pickled = log("A model, with spaces", serialization_format="cloudpickle")
    same("models:/A model, with spaces/1", pickled)
    same("models:/A model, with spaces/latest", pickled)
    client.rename_registered_model("A model, with spaces", "renamed")
    model = client.get_registered_model("renamed")
    assert [int(one.version) for one in model.latest_versions] == [1]
    client.update_registered_model("renamed", "said of it")
    client.set_registered_model_tag("renamed", "team", "a")
    client.set_model_version_tag("renamed", "1", "checked", "yes")
    client.update_model_version("renamed", "1", "the first")
    found = client.get_registered_model("renamed")
    assert (found.description, found.tags) == ("said of it", {"team": "a"})
    version = client.get_model_version("renamed", "1")
    assert (version.description, version.tags["checked"]) == ("the first", "yes")
    client.delete_model_version_tag("renamed", "1", "checked")
    client.delete_registered_model_tag("renamed", "team")
    assert [one.name for one in client.search_registered_models("name LIKE 'ren%'")] == ["renamed"]
    again = mlflow.register_model(version.source, "renamed")
    assert int(again.version) == 2
    copied = client.copy_model_version("models:/renamed/2", "copied")
    same(f"models:/copied/{copied.version}", pickled)
    client.delete_model_version("renamed", "1")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "renamed", "1")
    assert int(mlflow.register_model(version.source, "renamed").version) == 3
    client.delete_registered_model("renamed")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "renamed")
    for number in range(5):
        client.create_registered_model(f"many-{number}")
    page = client.search_registered_models("name LIKE 'many%'", max_results=2, order_by=["name DESC"])
    assert [one.name for one in page] == ["many-4", "many-3"]
    more = client.search_registered_models("name LIKE 'many%'", 2, ["name DESC"], page.token)
    assert [one.name for one in more] == ["many-2", "many-1"]
    refused("INVALID_PARAMETER_VALUE", client.search_registered_models, "colour = 'x'")


def logged_models() -> None:
    data = mlflow.data.from_pandas(frame.assign(y=target), targets="y", name="train")
    model = mlflow.initialize_logged_model(name="by-hand", params={"C": "1"}, tags={"a": "b"})
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.75, model_id=model.model_id, dataset=data)
        mlflow.log_metrics({"loss": 0.5, "f1": 0.25}, model_id=model.model_id, step=3)
    mlflow.finalize_logged_model(model.model_id, "READY")
    mlflow.set_logged_model_tags(model.model_id, {"c": "d"})
    mlflow.delete_logged_model_tag(model.model_id, "a")
    found = mlflow.get_logged_model(model.model_id)
    assert (found.status, found.params, found.tags["c"]) == ("READY", {"C": "1"}, "d")
    metrics = {one.key: (one.value, one.dataset_name, one.run_id) for one in found.metrics}
    assert metrics["auc"] == (0.75, "train", run.info.run_id)
    assert set(metrics) == {"auc", "loss", "f1"}
    one = mlflow.search_logged_models(filter_string="metrics.auc > 0.7 AND name = 'by-hand'", output_format="list")
    assert [each.model_id for each in one] == [model.model_id]
    client.delete_logged_model(model.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.get_logged_model, model.model_id)


def promote() -> None:
    client.set_registered_model_alias("m", "live", "2")
    found = client.get_model_version_by_alias("m", "live")
    assert (int(found.version), found.tags["plusone.stage"], found.current_stage) == (2, "live", "Production")
    assert int(client.get_model_version_by_alias("m", "previous").version) == 1
    same("models:/m@live", LogisticRegression(C=2.0).fit(frame, target))
    same("models:/m/Production", LogisticRegression(C=2.0).fit(frame, target))
    log("m")
    assert int(client.get_latest_versions("m", ["None"])[0].version) == 3


{"register": register, "promote": promote}[sys.argv[2]]()
print("done")
