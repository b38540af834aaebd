"""What a worker costs: its memory with one release and with two, and the time from its start until it is ready."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plusone.base.ids import digest_file

from . import flights, load, machine, serving, serving_sides
from .serving_sides import MODEL, PATH, PLUSONE

STARTS = 7
_POLL_S = 0.002

# What the model itself takes: a bare process before and after it has loaded the graph and answered with it.
ALONE = """
import json, sys, time
began = time.perf_counter()
import numpy, onnxruntime
imported = time.perf_counter() - began
def memory():
    return sum(int(line.split()[1]) * 1024 for line in open("/proc/self/smaps_rollup") if line.startswith("Private_"))
before = memory()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print(json.dumps({"imported_s": imported, "model_bytes": memory() - before}))
"""


def _wait_version(scratch: Path, version: int) -> None:
    """Wait until the worker serves that version of the route."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for file in (scratch / "serving" / "workers").glob("*.json"):
            if json.loads(file.read_text("utf-8")).get("versions", {}).get(MODEL) == version:
                return
        time.sleep(0.02)
    raise RuntimeError(f"the worker does not serve version {version} of the route after 30 s")


def _memory(scratch: Path, frame: Any, model: str) -> dict[str, Any]:
    """The memory of a worker that answered some thousand requests, and again with a second release beside the first."""
    chosen = frame.sample(serving.TRAIN_ROWS, random_state=5)
    trained = flights.train(chosen, model)
    second = serving.write_package(trained, chosen, frame.sample(2000, random_state=6), scratch / "serving" / "second")
    first = digest_file(scratch / "serving" / "package" / "manifest.json")
    bodies = [PLUSONE.body(row) for row in flights.rows(frame, 256)]
    with serving_sides.running(PLUSONE, scratch, {}) as one:
        load.load(one.port, PATH, bodies, 8, 2.0, scratch)
        before = machine.memory(one.pid)
        # The process that writes the log of predictions.
        beside = [machine.memory(pid) for pid in machine.family(one.pid) if pid != one.pid]
        serving.publish(scratch / "serving", {MODEL: [("package", first), ("second", second)]}, 2)
        _wait_version(scratch, 2)
        load.load(one.port, PATH, bodies, 8, 2.0, scratch)
        after = machine.memory(one.pid)
    alone = subprocess.run(
        [sys.executable, "-c", ALONE, str(scratch / "serving" / "second" / "model.onnx")],
        check=True,
        capture_output=True,
        text=True,
    )
    size = sum(file.stat().st_size for file in (scratch / "serving" / "second").iterdir())
    extra = {key: sum(other[key] for other in beside) for key in before}
    return {"one": before, "beside": extra, "two": after, "package_bytes": size, **json.loads(alone.stdout)}


def _starts(scratch: Path) -> dict[str, Any]:
    """Seconds from the start of the process until it says that it is ready, in turns with the bare imports it needs."""
    rounds: list[dict[str, float]] = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numpy, onnxruntime"], check=True)
        bare = time.perf_counter() - began
        rounds.append({"calibration_s": machine.calibrate(), "bare_s": bare, "ready_s": _ready(scratch)})
    return {
        "rounds": rounds,
        "bare_s": statistics.median(one["bare_s"] for one in rounds),
        "ready_s": statistics.median(one["ready_s"] for one in rounds),
        "slowest_s": max(one["ready_s"] for one in rounds),
    }


def _ready(scratch: Path) -> float:
    with serving_sides.running(PLUSONE, scratch, {}) as one:
        return one.start_s


def measure(scratch: Path) -> dict[str, Any]:
    """Measure memory with every model, and starts with the first."""
    found: dict[str, Any] = {"memory": {}}
    for name in flights.MODELS:
        folder = scratch / name.replace(" ", "-")
        frame = serving.prepare(folder, name)
        if "starts" not in found:
            found["starts"] = _starts(folder)
        found["memory"][name] = _memory(folder, frame, name)
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """A line for each bar."""
    starts = found["starts"]
    yield (
        f"a worker is ready {starts['ready_s']:.2f} s after its start, at most {starts['slowest_s']:.2f} s (bar: "
        f"1.5 s); importing numpy and onnxruntime alone takes {starts['bare_s']:.2f} s"
    )
    for name, memory in found["memory"].items():
        one, two = memory["one"], memory["two"]
        added = two["uss"] - one["uss"]
        yield (
            f"{name}: a worker with one release holds {one['rss'] / 1e6:.0f} MB (bar: 150; its own "
            f"{one['uss'] / 1e6:.0f}, proportional {one['pss'] / 1e6:.0f}), and {memory['beside']['rss'] / 1e6:.0f} MB "
            f"the process that writes its log (its own {memory['beside']['uss'] / 1e6:.0f}); a second release adds "
            f"{added / 1e6:.1f} MB, {added / memory['model_bytes']:.2f} times the "
            f"{memory['model_bytes'] / 1e6:.1f} MB that the model takes of a bare process (bar: 1); "
            f"its package has {memory['package_bytes'] / 1e6:.1f} MB"
        )
