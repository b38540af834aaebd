"""`plusone up`, lived through: n -> n+1 -> back under load, deaths of its processes, damage on the disk, its end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.base.errors import PlusoneError
from plusone.client.client import Client
from plusone.release import lifecycle
from tests.http.server import free_port
from tests.journeys.projects import SKLEARN_PIPELINE, make_project, released_once, run, run_json
from tests.journeys.up import Up
from tests.release.invariants import check_invariants
from tests.serving.serving_folder import BODY, Traffic, ask, until
from tests.shared import once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with three releases that passed: 2 live, 1 previous, 3 never live."""

    def make(folder: Path) -> None:
        root = shutil.copytree(released_once(tmp_path_factory), folder / "p")
        for words in (["--set", "C=0.25"], ["--set", "C=0.5", "--no-promote"]):
            run_json(root, "release", *words)

    return Path(shutil.copytree(once(tmp_path_factory, "released thrice", make) / "p", tmp_path / "p"))


def _predicted_by(up: Up) -> int:
    status, _, body = ask(up.port, "POST", "/models/m/predict", BODY)
    assert status == 200, body
    return int(body.partition(b'"release":')[2].partition(b",")[0])


@pytest.fixture
def up(project: Path) -> Iterator[Up]:
    """Two workers that serve release 2."""
    with Up(project, workers=2) as up:
        up.wait_for("ready")
        yield up


def test_release_n_plus_1_and_back_under_load_without_one_failed_request(up: Up, project: Path):
    with Traffic(up.port) as traffic:
        done = run_json(project, "release", "--set", "C=3")
        assert (done["release"], done["served"]["state"], done["served"]["workers"]) == (4, "served", 2)
        # Once the command has returned no worker answers with the old one.
        seen = len(traffic.answers)
        traffic.more(100)
        fresh = [release for began, _, release in traffic.answers[seen:] if began > traffic.answers[seen - 1][1]]
        assert set(fresh) == {4}
        back = run_json(project, "rollback")
        assert (back["release"], back["served"]["state"]) == (2, "served")
        assert back["served"]["waited_s"] < 10, "nothing is loaded: the release before was kept warm"
        traffic.more(100)
        assert run_json(project, "promote", "@3")["served"]["state"] == "served"
        traffic.more(100)
    assert traffic.failures == []
    releases = [release for _, _, release in traffic.answers]
    assert set(releases) == {2, 3, 4}
    assert releases[-1] == 3


def test_a_package_that_is_damaged_after_the_gate_is_taken_back_and_the_old_one_goes_on(up: Up, project: Path):
    with App(project) as app:
        package = app.get_release(target="m@3").package
    digest = next(file.digest for file in package.files if file.path.endswith(".onnx"))
    blob = project / ".plusone" / "blobs" / digest[:2] / digest[2:]
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with Traffic(up.port) as traffic:
        moved = run_json(project, "promote", "m@3", code=1)
        assert moved["served"]["state"] == "taken back"
        assert digest in moved["served"]["message"]
        traffic.more(50)
    assert traffic.failures == []
    assert {release for _, _, release in traffic.answers} == {2}
    assert up.wait_for("taken back")["model"] == "m"
    status = run_json(project, "status")["models"][0]
    assert (status["live"], status["previous"]) == (2, 1)
    assert {one["number"]: one["stage"] for one in status["releases"]}[3] == "rolled back"
    with App(project) as app:
        check_invariants(app.store)


def test_when_every_package_is_damaged_the_workers_go_on_and_nothing_turns_in_circles(up: Up, project: Path):
    for blob in (project / ".plusone" / "blobs").glob("*/*"):
        blob.chmod(0o644)
        blob.unlink()
        blob.write_bytes(b"x")  # a new file: what is laid out beside the workers keeps its bytes
    run(project, "promote", "m@3", "--wait", "5")
    up.wait_for("taken back")
    assert _predicted_by(up) == 2
    with App(project) as app:
        until(lambda: app.status().models[0].live in (2, None), "it is taken back")
        assert len(app.list_routes(model="m")) < 8
        assert app.status().models[0].live == 2, "what is laid out whole needs no blobs"
        check_invariants(app.store)


def test_up_twice_is_a_mistake_and_disturbs_nothing(up: Up, project: Path):
    again = run(project, "up", "--port", str(up.port), "--control-port", str(up.control_port))
    assert again.returncode == 2, again.stderr
    other = run(project, "up", "--port", str(free_port()), "--control-port", str(free_port()))
    assert other.returncode == 2, other.stderr
    assert "to mend it" in other.stderr
    assert _predicted_by(up) == 2
    assert run_json(project, "status")["models"][0]["served"]["state"] == "served"


def test_up_before_the_first_release_serves_it_as_soon_as_it_is_live(tmp_path: Path):
    root = make_project(tmp_path / "p", files={"pipeline.py": SKLEARN_PIPELINE})
    with Up(root) as up:
        until(lambda: _ready(up) == 503, "it answers, and is not ready", seconds=90)
        assert ask(up.port, "POST", "/models/m/predict", BODY)[0] == 503
        done = run_json(root, "release")
        assert done["served"]["state"] == "served"
        assert _predicted_by(up) == 1
        assert _ready(up) == 200
        assert up.wait_for("ready")["versions"] == {"m": 1}


def _ready(up: Up) -> int:
    try:
        return ask(up.port, "GET", "/health/ready")[0]
    except OSError:
        return 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process_and_answers_what_is_in_flight(project: Path, number: signal.Signals):
    with Up(project, workers=2) as up:
        up.wait_for("ready")
        assert len(up.processes()) == 4, "itself, the API and two workers"
        up.process.send_signal(number)
        assert up.process.wait(90) == 0
        assert up.processes() == []
    assert run_json(project, "status")["servers"] == []
    assert up.events[-1] == {"event": "stopping"}


def test_killed_control_process_leaves_the_workers_serving_and_the_next_one_takes_over(project: Path):
    first = Up(project, workers=2)
    with first:
        first.wait_for("ready")
        with Traffic(first.port) as traffic:
            first.process.kill()
            first.process.wait()
            traffic.more(100)
            with Up(project, workers=2, ports=(first.port, first.control_port)) as second:
                second.wait_for("ready")
                assert run_json(project, "promote", "@3")["served"]["state"] == "served"
                until(lambda: not first.processes(), "the older generation has ended", seconds=90)
                traffic.more(100)
                assert Client(second.control).status().models[0].live == 3
                traffic.__exit__()
        assert traffic.failures == []


def test_deaths_of_control_and_api_at_random_leave_a_whole_route_to_a_release_that_passed(project: Path):
    """Moves go on while the control process and the API are killed; the route file is read all the time."""
    chance = random.Random(7)
    end = threading.Event()
    seen: list[tuple[int, int]] = []
    faults: list[str] = []
    up = Up(project, workers=1)
    ports = (up.port, up.control_port)

    def watch() -> None:
        while not end.is_set():
            try:
                route = up.route_file()
            except PlusoneError as error:
                faults.append(str(error))
                continue
            if route and "m" in route.models:
                live = next(target for target in route.models["m"].targets if target.share == 1.0)
                seen.append((route.models["m"].version, live.release))
                if not (up.serving / live.folder / "manifest.json").exists():
                    faults.append(f"{live.folder} is not there")

    watcher = threading.Thread(target=watch)
    try:
        up.wait_for("ready")
        watcher.start()
        with Traffic(up.port, threads=2) as traffic, App(project) as app:
            for turn in range(8):
                kill = chance.choice(["control", "api", "nobody"])
                live = app.status().models[0].live
                lifecycle.promote(app.store, f"m@{1 if live == 3 else 3}", by="mover")
                threading.Event().wait(chance.random() * 0.1)
                if kill == "control":
                    up.process.kill()
                    up.process.wait()
                    before, up = up, Up(project, workers=1, ports=ports)
                    up.wait_for("ready")
                    until(lambda before=before: not before.processes(), f"turn {turn}: the older ended", seconds=90)
                    before.__exit__()
                elif kill == "api" and (pid := up.process_of("plusone.gateway.server")):
                    os.kill(pid, signal.SIGKILL)
                check_invariants(app.store)
                route = lifecycle.current_route(app.store.db, "m")
                assert route is not None
                wanted = (route.version, route.shares[0].release)
                until(lambda wanted=wanted: seen[-1:] == [wanted], "the route file follows the store", seconds=90)
            until(lambda: _answers(up), "the API was started again", seconds=90)
        assert traffic.failures == []
    finally:
        end.set()
        watcher.join(60)
        up.__exit__()
    assert faults == []
    with App(project) as app:
        written = {(route.version, route.shares[0].release) for route in app.list_routes(model="m")}
    assert set(seen) <= written
    assert [version for version, _ in seen] == sorted(version for version, _ in seen), "never back to an older version"


def _answers(up: Up) -> bool:
    try:
        return Client(up.control).status().models[0].live is not None
    except PlusoneError:
        return False
