"""Rollouts under `plusone up`, with traffic: carried out, taken back, and gone on with after every death of the control
process."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.base.rollouts import Rollout
from plusone.release.gate import gate_problems
from tests.journeys.projects import make_project, run, run_json
from tests.journeys.up import Up
from tests.release.invariants import check_invariants
from tests.serving.serving_folder import Traffic, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KILLS = int(os.environ.get("PLUSONE_ROLLOUT_KILLS", "6"))  # 200 for the whole suite
SECONDS = 90.0


def _project(folder: Path, *plan: str) -> Path:
    text = f'[project]\nname = "p"\n\n[tool.plusone]\nrollout = {json.dumps(plan)}\n'
    root = make_project(folder / "p", files={"pyproject.toml": text})
    assert run_json(root, "release")["outcome"] == "live", "there is nothing to be compared with yet"
    return root


def _rollout(root: Path) -> Rollout:
    with App(root) as app:
        return app.get_rollout(model="m")


def _look(root: Path) -> None:
    """Check what must hold at any moment: every release with a share of the route passed its gate."""
    with App(root) as app:
        check_invariants(app.store)
        for route in app.list_routes(model="m"):
            for share in (*route.shares, *([route.shadow] if route.shadow else [])):
                assert not gate_problems(app.store.db, share.digest)


def test_a_release_takes_the_traffic_step_by_step_and_no_request_fails(tmp_path: Path):
    root = _project(tmp_path, "shadow 1s 20", "20% 1s 20", "60% 1s 20")
    with Up(root) as up:
        up.wait_for("ready")
        with Traffic(up.port) as traffic:
            done = run_json(root, "release", "--set", "C=0.9")
            assert (done["outcome"], done["stage"]) == ("rollout", "shadow")
            until(lambda: _rollout(root).ended_at is not None, "the rollout ends", seconds=SECONDS)
            traffic.more(40)
    ended = _rollout(root)
    assert (ended.status, [event.kind for event in ended.events]) == ("promoted", ["began", "step", "step", "promoted"])
    assert traffic.failures == []
    assert traffic.answers[-1][2] == 2
    assert ended.look is not None
    assert ended.look.figures["errors"]["candidate"]["counted"] >= 40
    assert [event["did"] for event in up.events if event["event"] == "rollout"] == ["advance"] * 3
    _look(root)


def test_whoever_is_killed_the_route_has_passed_its_gate_and_the_rollout_goes_on(tmp_path: Path):
    root = _project(tmp_path, "shadow 1s 5", "20% 1s 5", "60% 1s 5")
    chance = random.Random(5)
    number, ended = 1, 0
    ports = None
    up = Up(root)
    up.wait_for("ready")
    try:
        with Traffic(up.port) as traffic:
            for _ in range(KILLS):
                if number == 1 or _rollout(root).ended_at is not None:
                    number += 1
                    run(root, "release", "--set", f"C={0.9 + number / 100}")
                    ended += 1
                traffic.more(chance.randint(1, 200))
                os.kill(up.process.pid, signal.SIGKILL)
                up.process.wait()
                _look(root)
                ports = (up.port, up.control_port)
                up.__exit__()
                up = Up(root, ports=ports)
                up.wait_for("ready")
                traffic.more(10)
            until(lambda: _rollout(root).ended_at is not None, "the rollout ends", seconds=SECONDS)
    finally:
        up.__exit__()
    _look(root)
    assert _rollout(root).status in ("promoted", "rolled back")
    assert ended
