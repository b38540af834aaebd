"""Other trackers log one scalar at a time, in the run in which ours is measured: each in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

from rich.table import Table

from .machine import calibrate

HERE = Path(__file__).resolve().parent
ROUNDS = 3
# As many as each logs in some seconds.
COUNTS = {"trackio": 100_000, "tensorboardX": 100_000, "mlflow": 1_000}
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


def measure(scratch: Path, pythons: dict[str, Path]) -> dict[str, Any]:
    """Return points/s until they are kept, and the median and p99 of a call, of each tracker: medians of 3 rounds."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in COUNTS}
    for _ in range(ROUNDS):
        for name, count in COUNTS.items():
            folder = scratch / name
            folder.mkdir()
            machine = calibrate()
            command = [str(pythons[name]), "-P", str(HERE / "peer_tracking.py"), name, str(folder), str(count)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **QUIET})
            rounds[name].append({"machine_s": machine, **json.loads(done.stdout.splitlines()[-1])})
            shutil.rmtree(folder)
    return {
        name: {key: statistics.median(one[key] for one in each) for key in each[0]} | {"rounds": each}
        for name, each in rounds.items()
    }


def table(result: dict[str, Any]) -> Table:
    """Return the trackers beside each other."""
    made = Table(
        title="one scalar a call, one process",
        caption=f"points/s until they are where the tracker keeps them; medians of {ROUNDS} rounds for the peers",
    )
    for heading in ("", "points/s", "plusone is", "median us", "p99 us", "points"):
        made.add_column(heading, justify="right")
    ours = result["sustained"]["points_per_s"]
    calls = result["calls"]
    points = str(result["sustained"]["points"])
    made.add_row("plusone", f"{ours:,.0f}", "", f"{calls['median_us']:.2f}", f"{calls['p99_us']:.1f}", points)
    for name, one in result["peers"].items():
        times = f"{ours / one['points_per_s']:,.0f} times"
        made.add_row(
            name,
            f"{one['points_per_s']:,.0f}",
            times,
            f"{one['median_us']:.1f}",
            f"{one['p99_us']:.1f}",
            str(one["points"]),
        )
    return made
