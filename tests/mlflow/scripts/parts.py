"""Logs a large file, which MLflow's client sends in parts, and reads it again."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow

address, name = sys.argv[1:]
mlflow.set_tracking_uri(address)
with mlflow.start_run() as run:
    mlflow.log_artifact(name, "deep")
back = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=f"deep/{Path(name).name}")
assert Path(back).read_bytes() == Path(name).read_bytes()
print("done")
