"""One process that logs with MLflow's own client: run by a Python that has mlflow, driven by `bench/mlflow.py`.

Takes the address, what to do (`metric` or `batch`), and for how many seconds; says `ready`, waits for a line, and
prints how many requests were answered, how many seconds they took, and how many of those this process itself worked.
plusone is not needed.
"""

import sys
import time

import mlflow
from mlflow.entities import Metric

address, what, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
client = mlflow.MlflowClient(address)
run_id = client.create_run("0").info.run_id
now = int(time.time() * 1000)


def metric(number: int) -> None:
    client.log_metric(run_id, "loss", 1.0 / (number + 1), step=number)


def batch(number: int) -> None:
    points = [Metric("loss", 1.0 / (place + 1), now + place, number * 1000 + place) for place in range(1000)]
    client.log_batch(run_id, metrics=points)


log = {"metric": metric, "batch": batch}[what]
log(0)
print("ready", flush=True)
sys.stdin.readline()
count = 0
began, worked = time.perf_counter(), time.process_time()
while (took := time.perf_counter() - began) < seconds:
    count += 1
    log(count)
print(count, took, time.process_time() - worked, flush=True)
