"""Fills an MLflow store, run by a Python that has mlflow: `fill.py URI`. What the import is compared with."""

from __future__ import annotations

import sys

import mlflow
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Log runs of every shape, a model, and two versions of it."""
    mlflow.set_tracking_uri(sys.argv[1])
    for name in ("alpha", "beta / other"):
        mlflow.set_experiment(name)
        mlflow.set_experiment_tag("owner", "me")
        for place in range(2):
            with mlflow.start_run(run_name=f"r{place}"):
                mlflow.log_params({f"p{number}": number * place for number in range(5)})
                for step in range(60):
                    mlflow.log_metrics({"loss": 1 / (step + 1), "acc": step / 60}, step=step)
                mlflow.log_metric("odd", float("nan"))
                mlflow.log_metric("odd", float("inf"), step=1)
                mlflow.log_metric("odd", 3.0, step=1)
                mlflow.set_tag("team", "x")
                mlflow.log_text("hello", "notes/a b.txt")
                mlflow.log_dict({"a": place}, "d.json")
                mlflow.log_input(
                    mlflow.data.from_pandas(pd.DataFrame({"x": [1.0, 2.0]}), name="tiny"), context="training"
                )
                with mlflow.start_run(nested=True, run_name="child"):
                    mlflow.log_metric("x", 1)
    x = np.linspace(0, 1, 50).reshape(-1, 2)
    fitted = LogisticRegression().fit(x, x[:, 0] > 0.5)
    with mlflow.start_run(run_name="model"):
        for name in ("first", "second"):
            # Named, or MLflow starts a process that imports everything to find out.
            needs = ["scikit-learn"]
            mlflow.sklearn.log_model(fitted, name=name, registered_model_name="churn", pip_requirements=needs)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("churn", "best", 1)
    client.set_registered_model_alias("churn", "live", 2)
    client.delete_run(mlflow.search_runs(experiment_names=["alpha"]).run_id[0])


if __name__ == "__main__":
    main()
