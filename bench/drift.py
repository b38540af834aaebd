"""The time and the error rate of the data checks: `python -m bench.drift`.

Time, of the processor: a profile and every data check of 100,000 rows and 50 columns (half numbers, the others text,
truths and times) against as many rows of before, the middle of several; beside it what pandas takes to describe it, and
Evidently to compare the two, where it is installed (`python -m bench.drift --evidently PYTHON`).

Error rate: tables drawn again and again from one distribution. An alarm is any column of a table whose interval lies
above 0, which is far stricter than a bound.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.data.views import TableView
from plusone.expectations.comparing import COMPARISONS, pair_of
from plusone.expectations.leaks import leakage
from plusone.expectations.schema import constant
from plusone.expectations.shifts import shifts
from plusone.profiles.describing import describe

ROWS, COLUMNS = 100_000, 50
ALPHA = 0.01
RUNS = 1000
WORDS = np.array(["".join(chr(97 + (n // 26**place) % 26) for place in range(3)) for n in range(300)])
BOUND_S = 3.0

_EVIDENTLY = """
import sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from evidently import Dataset, DataDefinition, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset
now, before = (pd.read_parquet(name) for name in sys.argv[1:3])
began = time.process_time()
report = Report([DataDriftPreset(), DataSummaryPreset()])
report.run(Dataset.from_pandas(now, DataDefinition()), Dataset.from_pandas(before, DataDefinition()))
print(time.process_time() - began)
"""


def table(rows: int, seed: int, *, first: int = 0) -> pa.Table:
    """50 columns: 25 numbers, 15 of text, 6 truths, 4 times; a tenth of the numbers has nulls."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    days = np.sort(rng.integers(first, first + 90, rows))
    for place in range(4):
        columns[f"time_{place}"] = np.datetime64("2024-01-01", "us") + (days * 24 + place).astype("timedelta64[h]")
    for place in range(25):
        values = rng.normal(size=rows) if place % 3 else rng.integers(0, 5000, rows)
        columns[f"number_{place}"] = np.where(rng.random(rows) < 0.01, np.nan, values) if place % 10 == 1 else values
    for place in range(15):
        columns[f"text_{place}"] = WORDS[np.minimum(rng.geometric(0.02, rows), 299)]
    for place in range(6):
        columns[f"truth_{place}"] = rng.random(rows) < 0.3
    return pa.table(columns)


def all_checks(now: pa.Table, before: pa.Table) -> None:
    """Profile a table and check it, from Arrow to findings: nothing is kept from one run to the next."""
    learning = Learning(targets=("truth_0",))
    pair = pair_of(now, before, learning=learning)
    describe(pair.now)
    for find in COMPARISONS.values():
        list(find(pair))
    list(leakage(pair.now, pair.before, learning, pair.bounds))
    list(constant(pair.now, pair.before, list(pair.now.columns)))


def middle(function: Callable[[], object], times: int) -> float:
    """The middle of the seconds of the processor that some calls take: they use one core, and others may use it too."""
    taken: list[float] = []
    for _ in range(times):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def measure(times: int, evidently: str | None) -> dict[str, float]:
    """The seconds of each, the middle of `times`, in turns on the same tables."""
    now, before = table(ROWS, 1, first=30), table(ROWS, 2)
    frame = now.to_pandas()
    found = {
        "plusone: profile": middle(lambda: describe(TableView(now)), times),
        "plusone: profile and data checks": middle(lambda: all_checks(now, before), times),
        "pandas: describe": middle(lambda: frame.describe(include="all"), times),
    }
    if evidently is not None:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("now.parquet", "before.parquet")]
            for file, one in zip(files, (now, before), strict=True):
                pq.write_table(one, file)
            taken: list[float] = []
            for _ in range(min(times, 3)):
                out = subprocess.run(
                    [evidently, "-c", _EVIDENTLY, *map(str, files)], capture_output=True, text=True, check=True
                )
                taken.append(float(out.stdout.split()[-1]))
            found["evidently: drift and summary"] = statistics.median(taken)
    return found


def error_rate(runs: int, rows: int, columns: int) -> float:
    """The share of runs in which a table of one distribution has a column whose interval lies above 0."""
    alarms = 0
    for run in range(runs):
        rng = np.random.default_rng([7, run])
        now, before = (
            pa.table(
                {f"n{place}": rng.normal(size=rows) for place in range(columns // 2)}
                | {f"w{place}": rng.choice(WORDS[:12], rows) for place in range(columns - columns // 2)}
            )
            for _ in range(2)
        )
        found = shifts(pair_of(now, before, bounds=Checks(data_alpha=ALPHA)))
        alarms += any(one.effect.low > 0 for one in found)
    return alarms / runs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.drift", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--evidently", metavar="PYTHON", help="the interpreter of an environment that has Evidently")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    seconds = measure(given.times, given.evidently)
    rates = {f"{rows} rows": error_rate(given.runs, rows, 20) for rows in (200, 2000)}
    if given.json:
        print(json.dumps({"seconds": seconds, "false_alarms": rates, "stated": ALPHA}))
    else:
        print(f"{ROWS:,} rows, {COLUMNS} columns, the middle of {given.times}:")
        for name, value in seconds.items():
            print(f"  {name:34} {value:6.2f} s")
        print(f"false alarms over 20 columns, {given.runs:,} runs (stated: at most {ALPHA:.0%}):")
        for name, value in rates.items():
            print(f"  {name:34} {value:7.2%}")
    slow = seconds["plusone: profile and data checks"] > BOUND_S
    sys.exit(1 if slow or max(rates.values()) > ALPHA else 0)


if __name__ == "__main__":
    main()
