"""What logging costs, what it loses and how fast it is read: our side, each part in fresh processes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .machine import calibrate

ROUNDS = 5
CALLS = 200_000
DURABLE = 100_000
SUSTAINED = 10_000_000
PROCESSES = 8
EACH = 1_000_000
KILLS = 200

# What each process begins with: a store, a run of it, and `plusone.log` that goes to it. Values are noise: they
# compress as badly as losses do.
_BEGIN = """
import gc, json, os, random, sys, time
from pathlib import Path
import plusone
from plusone.store import open_store
from plusone.recording import active
from plusone.recording.recorder import Recorder
from plusone.tracking.runs import get_run, start_run
folder, run_id, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = open_store(folder)
run = None
if run_id == "new":
    run = start_run(store, name="bench", source="script")
    run_id = run.record.id
recorder = Recorder(store, run_id)
active.start(recorder)
chance = random.Random(os.getpid())
log = plusone.log
clock = time.perf_counter
"""

_CALLS = (
    _BEGIN
    + """
now = time.perf_counter_ns
took = []
for step in range(count):
    value = chance.random()
    began = now()
    log(step=step, loss=value)
    took.append(now() - began)
empty = []
for step in range(count):
    began = now()
    empty.append(now() - began)
took.sort()
empty.sort()
recorder.close()
print(json.dumps({"median_us": took[count // 2] / 1000, "p99_us": took[count * 99 // 100] / 1000,
                  "p999_us": took[count * 999 // 1000] / 1000, "most_us": took[-1] / 1000,
                  "clock_us": empty[count // 2] / 1000}))
"""
)

_DURABLE = (
    _BEGIN
    + """
values = [chance.random() for _ in range(count)]
began = clock()
for step in range(count):
    log(step=step, loss=values[step])
recorder.close()
took = clock() - began
from plusone.recording.series import read_series
found = read_series(store, run_id, "loss")
assert found.values.tolist() == values, "the store does not hold what was logged"
print(json.dumps({"seconds": took}))
"""
)

_SUSTAINED = (
    _BEGIN
    + """
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

uniform = chance.random
memory, journal = [], []
began = clock()
for step in range(count):
    log(step=step, loss=uniform())
    if step % (count // 20) == 0:
        memory.append(resident())
        journal.append(recorder._journal.size_bytes())
logged = clock() - began
recorder.close()
took = clock() - began
memory.append(resident())
print(json.dumps({"run": run_id, "points": count, "seconds": took, "points_per_s": count / took,
                  "points_per_s_of_the_loop": count / logged, "resident_bytes": memory, "journal_bytes": journal,
                  "store_bytes": sum(file.stat().st_size for file in folder.glob("plusone.db*"))}))
"""
)

_READ = """
import json, sys, time
from pathlib import Path
from plusone.store import open_store
from plusone.recording.series import plot_series, read_series
folder, run_id, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = open_store(folder)
clock = time.perf_counter
plots = []
for _ in range(5):
    began = clock()
    drawn = plot_series(store, run_id, "loss", count=2000)
    plots.append(clock() - began)
began = clock()
narrow = plot_series(store, run_id, "loss", count=2000, first_step=count // 2, last_step=count // 2 + count // 100)
narrow_s = clock() - began
began = clock()
whole = read_series(store, run_id, "loss")
read_s = clock() - began
assert len(whole.steps) == count and (whole.steps[1:] - whole.steps[:-1] == 1).all(), "points were lost"
assert drawn.values.max() == whole.values.max() and drawn.values.min() == whole.values.min(), "a spike was lost"
print(json.dumps({"first_plot_s": plots[0], "plot_s": sorted(plots)[2], "drawn": len(drawn.steps),
                  "narrow_plot_s": narrow_s, "read_all_s": read_s}))
"""

_ONE_OF_MANY = (
    _BEGIN
    + """
uniform = chance.random
print("ready", flush=True)
sys.stdin.readline()
began = time.time()
for step in range(count):
    log(step=step, loss=uniform())
recorder.close()
print(json.dumps({"run": run_id, "began": began, "ended": time.time()}))
"""
)

_KILLED = (
    _BEGIN
    + """
from plusone.recording import recorder as recording
recorder._interval_s = recording._BUSY_S = 0.002
say = sys.stdout
print(run_id, flush=True)
for step in range(10**9):
    log(step=step, loss=step)
    say.write(f"{step}\\n")
    say.flush()
"""
)


def _command(program: str, folder: Path, run: str, count: int) -> list[str]:
    return [sys.executable, "-c", program, str(folder), run, str(count)]


def _ask(program: str, folder: Path, count: int, run: str = "new") -> dict[str, Any]:
    done = subprocess.run(_command(program, folder, run, count), check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def calls(scratch: Path) -> dict[str, Any]:
    """The time of one `plusone.log` of one scalar, as the loop sees it, and of 100,000 until they are in the store."""
    each = [{"machine_s": calibrate(), **_ask(_CALLS, scratch / "calls", CALLS)} for _ in range(ROUNDS)]
    durable = [_ask(_DURABLE, scratch / "calls", DURABLE)["seconds"] for _ in range(ROUNDS)]
    shutil.rmtree(scratch / "calls")
    found = {name: statistics.median(one[name] for one in each) for name in each[0]}
    return {
        **found,
        "calls": CALLS,
        "rounds": each,
        "durable_s": statistics.median(durable),
        "durable_rounds_s": durable,
    }


def sustained(scratch: Path) -> dict[str, Any]:
    """10 million points in one go: their rate until they are in the store, memory meanwhile, and reading them."""
    folder = scratch / "sustained"
    found = _ask(_SUSTAINED, folder, SUSTAINED)
    found["points"] = SUSTAINED
    found["reading"] = _ask(_READ, folder, SUSTAINED, found["run"])
    shutil.rmtree(folder)
    return found


def together(scratch: Path) -> dict[str, Any]:
    """8 processes that log into one store at once: their rate together, and what of it is there afterwards."""
    folder = scratch / "together"
    processes = [
        subprocess.Popen(
            _command(_ONE_OF_MANY, folder, "new", EACH), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    failed = [process.returncode for process in processes if process.returncode]
    took = max(one["ended"] for one in told) - min(one["began"] for one in told)
    lost = PROCESSES * EACH - sum(_count(folder, one["run"]) for one in told)
    shutil.rmtree(folder)
    return {"processes": PROCESSES, "points": PROCESSES * EACH, "seconds": took, "failed": failed, "lost": lost,
            "points_per_s": PROCESSES * EACH / took}  # fmt: skip


def killed(scratch: Path, kills: int = KILLS) -> dict[str, Any]:
    """`kill -9` of a process that logs, at random moments: how many points it acknowledged are gone, or there twice."""
    from plusone.recording.recorder import recover_points
    from plusone.recording.series import read_series
    from plusone.store import open_store

    chance = random.Random(time.time_ns())
    acknowledged = lost = double = 0
    folder = scratch / "killed"
    store = open_store(folder)
    for _ in range(kills):
        process = subprocess.Popen(_command(_KILLED, folder, "new", 0), stdout=subprocess.PIPE)
        assert process.stdout is not None
        run_id = process.stdout.readline().decode().strip()
        deadline = time.monotonic() + chance.random() * 0.25
        last = -1
        while time.monotonic() < deadline:
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split(b"\n")[:-1]
        process.communicate()
        last = int(rest[-1]) if rest else last
        recover_points(store)
        steps = read_series(store, run_id, "loss").steps.tolist()
        acknowledged += last + 1
        lost += len(set(range(last + 1)) - set(steps))
        double += len(steps) - len(set(steps))
    store.close()
    shutil.rmtree(folder)
    return {"kills": kills, "acknowledged": acknowledged, "lost": lost, "twice": double}


def _count(folder: Path, run_id: str) -> int:
    from plusone.recording.series import read_series
    from plusone.store import open_store

    store = open_store(folder)
    steps = read_series(store, run_id, "loss").steps
    store.close()
    return len(set(steps.tolist()))


def measure_points(scratch: Path) -> dict[str, Any]:
    """Measure all of it, and print it beside the bars."""
    found: dict[str, Any] = {"cores": os.cpu_count(), "calls": calls(scratch)}
    one = found["calls"]
    print(
        f"plusone.log of one scalar: median {one['median_us']:.2f} us (bar: 2), p99 {one['p99_us']:.1f} us (bar: 20), "
        f"p99.9 {one['p999_us']:.0f} us; {one['clock_us']:.2f} us of it are the clock"
    )
    print(f"{DURABLE:,} points until they are in the store: {one['durable_s']:.2f} s (bar: 1)")
    many = found["sustained"] = sustained(scratch)
    memory = [size / 2**20 for size in many["resident_bytes"]]
    print(
        f"{SUSTAINED:,} points: {many['points_per_s']:,.0f}/s until they are in the store (bar: 300,000), "
        f"{many['points_per_s_of_the_loop']:,.0f}/s in the loop; "
        f"resident memory {memory[1]:.0f} MiB at a twentieth, {max(memory):.0f} at most, {memory[-1]:.0f} at the end; "
        f"{many['store_bytes'] / SUSTAINED:.1f} bytes of store a point"
    )
    read = many["reading"]
    print(
        f"a plot of them: {read['plot_s'] * 1000:.0f} ms (bar: 150), the first {read['first_plot_s'] * 1000:.0f} ms, "
        f"of a hundredth of the steps {read['narrow_plot_s'] * 1000:.0f} ms; reading all {read['read_all_s']:.2f} s"
    )
    eight = found["together"] = together(scratch)
    print(
        f"{PROCESSES} processes at once: {eight['points_per_s']:,.0f} points/s together (bar: 500,000), "
        f"lost {eight['lost']}, failed processes {len(eight['failed'])}"
    )
    dead = found["killed"] = killed(scratch)
    print(
        f"{dead['kills']} kills: of {dead['acknowledged']:,} acknowledged points {dead['lost']} lost (bar: 0), "
        f"{dead['twice']} twice"
    )
    return found
