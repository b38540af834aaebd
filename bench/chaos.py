"""Rollouts while every process is killed at random moments: is the route always one that passed its gate, does each
rollout go on or is it taken back, is every answer right, and is every label kept?

It uses what the tests use: their `plusone up`, their steady load that knows what each release answers, and their way of
writing releases without training. So it is run from the repository, and not beside an installed plusone.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from plusone.app.app import App
from plusone.packaging import keeping, pack
from plusone.predictor import load
from plusone.release.gate import gate_problems
from tests.journeys.steady import BODIES, Labels, Steady
from tests.journeys.up import Up
from tests.release.invariants import check_invariants
from tests.release.written import Written

from .machine import free_port

ROLLOUTS = 200
PLAN = ["shadow 1s 3", "30% 1s 3", "70% 1s 3"]
WORKERS = 2
END_S = 120.0
MOST_WAIT_S = 4.0
_LOOK_S = 0.02
_TRIES = 10
_KINDS = ("worker", "control", "api", "worker and control")


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + END_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {END_S} s for: {what}")
        time.sleep(_LOOK_S)


class Project:
    """A project whose releases answer alike, but not the same."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.written = Written(root)
        self.answers: dict[int, list[Any]] = {}
        self._packages: list[tuple[str, list[Any]]] = []
        x = np.linspace(-1.0, 1.0, 200)
        table = pa.table({"x": x, "z": np.cos(7.0 * x), "y": x > 0.0})
        for number in (0, 1):
            folder = scratch / f"package{number}"
            model = LogisticRegression(C=1.0 + number / 1000).fit(np.column_stack([table["x"], table["z"]]), table["y"])
            pack(model, name="m", target="y", features=["x", "z"], train=table, environment="a==1\n", folder=folder)
            digest = keeping.keep(folder, self.written.store.blobs)
            predictor = load(folder, digest)
            found = [predictor.predictions(predictor.run(predictor.decode(body)))[0] for body in BODIES]
            self._packages.append((digest, found))

    def release(self, *, live: bool = False) -> int:
        """Add a release that passed."""
        digest, answers = self._packages[len(self.answers) % 2]
        self.answers[len(self.answers) + 1] = answers  # before anybody can be asked
        return self.written.release(package=digest, live=live).number

    def wrong_routes(self) -> int:
        """Count releases with a share in any version of the route whose checks do not open the gate."""
        with App(self.root) as app:
            self._check(app)
            shares = [
                share
                for route in app.list_routes(model="m")
                for share in (*route.shares, *([route.shadow] if route.shadow else []))
            ]
            return sum(bool(gate_problems(app.store.db, digest)) for digest in {share.digest for share in shares})

    def _check(self, app: App) -> None:
        """Look at the records as a whole. They are read one by one while others write: wrong is what stays so."""
        for left in reversed(range(_TRIES)):
            try:
                check_invariants(app.store)
            except (AssertionError, LookupError, ValueError):
                if not left:
                    raise
                time.sleep(_LOOK_S)
            else:
                return


class Stage:
    """The `plusone up` of the moment, and what was killed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ports = (free_port(), free_port())
        self.killed: Counter[str] = Counter()
        self.at: list[float] = []
        """When a worker was killed, or ended because the next generation took over."""
        self.up = self._start()

    def _start(self) -> Up:
        up = Up(self.root, workers=WORKERS, ports=self.ports)
        up.wait_for("ready", seconds=END_S)
        return up

    def kill(self, kind: str, dice: random.Random) -> None:
        """Kill with signal 9 what `kind` names, and go on with what is started in its place."""
        self.killed[kind] += 1
        if "worker" in kind:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(dice.choice(self._workers()), signal.SIGKILL)
            self.at.append(time.monotonic())
        if kind == "api" and (pid := self.up.process_of("plusone.gateway.server")):
            os.kill(pid, signal.SIGKILL)
        if "control" in kind:
            self.up.process.kill()
            self.up.process.wait()
            before, self.up = self.up, self._start()
            _until(lambda: not before.processes(), "the older workers end")
            self.at.append(time.monotonic())
            before.__exit__()

    def _workers(self) -> list[int]:
        found: list[int] = []
        for pid in self.up.processes():
            with contextlib.suppress(OSError):
                if b"plusone.serving.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found


def measure(scratch: Path, rollouts: int = ROLLOUTS) -> dict[str, Any]:
    """Begin that many rollouts, kill something in each, and look what became of it."""
    project = Project(scratch / "p", scratch)
    project.release(live=True)
    dice = random.Random(5)
    ends: Counter[str] = Counter()
    wrong_routes = 0
    began = time.monotonic()
    stage = Stage(project.root)
    try:
        with Steady(stage.ports[0], project.answers) as steady, Labels(stage.ports[0]) as labels:
            for _ in range(rollouts):
                number = project.release()
                with App(project.root) as app:
                    app.begin_rollout(target=f"m@{number}", plan=PLAN, wait_s=0.0)
                time.sleep(dice.random() * MOST_WAIT_S)
                stage.kill(dice.choice(_KINDS), dice)
                wrong_routes += project.wrong_routes()
                _until(lambda: _ended(project.root) != "running", f"the end of the rollout of {number}")
                ends[_ended(project.root)] += 1
            steady.__exit__()
            labels.__exit__()
    finally:
        stage.up.__exit__()
    kept = [row["prediction_id"] for row in project.written.store.db.all("label_of", model="m", first="", last="~")]
    project.written.close()
    return {
        "rollouts": rollouts,
        "seconds": time.monotonic() - began,
        "killed": dict(stage.killed),
        "ends": dict(ends),
        "wrong_routes": wrong_routes,
        "answers": len(steady.answers),
        "wrong": len(steady.wrong),
        "failures": len(steady.failures),
        "refused": sum("Error" not in text and "Disconnected" not in text for _, text in steady.failures),
        "far_from_a_death": sum(all(abs(at - end) > 10.0 for end in stage.at) for at, _ in steady.failures),
        "labels": len(labels.kept),
        "labels_lost": len(set(labels.kept) - set(kept)),
        "labels_twice": len(kept) - len(set(kept)),
    }


def _ended(root: Path) -> str:
    with App(root) as app:
        rollout = app.get_rollout(model="m")
        return "running" if rollout.ended_at is None else rollout.status


def line(found: dict[str, Any]) -> str:
    """What came of it, in a sentence for each bar."""
    killed = ", ".join(f"{count} times {kind}" for kind, count in sorted(found["killed"].items()))
    ends = ", ".join(f"{count} {end}" for end, count in sorted(found["ends"].items()))
    return (
        f"{found['rollouts']} rollouts in {found['seconds']:.0f} s, killed by signal 9: {killed}; they ended: {ends}; "
        f"{found['wrong_routes']} routes that did not pass their gate (bar: 0); {found['wrong']} of {found['answers']} "
        f"answers wrong (bar: 0), {found['failures']} requests failed, "
        f"{found['refused']} of them by an answer (bar: 0), "
        f"{found['far_from_a_death']} far from a worker's death (bar: 0); of {found['labels']} labels "
        f"{found['labels_lost']} lost, {found['labels_twice']} twice (bar: 0)"
    )
