"""Logs points until the server is gone, and writes down each one that was acknowledged, the run's id before them."""

from __future__ import annotations

import json
import sys
import time

import mlflow
from mlflow.entities import Metric

address, name = sys.argv[1:]
client = mlflow.MlflowClient(address)
run_id = client.create_run("0").info.run_id
step = 0
with open(name, "w", encoding="utf-8", buffering=1) as log:
    log.write(run_id + "\n")
    while True:
        client.log_metric(run_id, "loss", step / 7, step=step)
        log.write(json.dumps([step, step / 7]) + "\n")
        step += 1
        if step % 50 == 0:
            points = [Metric("loss", place / 7, int(time.time() * 1000), place) for place in range(step, step + 20)]
            client.log_batch(run_id, metrics=points)
            log.write("".join(json.dumps([place, place / 7]) + "\n" for place in range(step, step + 20)))
            step += 20
