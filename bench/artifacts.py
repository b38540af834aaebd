"""A file of 1 GB: logged, beside `cp` and `sha256sum` of the same file, and logged again."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROUNDS = 3
SIZE_BYTES = 1 << 30
_PIECE_BYTES = 1 << 24

# Logged twice in one fresh process, as a script would; the second time there is nothing to store.
PROGRAM = """
import json, sys, time, resource
from pathlib import Path
from plusone.store import open_store
from plusone.tracking import artifacts
store = open_store(Path(sys.argv[1]))
source = Path(sys.argv[2])
def size():
    return sum(file.stat().st_size for file in store.blobs.folder.rglob("*") if file.is_file())
took, sizes = [], []
for name in ("one", "again"):
    began = time.perf_counter()
    artifacts.log_file(store, "run", name, source)
    took.append(time.perf_counter() - began)
    sizes.append(size())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"first_s": took[0], "again_s": took[1], "new_bytes": sizes[1] - sizes[0], "peak_kib": peak}))
"""


def measure(scratch: Path) -> dict[str, Any]:
    """Return seconds of `cp` plus `sha256sum` and of logging the file, in turn, and of logging it again."""
    source = scratch / "big"
    with source.open("wb") as stream:
        for _ in range(SIZE_BYTES // _PIECE_BYTES):
            stream.write(os.urandom(_PIECE_BYTES))
    os.sync()
    rounds: list[dict[str, float]] = []
    for number in range(ROUNDS):
        plain = _copy_and_hash(source, scratch / "copy")
        folder = scratch / f"store-{number}"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder), str(source)], check=True, capture_output=True, text=True
        )
        rounds.append({"plain_s": plain, **json.loads(done.stdout)})
        shutil.rmtree(folder)
        os.sync()
    return {
        "size_bytes": SIZE_BYTES,
        "rounds": rounds,
        "speed": statistics.median(one["plain_s"] / one["first_s"] for one in rounds),
        "again": statistics.median(one["again_s"] / one["first_s"] for one in rounds),
        "new_bytes": max(one["new_bytes"] for one in rounds),
        "peak_mib": max(one["peak_kib"] for one in rounds) / 1024,
    }


def _copy_and_hash(source: Path, copy: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["cp", str(source), str(copy)], check=True)
    subprocess.run(["sha256sum", str(source)], check=True, capture_output=True)
    took = time.perf_counter() - began
    copy.unlink()
    os.sync()
    return took
