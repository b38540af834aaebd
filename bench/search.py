"""Searching a store of 50,000 runs with 10 settings and 10 metrics each: how long a page of 100 takes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from plusone.base.clock import now
from plusone.search.search import search_runs
from plusone.store import Store, open_store

from . import machine

RUNS = 50_000
EXPERIMENTS = 20
ROUNDS = 15
COUNT = 100
BAR_MS = 50.0
BEGIN = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)

# What is asked: a name, and what `search_runs` takes. `page` says on which page the clock runs.
QUESTIONS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("the newest runs", {}, 1),
    ("the newest runs, page 100", {}, 100),
    ("the newest runs, last page", {}, -1),
    ("of a large experiment", {"experiments": ["e0"]}, 1),
    ("of a rare experiment", {"experiments": ["rare"]}, 1),
    ("deleted ones", {"view": "deleted"}, 1),
    ("a metric that half fulfil", {"filter": "metrics.auc > 0.5"}, 1),
    ("a metric that few fulfil", {"filter": "metrics.auc > 0.9999"}, 1),
    ("a metric that none fulfils", {"filter": "metrics.auc > 2"}, 1),
    ("a setting that a tenth fulfils", {"filter": "params.depth = '3'"}, 1),
    ("a setting that one run has", {"filter": "params.note = '{note}'"}, 1),
    ("LIKE '%x%' that few fulfil", {"filter": "params.note LIKE '%{part}%'"}, 1),
    ("LIKE '%x%' that none fulfils", {"filter": "params.note LIKE '%#%'"}, 1),
    ("ILIKE on two settings, none", {"filter": "params.note ILIKE '%a%' and params.other ILIKE '%zzzz%'"}, 1),
    ("!= that nearly all fulfil", {"filter": "params.depth != '3'"}, 1),
    ("!= that few fulfil", {"filter": "params.fixed != 'same'"}, 1),
    ("NOT IN that few fulfil", {"filter": "params.depth NOT IN ('0','1','2','3','4','5','6','7','8')"}, 1),
    ("two halves that never meet", {"filter": "metrics.auc > 0.5 and metrics.loss > 0.5"}, 1),
    (
        "three that never meet",
        {"filter": "metrics.third < 2 and metrics.third > 0.4 and metrics.auc > 0.5 and metrics.loss > 0.5"},
        1,
    ),
    ("three that seldom meet", {"filter": "metrics.auc > 0.9 and params.depth = '3' and tags.owner LIKE 'a%'"}, 1),
    ("a half that only old runs fulfil", {"filter": "metrics.trend < 0.5"}, 1),
    ("two halves, old runs alone", {"filter": "metrics.trend < 0.5 and metrics.auc > 0.5"}, 1),
    ("a tag that few have", {"filter": "tags.seldom IS NOT NULL"}, 1),
    ("a setting that few lack", {"filter": "params.usual IS NULL"}, 1),
    ("name and status", {"filter": "run_name LIKE '%77%' and status = 'FAILED'"}, 1),
    ("one run by id", {"filter": "run_id = '{run_id}'"}, 1),
    ("began before, oldest tenth", {"filter": "start_time < {early}"}, 1),
    ("by a metric, falling", {"order_by": ["metrics.auc DESC"]}, 1),
    ("by a metric, rising", {"order_by": ["metrics.auc ASC"]}, 1),
    ("by a metric, page 200", {"order_by": ["metrics.auc DESC"]}, 200),
    ("by a metric that 1 of 100 has, falling", {"order_by": ["metrics.seldom DESC"]}, 1),
    ("by a metric that 1 of 100 has, page 6", {"order_by": ["metrics.seldom DESC"]}, 6),
    ("by a metric that 1 of 100 has, page 100", {"order_by": ["metrics.seldom"]}, 100),
    ("by a metric with five values, rising", {"order_by": ["metrics.few"]}, 1),
    ("by a metric with five values, page 100", {"order_by": ["metrics.few"]}, 100),
    ("by a metric, a rare experiment", {"order_by": ["metrics.auc DESC"], "experiments": ["rare"]}, 1),
    ("by a metric, a large experiment", {"order_by": ["metrics.auc DESC"], "experiments": ["e0"]}, 1),
    (
        "by a metric, two halves that never meet",
        {"filter": "metrics.auc > 0.5 and metrics.loss > 0.5", "order_by": ["metrics.few"]},
        1,
    ),
    ("by a metric, a tenth", {"filter": "params.depth = '3'", "order_by": ["metrics.loss"]}, 1),
    ("by a setting, rising", {"order_by": ["params.note"]}, 1),
    ("by a setting with ten values, page 50", {"order_by": ["params.depth DESC"]}, 50),
    ("by a setting that all share, page 50", {"order_by": ["params.fixed"]}, 50),
    ("by a setting and a metric", {"order_by": ["params.depth", "metrics.auc DESC"]}, 1),
    ("by a setting that all share and a metric", {"order_by": ["params.fixed", "metrics.auc DESC"]}, 1),
    ("by name, filtered", {"filter": "metrics.auc > 0.5", "order_by": ["run_name"]}, 1),
    ("by end, oldest first", {"order_by": ["end_time ASC"]}, 1),
)


def fill(store: Store, runs: int = RUNS) -> dict[str, str]:
    """Write `runs` runs at once; return what some of the questions ask for."""
    random_ = random.Random(20_250_101)
    tables = _rows(random_, runs)
    note = next(value for key, _, value, _ in tables["run_setting"] if key == "note")
    said = {
        "note": note,
        "part": note[2:6],
        "run_id": tables["run"][runs // 2][0],
        "early": str(int(BEGIN.timestamp() * 1000) + runs * 6_000),
    }
    path = store.folder / "plusone.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany("INSERT INTO experiment VALUES (?, ?, 'active', '{}', ?, ?)", tables["experiment"])
        connection.executemany(
            "INSERT INTO run (id, name, status, started_at, finished_at, settings, code, experiment, source, by, tags,"
            " metrics, deleted_at, number) VALUES (?, ?, ?, ?, ?, ?, '{}', ?, 'script', ?, ?, ?, ?, ?)",
            tables["run"],
        )
        # In the order of their keys: what comes in order makes full pages, as years of use do not.
        random_.shuffle(tables["run_setting"])
        for name in ("run_setting", "run_tag"):
            connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, '', ?)", tables[name])  # noqa: S608 - ours
        random_.shuffle(tables["run_metric"])
        connection.executemany("INSERT INTO run_metric VALUES (?, ?, ?, ?)", tables["run_metric"])
    return said


def _rows(random_: random.Random, runs: int) -> dict[str, list[Any]]:
    made = now()
    ids = ["0", *(f"e{place}" for place in range(EXPERIMENTS - 2)), "rare"]
    tables: dict[str, list[Any]] = {name: [] for name in ("run", "run_setting", "run_tag", "run_metric")}
    tables["experiment"] = [(one, f"experiment {one}", made, made) for one in ids[1:]]
    for number in range(1, runs + 1):
        began = BEGIN + dt.timedelta(minutes=number)
        at = began.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        settings = _settings(random_, number)
        tags = {"owner": random_.choice(("ann", "bob", "eve")), "mlflow.runName": f"run-{number}"}
        if number % 200 == 0:
            tags["seldom"] = "yes"
        metrics = _metrics(random_, number / runs, number)
        experiment = "rare" if number % 500 == 0 else random_.choice(ids[1:4] * 5 + ids[:-1])
        latest = {key: {"at": began.timestamp(), "step": 99, "value": value} for key, value in metrics.items()}
        ended = (began + dt.timedelta(seconds=random_.randrange(1, 90))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        texts = json.dumps(settings), experiment, random_.choice(("ann", "bob")), json.dumps(tags), json.dumps(latest)
        status = random_.choice(("done", "done", "done", "failed", "interrupted"))
        deleted = at if number % 50 == 7 else None
        run_id = f"{random_.randrange(16**20):020x}{number:06d}"
        tables["run"].append((run_id, f"run-{number}", status, at, ended, *texts, deleted, number))
        tables["run_setting"] += [(key, number, value, at) for key, value in settings.items()]
        tables["run_tag"] += [(key, number, value, at) for key, value in tags.items()]
        tables["run_metric"] += [(key, number, value, at) for key, value in metrics.items()]
    return tables


def _settings(random_: random.Random, number: int) -> dict[str, str]:
    settings = {f"training_option_{place}": str(random_.random()) for place in range(5)}
    settings["note"] = f"{random_.randrange(16**12):012x}"
    settings["other"] = f"text {random_.randrange(10**6)} of a run"
    settings["depth"] = str(random_.randrange(10))
    settings["fixed"] = "other" if number % 1000 == 3 else "same"
    if number % 1000 != 5:
        settings["usual"] = "here"
    return settings


def _metrics(random_: random.Random, age: float, number: int) -> dict[str, float]:
    auc = random_.random()
    metrics = {"auc": auc, "loss": 1.0 - auc, "third": (auc + 0.33) % 1.0, "trend": age}
    metrics["few"] = float(random_.randrange(5))
    metrics |= {f"validation_metric_{place}": random_.gauss(0, 1) for place in range(4)}
    if number % 100 == 0:
        metrics["seldom"] = random_.random()
    else:
        metrics["validation_metric_9"] = random_.random()
    return metrics


@contextlib.contextmanager
def filled(scratch: Path) -> Iterator[tuple[Store, dict[str, str]]]:
    """A store of 50,000 runs, and what some of the questions ask for."""
    store = open_store(scratch / "search")
    try:
        yield store, fill(store)
    finally:
        store.close()


def measure_search(scratch: Path) -> dict[str, Any]:
    """Ask every question many times; milliseconds, with the runs read and decoded."""
    began = time.perf_counter()
    with filled(scratch) as (store, said):
        size = (store.folder / "plusone.db").stat().st_size
        result: dict[str, Any] = {
            "fill_s": time.perf_counter() - began,
            "size_bytes": size,
            "runs": RUNS,
            "bar_ms": BAR_MS,
        }
        result["calibration_s"] = machine.calibrate()
        lines = [_line(store, name, _said(asked, said), page) for name, asked, page in QUESTIONS]
    # A second opening: nothing is in this process's memory, everything is in the system's.
    store = open_store(scratch / "search", create=False)
    try:
        for line, (_, asked, _) in zip(lines, QUESTIONS, strict=True):
            store.close()
            store = open_store(scratch / "search", create=False)
            line["first_ms"] = _timed(
                lambda asked=asked, store=store: search_runs(store, count=COUNT, **_said(asked, said))
            )
    finally:
        store.close()
    result["lines"] = lines
    result["worst_median_ms"] = max(line["median_ms"] for line in lines)
    return result


def _said(asked: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    return {**asked, "filter": asked["filter"].format(**said)} if "filter" in asked else asked


def _line(store: Store, name: str, asked: dict[str, Any], page: int) -> dict[str, Any]:
    token: str | None = None
    turned = 1
    while turned != page:
        # Large steps to a page far behind; the last of them is a page as people turn it.
        left = page - turned if page > 0 else 10**9
        step = search_runs(store, count=min(left * COUNT, 10_000), page=token, **asked)
        if step.next_page is None:
            break
        token = step.next_page
        turned += min(left, 100)
    found = search_runs(store, count=COUNT, page=token, **asked)
    times = [_timed(lambda: search_runs(store, count=COUNT, page=token, **asked)) for _ in range(ROUNDS)]
    return {"question": name, "found": len(found.runs), "median_ms": statistics.median(times), "worst_ms": max(times)}


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def table(result: dict[str, Any]) -> Table:
    """The measured questions as a table, the slowest first."""
    slowest = result["worst_median_ms"]
    found = Table(
        title=f"a page of {COUNT} runs out of {result['runs']:,}, milliseconds",
        caption=f"{ROUNDS} rounds each; first: a store just opened; the slowest median is {slowest:.0f} ms "
        f"(bar: {BAR_MS:.0f}); the store has {result['size_bytes'] / 1e6:.0f} MB",
    )
    found.add_column("question")
    for heading in ("found", "median", "worst", "first"):
        found.add_column(heading, justify="right")
    for line in sorted(result["lines"], key=lambda line: -line["median_ms"]):
        times = (f"{line[key]:.1f}" for key in ("median_ms", "worst_ms", "first_ms"))
        found.add_row(line["question"], str(line["found"]), *times)
    return found
