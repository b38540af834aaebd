"""Rollouts under `plusone up`, with traffic: carried out, taken back, and gone on with after every death of the control
process."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from plusone import packaging
from plusone.app.app import App
from plusone.base.rollouts import Rollout
from plusone.packaging.keeping import keep
from plusone.release.gate import gate_problems
from plusone.release.making import Request
from tests.http.server import free_port
from tests.journeys.projects import make_project, run_json
from tests.journeys.up import Up
from tests.release.invariants import check_invariants
from tests.release.written import Written
from tests.serving.serving_folder import Traffic, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KILLS = int(os.environ.get("PLUSONE_ROLLOUT_KILLS", "6"))  # 200 for the whole suite
SECONDS = 90.0


PLAN = ["shadow 1s 5", "20% 1s 5", "60% 1s 5"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with release 1 live, and 2 to 4 that passed: models that answer alike."""
    x = np.linspace(-1.0, 1.0, 200)
    table = pa.table({"x": x, "z": np.cos(7.0 * x), "y": x > 0.0})
    written = Written(tmp_path / "p")
    for number in range(1, 5):
        model = LogisticRegression(C=1.0 + number / 1000).fit(np.column_stack([table["x"], table["z"]]), table["y"])
        folder = tmp_path / f"package{number}"
        packaging.pack(
            model, name="m", target="y", features=["x", "z"], train=table, environment="a==1\n", folder=folder
        )
        written.release(package=keep(folder, written.store.blobs), live=number == 1)
    written.close()
    return tmp_path / "p"


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


def test_a_release_takes_the_traffic_step_by_step_and_no_request_fails(root: Path):
    with Up(root) as up:
        up.wait_for("ready")
        with Traffic(up.port, threads=1) as traffic:
            with App(root) as app:
                begun = app.begin_rollout(target="m@2", plan=PLAN, wait_s=SECONDS)
            assert begun.served is not None
            assert begun.rollout is not None
            assert (begun.served.state, begun.rollout.status) == ("served", "running")
            until(lambda: _rollout(root).ended_at is not None, "the rollout ends", seconds=SECONDS)
            traffic.more(40)
    ended = _rollout(root)
    assert (ended.status, [event.kind for event in ended.events]) == ("promoted", ["began", "step", "step", "promoted"])
    assert traffic.failures == []
    assert traffic.answers[-1][2] == 2
    assert ended.look is not None
    assert ended.look.figures["errors"]["candidate"]["counted"] >= 5
    did = [event["did"] for event in up.events if event["event"] == "rollout"]
    assert did == ["begin", "advance", "advance", "advance"]
    _look(root)


def test_a_release_with_a_plan_begins_a_rollout_once_a_release_is_live(tmp_path: Path):
    text = '[project]\nname = "p"\n\n[tool.plusone]\nrollout = ["shadow 1m", "5% 5m"]\n'
    root = make_project(tmp_path / "p", files={"pyproject.toml": text})
    assert run_json(root, "release")["outcome"] == "live", "there is nothing to be compared with yet"
    done = run_json(root, "release", "--set", "C=0.9")
    assert (done["outcome"], done["stage"], done["route"]["shadow"]["release"]) == ("rollout", "shadow", 2)
    assert [one["after"] for one in done["decisions"]] == ["passed", "shadow"]
    with App(root) as app:
        made, moved = app.make_release(Request(settings={"C": 0.8}, rollout=False), on_event=lambda event: None)
        assert made.outcome == "live"
        assert moved is not None
        assert moved.rollout is not None
        assert (moved.rollout.release, moved.rollout.status) == (2, "superseded")
    _look(root)


def test_whoever_is_killed_the_route_has_passed_its_gate_and_the_rollout_goes_on(root: Path):
    chance = random.Random(5)
    ports = free_port(), free_port()
    up = Up(root, ports=ports)
    try:
        up.wait_for("ready")
        with Traffic(up.port, threads=1) as traffic:
            for _ in range(KILLS):
                with App(root) as app:
                    if not app.list_rollouts() or app.get_rollout().ended_at is not None:
                        app.begin_rollout(target=f"m@{_next(app)}", plan=PLAN, wait_s=0.0)
                    elif chance.random() < 0.3:
                        app.abort_rollout(model="m", wait_s=0.0)
                        app.begin_rollout(target=f"m@{_next(app)}", plan=PLAN, wait_s=0.0)
                traffic.more(chance.randint(1, 200))
                up.process.kill()
                up.process.wait()
                _look(root)
                before, up = up, Up(root, ports=ports)
                up.wait_for("ready")
                until(lambda before=before: not before.processes(), "the older workers ended", seconds=SECONDS)
                before.__exit__()
            until(lambda: _rollout(root).ended_at is not None, "the rollout ends", seconds=SECONDS)
            traffic.more(20)
    finally:
        up.__exit__()
    _look(root)
    assert _rollout(root).status in ("promoted", "rolled back")
    # A worker that ends may close a kept connection while the next request is on its way; none is answered badly.
    assert not [one for one in traffic.failures if one[0].isdigit()]


def _next(app: App) -> int:
    """Return the number of the oldest release that was never live; one more is made when all were."""
    releases = app.list_releases()
    found = [one.number for one in releases if one.stage in ("candidate", "passed")]
    if found:
        return found[0]
    written = Written(app.project.root, app.store)
    return written.release(package=releases[0].package).number
