"""What labels lose when their worker is killed, and what the log of predictions costs a request."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LinearRegression

from plusone.base.ids import new_id
from plusone.base.records import ModelRoute, RouteFile, RouteTarget
from plusone.packaging import pack
from plusone.predictions.collecting import collect
from plusone.predictions.layout import JSON, predictions_folder
from plusone.predictions.log import PredictionLog
from plusone.store import Store, open_store
from plusone.workers import routes

from .machine import free_port

KILLS = 200
MOST_LIFE_S = 0.3
A_REQUEST = 3
START_S = 60.0
MODEL = "m"
PATH = f"/models/{MODEL}/labels"

ROUNDS = 30
A_ROUND = 6400
BATCHES = (1, 8, 64)
REQUEST = b'{"rows":[{"carrier":"UA","origin":"EWR","dest":"IAH","month":1,"hour":5,"distance":1400,"temp":39.02}]}'
ANSWER = (
    b'{"model":"flight-delays","release":3,"id":"01m8d5r49tx381fpyc8y0fp9ng",'
    b'"predictions":[{"label":false,"probabilities":{"false":0.8712,"true":0.1288}}]}'
)


def measure(scratch: Path, kills: int = KILLS) -> dict[str, Any]:
    """Kill a worker at random that often while it takes labels, and measure what handing a prediction over costs."""
    return {"labels": kill_workers(scratch, kills), "log": cost_of_log(scratch)}


# ---------------------------------------------------------------------------------------------- labels and kill -9


def prepare(serving: Path) -> None:
    """Write a small model and the route to it."""
    values = np.linspace(0.0, 1.0, 20)
    package = serving / "package"
    package.mkdir(parents=True)
    _, digest = pack(
        LinearRegression().fit(pd.DataFrame({"x": values}), values),
        name=MODEL,
        target="y",
        features=["x"],
        train=pa.table({"x": values, "y": values}),
        environment=f"python=={sys.version.split()[0]}\n",
        folder=package,
    )
    target = RouteTarget(release=1, digest=digest, package=digest, folder="package", share=1.0)
    models = {MODEL: ModelRoute(version=1, targets=(target,))}
    routes.publish(serving, RouteFile(sequence=1, models=models))


class Sender:
    """Sends labels until the worker is gone. A request that was not answered is sent again, to the next worker."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.sent: set[str] = set()
        self.again = 0
        self.refused: list[int] = []
        self._ids: list[str] = []

    def send(self, port: int) -> None:
        """Send until the connection breaks."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            while True:
                if self._ids:
                    self.again += 1
                else:
                    self._ids = [new_id() for _ in range(A_REQUEST)]
                    self.sent.update(self._ids)
                labels = [{"id": one, "label": float(place)} for place, one in enumerate(self._ids)]
                connection.request("POST", PATH, json.dumps({"labels": labels}), {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 202:
                    self.acknowledged.update(self._ids)
                    self._ids = []
                else:
                    self.refused.append(answer.status)


def kill_workers(scratch: Path, kills: int) -> dict[str, Any]:
    """Kill a worker at a random moment that often; count the labels that were lost, and those that are there twice."""
    serving = scratch / "serving"
    prepare(serving)
    dice = random.Random(1)
    sender = Sender()
    with contextlib.closing(open_store(scratch / "store")) as store, (scratch / "workers.log").open("wb") as log:
        for _ in range(kills):
            port = free_port()
            command = [sys.executable, "-m", "plusone.serving.worker", "--folder", str(serving)]
            process = subprocess.Popen([*command, "--port", str(port), "--slot", "0"], stdout=log, stderr=log)
            try:
                _wait(process, port)
                thread = threading.Thread(target=sender.send, args=(port,))
                thread.start()
                time.sleep(dice.random() * MOST_LIFE_S)
                if dice.random() < 0.5:  # beside a living worker, too
                    collect(store, serving)
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
            thread.join()
        collect(store, serving)
        kept = _kept(store)
    return {
        "kills": kills,
        "acknowledged": len(sender.acknowledged),
        "lost": len(sender.acknowledged - kept.keys()),
        "twice": sum(count > 1 for count in kept.values()),
        "never_sent": len(kept.keys() - sender.sent),
        "sent_again": sender.again,
        "refused": len(sender.refused),
    }


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_S
    address = f"http://127.0.0.1:{port}/health/ready"
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}")
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.01)
    raise RuntimeError(f"the worker was not ready within {START_S} s")


def _kept(store: Store) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in store.db.all("label_of", model=MODEL, first="", last="~"):
        counts[row["prediction_id"]] = counts.get(row["prediction_id"], 0) + 1
    return counts


# ---------------------------------------------------------------------------------------------- what the log costs


def cost_of_log(scratch: Path) -> dict[str, Any]:
    """Nanoseconds a request, by the size of its batch: for the loop that hands it over, and in all with the thread."""
    found: dict[str, Any] = {}
    for size in BATCHES:
        log = PredictionLog(predictions_folder(scratch / str(size)), max_bytes=1 << 32)
        entries = [(f"{number:026d}", JSON, 1, REQUEST, ANSWER) for number in range(size)]
        took: list[float] = []
        calls = A_ROUND // size
        spent = time.process_time()
        for _ in range(ROUNDS):
            began = time.perf_counter_ns()
            for _ in range(calls):
                log.log(MODEL, 1, "digest", entries, 1e9)
            took.append((time.perf_counter_ns() - began) / A_ROUND)
            while log.logged + log.dropped < len(took) * A_ROUND:
                time.sleep(0.01)
        total = (time.process_time() - spent) * 1e9 / (ROUNDS * A_ROUND)
        log.close()
        found[str(size)] = {"loop_ns": statistics.median(took), "all_ns": total, "dropped": log.dropped}
    return found


def table(result: dict[str, Any]) -> str:
    """What was measured, in words."""
    labels = result["labels"]
    kept = (
        f"{labels['acknowledged']:,} acknowledged, {labels['lost']} lost, {labels['twice']} twice (bar: 0 and 0), "
        f"{labels['sent_again']} requests sent again"
    )
    costs = [
        f"a prediction handed to the log in a batch of {size}: {cost['loop_ns']:,.0f} ns of the loop, "
        f"{cost['all_ns']:,.0f} ns with the thread that writes it"
        for size, cost in result["log"].items()
    ]
    return "\n".join([f"labels answered 202, then kill -9 at random {labels['kills']} times: {kept}", *costs])
