"""`python -m bench`: measures, prints a table, and writes bench/results/<time>.json."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from . import command

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
console = Console()


PEERS = {
    # The packages of each peer. Those that use what plusone uses too are held to the same versions of it.
    "fastapi": (["fastapi", "uvicorn[standard]", "scikit-learn", "pandas"], True),
    "mlflow": (["mlflow"], False),
    "mlserver": (["mlserver", "scikit-learn", "pandas"], False),
    "bentoml": (["bentoml", "scikit-learn", "pandas"], False),
    "litserve": (["litserve", "scikit-learn", "pandas"], False),
    "ceilings": (["onnxruntime", "numpy", "msgspec", "uvloop", "granian", "fastwsgi", "socketify"], True),
    "evidently": (["evidently", "pandas"], False),
    "nannyml": (["nannyml", "pandas", "statsmodels"], False),  # which it imports and does not ask for
    "trackio": (["trackio"], False),
    "tensorboardX": (["tensorboardX"], False),
}


def peer(name: str) -> Path:
    """The Python of a peer's virtual environment, made when it is missing or its constraints changed."""
    packages, shared = PEERS[name]
    folder = ROOT / ".bench" / name
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    pins = [HERE / "peers" / f"{name}.txt", *([ROOT / "constraints.txt"] if shared else [])]
    wanted = "".join(file.read_text("utf-8") for file in pins)
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    console.print(f"installing the peer: {', '.join(packages)}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    constraints = [text for file in pins for text in ("-c", str(file))]
    subprocess.run([*install, *constraints, *packages], check=True)
    stamp.write_text(wanted, "utf-8")
    return python


def serving(scratch: Path) -> dict[str, Any]:
    """Measure plusone, its peers and bare programs under load, and print the comparison."""
    from . import serving as servers  # here: what the other measurements need is far less than this loads
    from . import serving_report

    pythons = {name: peer(name) for name in ("fastapi", "mlserver", "mlflow", "bentoml", "litserve", "ceilings")}
    result = servers.measure(scratch, pythons)
    wide = Console(width=max(console.width, 130))  # whatever a pipe says of its width: narrower columns say nothing
    for table in serving_report.tables(result):
        wide.print(table)
    for line in serving_report.lines(result):
        console.print(line, soft_wrap=True)
    return result


def rows(scratch: Path) -> dict[str, Any]:
    """Measure requests of 32 rows in every form beside ONNX Runtime alone, without peers, and print their shares."""
    from . import serving as servers
    from . import serving_batches

    result = serving_batches.measure_all(scratch, servers.prepare)
    for one in result["batches"]:
        for line in serving_batches.lines(one["model"], [one]):
            console.print(line, soft_wrap=True)
    return result


def beside(scratch: Path) -> dict[str, Any]:
    """Measure small requests beside a body of 50 MB, and print what they waited."""
    from . import serving_beside

    result = serving_beside.measure(scratch, {"fastapi": peer("fastapi")})
    for line in serving_beside.lines(result):
        console.print(line, soft_wrap=True)
    return result


def worker(scratch: Path) -> dict[str, Any]:
    """Measure memory and start of a serving worker, and print them."""
    from . import serving_worker

    result = serving_worker.measure(scratch)
    for line in serving_worker.lines(result):
        console.print(line, soft_wrap=True)
    return result


def overload(scratch: Path) -> dict[str, Any]:
    """Measure a model that is asked for more than it can do, and print it."""
    from . import serving_overload

    result = serving_overload.measure(scratch)
    for line in serving_overload.lines(result):
        console.print(line, soft_wrap=True)
    return result


def native(scratch: Path) -> dict[str, Any]:
    """Measure what a process of its own costs a model, and print it."""
    from . import native

    result = native.measure(scratch)
    for line in native.lines(result):
        console.print(line, soft_wrap=True)
    return result


def swaps(scratch: Path) -> dict[str, Any]:
    """Measure what requests notice of swaps, canary steps and rollbacks, and print it."""
    from . import swaps

    result = swaps.measure(scratch)
    for line in swaps.lines(result):
        console.print(line, soft_wrap=True)
    return result


def chaos(scratch: Path) -> dict[str, Any]:
    """Begin rollouts while every process is killed at random, and print what became of them."""
    from . import chaos

    result = chaos.measure(scratch)
    console.print(chaos.line(result), soft_wrap=True)
    return result


def labels(scratch: Path) -> dict[str, Any]:
    """Measure what labels lose when their worker is killed, and what the log of predictions costs; print it."""
    from . import labels

    result = labels.measure(scratch)
    console.print(labels.table(result), soft_wrap=True)
    return result


def starting(scratch: Path) -> dict[str, Any]:
    """Measure how the command starts, and print it."""
    found = command.help_ratio()
    modules = command.modules_at_import()
    console.print(
        f"plusone --help: {found['ratio']:.1f} times python -c pass "
        f"({found['help_s'] * 1000:.0f} ms to {found['python_s'] * 1000:.0f} ms; {found['pairs']} pairs; bar: 8)"
    )
    console.print(f"import plusone: {modules} modules loaded (bar: under 150)")
    return {"help": found, "modules": modules}


def releasing(scratch: Path) -> dict[str, Any]:
    """Measure a release in a new project, and print it."""
    found = command.nothing_changed(scratch)
    console.print(
        f"plusone release: {found['first_s']:.1f} s the first time in a new project, "
        f"{found['nothing_changed_s']:.2f} s with nothing changed (bar: 2 s)"
    )
    return found


def searching(scratch: Path) -> dict[str, Any]:
    """Measure searches of runs, and print them."""
    from . import search

    result = search.measure_search(scratch)
    console.print(search.table(result))
    return result


def tracking(scratch: Path) -> dict[str, Any]:
    """Measure logging, ours and that of three other trackers, and print it."""
    from . import trackers, tracking

    result = tracking.measure_points(scratch)
    result["peers"] = trackers.measure(scratch, {name: peer(name) for name in trackers.COUNTS})
    console.print(trackers.table(result))
    return result


def mlflow(scratch: Path) -> dict[str, Any]:
    """Measure MLflow's client against its own server and ours."""
    from . import mlflow

    return mlflow.measure_mlflow(scratch, peer("mlflow"))


def artifacts(scratch: Path) -> dict[str, Any]:
    """Measure a file of 1 GB, and print it."""
    from . import artifacts

    result = artifacts.measure(scratch)
    console.print(
        f"a file of 1 GB: logged {result['speed']:.2f} times as fast as cp and sha256sum together (bar: 0.5), with "
        f"{result['peak_mib']:.0f} MiB of memory; logged again in {result['again']:.4f} of the time (bar: 0.1), "
        f"{result['new_bytes']} new bytes (bar: 0)"
    )
    return result


def behaviour(scratch: Path) -> dict[str, Any]:
    """Simulate texts that pass now and then, and print how often their checks are wrong."""
    from . import behaviour as behaving

    result = behaving.measure()
    console.print(behaving.table(result))
    for line in behaving.lines(result):
        console.print(line, soft_wrap=True)
    return result


def judge(scratch: Path) -> dict[str, Any]:
    """Simulate rollouts and their judge, and print how often it is wrong and how soon it is right."""
    from . import judge

    result = judge.measure()
    wide = Console(width=max(console.width, 130))
    wide.print(judge.alarms(result))
    wide.print(judge.powers(result))
    for line in judge.lines(result):
        console.print(line, soft_wrap=True)
    return result


def checks(scratch: Path) -> dict[str, Any]:
    """Simulate the checks of models, and print how often they are wrong and whether the rows they name are enough."""
    from . import checks

    result = checks.measure()
    Console(width=max(console.width, 110)).print(checks.table(result))
    return result


def drift(scratch: Path) -> dict[str, Any]:
    """Look for shifts beside Evidently and NannyML, and print what each finds, takes, and finds where nothing is."""
    from . import drift

    result = drift.measure({name: partial(peer, name) for name in drift.PEERS})
    for table in drift.tables(result):
        Console(width=max(console.width, 110)).print(table)
    return result


def formats(scratch: Path) -> dict[str, Any]:
    """Measure each kind of model compiled and native, and print the speed-ups with the largest differences."""
    from . import formats

    result = formats.measure(scratch)
    Console(width=max(console.width, 130)).print(formats.table(result))
    return result


def replay(scratch: Path) -> dict[str, Any]:
    """Measure a replay of 10,000 requests beside the bare calls of both predictors, and print it."""
    from . import replay

    result = replay.measure(scratch)
    console.print(replay.table(result))
    return result


def faults(scratch: Path, *, only: Sequence[str] = (), fast: bool = False, docs: bool = False) -> dict[str, Any]:
    """Put seeded faults into release n+1 of the demo's project, and print which of them were caught."""
    from .faults import reporting, running

    result = running.measure(scratch, only=only, fast=fast, say=lambda text: console.print(text, soft_wrap=True))
    Console(width=max(console.width, 130)).print(reporting.table(result))
    for line in reporting.lines(result):
        console.print(line, soft_wrap=True)
    if docs and not only and not fast:
        reporting.write_page(result)
    return result


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "starting": starting,
    "releasing": releasing,
    "serving": serving,
    "rows": rows,
    "beside": beside,
    "worker": worker,
    "overload": overload,
    "native": native,
    "swaps": swaps,
    "chaos": chaos,
    "labels": labels,
    "formats": formats,
    "faults": faults,
    "judge": judge,
    "replay": replay,
    "checks": checks,
    "drift": drift,
    "behaviour": behaviour,
    "tracking": tracking,
    "mlflow": mlflow,
    "searching": searching,
    "artifacts": artifacts,
}
LONG = {"chaos", "checks", "drift", "faults"}
"""What takes ten minutes or more, and is measured when it is asked for."""


def main() -> int:
    """Run the parts that were asked for; 1 when one of them could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all but {', '.join(LONG)})"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="KIND", help="of the faults, these alone")
    parser.add_argument("--fast", action="store_true", help="of the faults, the large ones alone")
    parser.add_argument("--docs", action="store_true", help="write what came of all faults into docs/tasks/faults.md")
    given = parser.parse_args()
    asked = given.parts or [part for part in PARTS if part not in LONG]
    if unknown := set(asked) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    parts = {**PARTS, "faults": partial(faults, only=given.only, fast=given.fast, docs=given.docs)}
    began = time.perf_counter()
    at = dt.datetime.now(dt.UTC)
    result: dict[str, Any] = {
        "at": at.isoformat(),
        "python": platform.python_version(),
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
    }
    broken = False
    for part in asked:
        with tempfile.TemporaryDirectory(prefix="plusone-bench-") as folder:
            try:
                result[part] = parts[part](Path(folder))
            except Exception as error:
                broken = True
                traceback.print_exc()
                said = getattr(error, "stderr", None)
                console.print(f"[red]{part} could not be measured[/red] {said or ''}")
    file = HERE / "results" / f"{at:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1), "utf-8")
    console.print(f"{time.perf_counter() - began:.0f} s; all numbers: {file.relative_to(ROOT)}")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
