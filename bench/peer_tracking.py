"""One tracker logs one scalar at a time, in a process and an environment of its own; prints what it measured as JSON.

`python peer_tracking.py mlflow|trackio|tensorboardX FOLDER COUNT`. `seconds` is from the first call until everything is
where the tracker keeps it; `median_us` and `p99_us` are what the loop sees of each call.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def mlflow(folder: Path) -> tuple[Callable[[int], None], Callable[[], None]]:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.start_run()
    return (lambda step: mlflow.log_metric("loss", 0.5 + step, step=step)), mlflow.end_run


def trackio(folder: Path) -> tuple[Callable[[int], None], Callable[[], None]]:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio

    trackio.init(project="bench", name="one")
    return (lambda step: trackio.log({"loss": 0.5 + step}, step=step)), trackio.finish


def tensorboardX(folder: Path) -> tuple[Callable[[int], None], Callable[[], None]]:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(folder))
    return (lambda step: writer.add_scalar("loss", 0.5 + step, step)), writer.close


def main() -> None:
    """Log COUNT points with the named tracker."""
    name, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    log, finish = {"mlflow": mlflow, "trackio": trackio, "tensorboardX": tensorboardX}[name](folder)
    took: list[int] = []
    clock = time.perf_counter_ns
    began = clock()
    for step in range(count):
        at = clock()
        log(step)
        took.append(clock() - at)
    finish()
    seconds = (clock() - began) / 1e9
    took.sort()
    result = {
        "points": count,
        "seconds": seconds,
        "points_per_s": count / seconds,
        "median_us": took[count // 2] / 1000,
        "p99_us": took[int(count * 0.99)] / 1000,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
