"""One process that logs with MLflow's own client: run by a Python that has mlflow, driven by `bench/mlflow.py`.

Takes the address, what to do (`metric`, `batch`, or `bytes`: the same batch, written and sent by Python's own JSON and
HTTP), and for how many seconds; says `ready`, waits for a line, and prints how many requests were answered, how many
seconds they took, and how many of those this process itself worked.
plusone is not needed.
"""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

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


connection = http.client.HTTPConnection(urlsplit(address).netloc)


def send(number: int) -> None:
    points = [
        {"key": "loss", "value": 1.0 / (place + 1), "timestamp": now + place, "step": number * 1000 + place}
        for place in range(1000)
    ]
    body = json.dumps({"run_id": run_id, "metrics": points}).encode()
    connection.request("POST", "/api/2.0/mlflow/runs/log-batch", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(answer.read().decode())
    answer.read()


log = {"metric": metric, "batch": batch, "bytes": send}[what]
log(0)
print("ready", flush=True)
sys.stdin.readline()
count = 0
began, worked = time.perf_counter(), time.process_time()
while (took := time.perf_counter() - began) < seconds:
    count += 1
    log(count)
print(count, took, time.process_time() - worked, flush=True)
