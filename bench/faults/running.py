"""Makes release n+1 with each fault in it, and notes what closed the gate."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from plusone.base.errors import PlusoneError

from . import preparing
from .catalogue import AFTER, BEFORE, FAULTS
from .changing import Fault, write
from .harmless import HARMLESS, Harmless

__all__ = ["measure"]

REQUESTS = 2000
FEWER_REQUESTS = 500
_CLOSES = ("failed", "inconclusive", "error")

Row = dict[str, Any]
"""What came of one: `by` are the tests that failed, `unsure` those that could not tell: both close the gate."""


def measure(
    scratch: Path,
    *,
    only: Sequence[str] = (),
    fast: bool = False,
    jobs: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Make the healthy release, then n+1 with every fault and with every harmless change; return a row for each.

    Args:
        only: kinds or names of faults, or of harmless changes; empty: all.
        fast: the large size alone, and four harmless changes.
        jobs: releases made at the same time; 0: one for each core.
    """
    jobs = jobs or os.cpu_count() or 1
    # As many threads as cores: releases beside each other would wait for each other's threads.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    faults = [fault for fault in FAULTS if _asked(fault, only) and not (fast and fault.size == "small")]
    harmless = [one for one in HARMLESS if not only or one.name in only]
    if fast and not only:
        harmless = [*harmless[:2], *harmless[-2:]]
    began = time.perf_counter()
    tables = scratch / "tables"
    preparing.write_tables(tables)
    healthy = _healthy(scratch, tables) if faults else None
    say(f"release n is live and has answered {REQUESTS} requests: {time.perf_counter() - began:.0f} s")
    total = len(faults) + len(harmless) + bool(faults)
    rows: list[Row] = []

    def note(row: Row) -> Row:
        rows.append(row)
        with (scratch / "rows.jsonl").open("a", encoding="utf-8") as kept:  # a run that is stopped has measured too
            kept.write(json.dumps(row) + "\n")
        found = "caught" if row["caught"] else "went live"
        by = ", ".join(row["by"] or row["unsure"]) or row["error"]
        say(f"{len(rows)} of {total}: {row['name']}: {found} in {row['seconds']:.0f} s {by[:150]}")
        return row

    with ThreadPoolExecutor(jobs) as pool:
        asked: list[Any] = []
        if healthy is not None:
            nothing = Fault("nothing", "small", "No fault: the same release n+1 as the faults are put into.")
            asked += [pool.submit(_noted, note, _one, scratch, healthy, fault) for fault in (nothing, *faults)]
        asked += [pool.submit(_noted, note, _harmless, scratch, tables, one) for one in harmless]
        found = [future.result() for future in asked]
    return {
        "faults": [row for row in found if row["size"] and row["kind"] != "nothing"],
        "harmless": [row for row in found if not row["size"] or row["kind"] == "nothing"],
        "seconds": time.perf_counter() - began,
        "jobs": jobs,
    }


def _noted(note: Callable[[Row], Row], make: Callable[..., Row], *given: Any) -> Row:
    return note(make(*given))


def _asked(fault: Fault, only: Sequence[str]) -> bool:
    return not only or fault.kind in only or fault.name in only


def _healthy(scratch: Path, tables: Path) -> Path:
    project = preparing.make_project(scratch / "healthy", tables)
    events: list[dict[str, Any]] = []
    made = preparing.release(project, {"until": BEFORE}, events)
    assert made.outcome == "live", [event for event in events if event["event"] in ("line", "check")]
    preparing.serve_some(project, AFTER, REQUESTS)
    # The steps of a healthy n+1 are made once: only what a fault changes is made again.
    preparing.release(project, {"until": AFTER}, events, until="split")
    return project


def _one(scratch: Path, healthy: Path, fault: Fault) -> Row:
    project = preparing.copy_project(healthy, scratch / fault.name)
    try:
        write(project, fault)
        row = _released(project, {"until": AFTER, **fault.settings})
    finally:
        shutil.rmtree(project, ignore_errors=True)
    return {"name": fault.name, "kind": fault.kind, "size": fault.size, "what": fault.what, **row}


def _harmless(scratch: Path, tables: Path, one: Harmless) -> Row:
    project = preparing.make_project(scratch / one.name, tables, one.edits)
    try:
        first = _released(project, {"until": one.before})
        if first["caught"]:
            row = {**first, "by": [f"release n: {name}" for name in first["by"]]}
        else:
            preparing.serve_some(project, one.after, FEWER_REQUESTS)
            row = _released(project, {"until": one.after})
    finally:
        shutil.rmtree(project, ignore_errors=True)
    return {"name": one.name, "kind": one.name, "size": "", "what": one.what, **row}


def _released(project: Path, settings: dict[str, Any]) -> Row:
    """Make a release and say what became of it; one that ends with an error never came to the gate, and is caught."""
    events: list[dict[str, Any]] = []
    began = time.perf_counter()
    error = ""
    try:
        made = preparing.release(project, settings, events)
        outcome, problems = made.outcome, made.problems
    except PlusoneError as refused:
        outcome, problems, error = "error", (), f"{type(refused).__name__}: {refused.message}"
    checks = [event["check"] for event in events if event["event"] == "check"]
    named = {name: [_short(check["test"]) for check in checks if check["outcome"] == name] for name in _CLOSES}
    allowed = [_short(check["test"]) for check in checks if check.get("allowed")]
    return {
        "outcome": outcome,
        "caught": outcome not in ("live", "rollout", "passed"),
        "by": [*named["failed"], *named["error"]],
        "unsure": [name for name in named["inconclusive"] if name not in allowed],
        "warned": [_short(check["test"]) for check in checks if _warnings(check)],
        "said": {_short(check["test"]): check.get("message", "") for check in checks if check["outcome"] in _CLOSES},
        "error": error or ("" if checks else "; ".join(problems)),
        "seconds": time.perf_counter() - began,
    }


def _warnings(check: dict[str, Any]) -> bool:
    return any("warning" in measured for measured in check.get("measured", ()))


def _short(test: str) -> str:
    """`plusone::columns[train_set]` of one of ours, and the name of the function of one of the project's."""
    return test if test.startswith("plusone::") else test.rpartition("::")[2]
