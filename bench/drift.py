"""What shifts are found, how long it takes and how many of them are none: `python -m bench drift`.

Beside Evidently and NannyML, each in an environment of its own, with its own defaults. `python -m bench.drift` measures
plusone alone.

Time, of the processor: a profile and every data check of 100,000 rows and 50 columns (half numbers, the others text,
truths and times) against as many rows of before; beside it what pandas takes to describe it. Seven columns are shifted,
by sizes that are known; what is called shifted of the others is a false alarm.

Error rate: tables drawn again and again from one distribution. An alarm is any column of a table that is called
shifted; of plusone any whose interval lies above 0, which is far stricter than a bound.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from plusone.base.config import Checks
from plusone.base.records import Learning
from plusone.data.views import TableView
from plusone.expectations.comparing import COMPARISONS, pair_of
from plusone.expectations.leaks import leakage
from plusone.expectations.schema import constant
from plusone.expectations.shifts import shifts
from plusone.profiles.describing import describe

from .drift_tables import COLUMNS, PLANTED, ROWS, alike, wide

PEERS = ("evidently", "nannyml")
ALPHA = 0.01
BOUND = 0.1
"""What `plusone.check.no_shift` takes for its bound."""
RUNS, PEER_RUNS, SIZES, WIDE = 1000, 20, (200, 2000), 20
TIMES, PEER_TIMES = 5, 1
BOUND_S = 3.0
_QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
"""Both report that they were used, over the network, unless they are told not to."""


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


def measure_own(times: int, runs: int) -> dict[str, Any]:
    """What plusone finds and takes, and what pandas takes to describe the same table."""
    now, before = pa.table(wide(ROWS, 1, first=30, planted=True)), pa.table(wide(ROWS, 2))
    frame = now.to_pandas()
    found = shifts(pair_of(now, before, bounds=Checks(data_alpha=ALPHA)))
    return {
        "seconds": {
            "plusone: shifts of columns": middle(lambda: shifts(pair_of(now, before)), times),
            "plusone: profile": middle(lambda: describe(TableView(now)), times),
            "plusone: profile and data checks": middle(lambda: all_checks(now, before), times),
            "pandas: describe": middle(lambda: frame.describe(include="all"), times),
        },
        "distances": {one.column: one.effect.value for one in found},
        "shifted": {
            "plusone, at all": [one.column for one in found if one.effect.low > 0],
            "plusone, no_shift": [one.column for one in found if one.effect.low > BOUND],
        },
        "false_alarms": {"plusone, at all": {str(rows): error_rate(runs, rows, WIDE) for rows in SIZES}},
        "runs": {"plusone, at all": runs},
    }


def error_rate(runs: int, rows: int, columns: int) -> float:
    """The share of runs in which a table of one distribution has a column whose interval lies above 0."""
    alarms = 0
    for run in range(runs):
        now, before = (pa.table(one) for one in alike(run, rows, columns))
        found = shifts(pair_of(now, before, bounds=Checks(data_alpha=ALPHA)))
        alarms += any(one.effect.low > 0 for one in found)
    return alarms / runs


def ask_peer(name: str, python: Path, times: int, runs: int) -> dict[str, Any]:
    """What a peer finds on the same tables."""
    out = subprocess.run(
        [str(python), "-m", f"bench.peer_{name}", *map(str, (times, runs, WIDE, *SIZES))],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(out.stdout.splitlines()[-1])


def measure(peers: Mapping[str, Callable[[], Path]], times: int = TIMES, runs: int = RUNS) -> dict[str, Any]:
    """Measure plusone, then each peer by what gives its interpreter; one that can't be run says why."""
    result = measure_own(times, runs)
    result["said"] = {}
    for name, python in peers.items():
        try:
            found = ask_peer(name, python(), min(times, PEER_TIMES), min(runs, PEER_RUNS))
        except (subprocess.CalledProcessError, OSError) as error:
            said = str(getattr(error, "stderr", None) or error).strip().splitlines()
            result["said"][name] = said[-1] if said else "nothing"
            continue
        result["seconds"] |= {f"{name}: {what}": statistics.median(all_) for what, all_ in found["seconds"].items()}
        result["shifted"][name] = found["shifted"]
        result["false_alarms"][name] = found["false_alarms"]
        result["runs"][name] = min(runs, PEER_RUNS)
    return result


def tables(result: dict[str, Any]) -> list[Table]:
    """Return the times, what each calls shifted, and the false alarms."""
    taken = Table(title=f"{ROWS:,} rows, {COLUMNS} columns against as many", caption=_said(result))
    for name in ("what", "seconds of the processor"):
        taken.add_column(name)
    for name, value in result["seconds"].items():
        bar = f" (bar: {BOUND_S:g})" if name == "plusone: profile and data checks" else ""
        taken.add_row(name, f"{value:.2f}{bar}")
    seen = Table(title="called shifted")
    for name in ("column", "what was done to it", "distance", *result["shifted"]):
        seen.add_column(name)
    for column, what in PLANTED.items():
        marks = ["yes" if column in found else "no" for found in result["shifted"].values()]
        seen.add_row(column, what, f"{result['distances'][column]:.3f}", *marks)
    others = [name for name in result["distances"] if name not in PLANTED]
    counts = [str(sum(name in found for name in others)) for found in result["shifted"].values()]
    seen.add_row(
        f"of {len(others)} others", "nothing", f"{max(result['distances'][one] for one in others):.3f}", *counts
    )
    false = Table(title=f"tables of one distribution, {WIDE} columns: runs with an alarm")
    for name in ("who", *(f"{rows} rows" for rows in SIZES), "runs", "stated"):
        false.add_column(name)
    for name, rates in result["false_alarms"].items():
        stated = f"at most {ALPHA:.0%}" if name.startswith("plusone") else "nothing for all columns together"
        false.add_row(name, *(f"{rates[str(rows)]:.1%}" for rows in SIZES), f"{result['runs'][name]:,}", stated)
    return [taken, seen, false]


def _said(result: dict[str, Any]) -> str:
    return "; ".join(f"{name} could not be measured: {said}" for name, said in result["said"].items())


def main() -> None:
    """Measure plusone alone and print it."""
    parser = argparse.ArgumentParser(prog="bench.drift", description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure({}, given.times, given.runs)
    if given.json:
        print(json.dumps(result))
    else:
        for one in tables(result):
            Console(width=110).print(one)
    slow = result["seconds"]["plusone: profile and data checks"] > BOUND_S
    alarms = max(result["false_alarms"]["plusone, at all"].values())
    sys.exit(1 if slow or alarms > ALPHA else 0)


if __name__ == "__main__":
    main()
