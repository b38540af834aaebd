"""Real workers whose loads hang, crash the process, or take all memory; and event loops that stand still."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from plusone.base.records import ModelRoute, RouteFile
from plusone.workers import marks, routes
from plusone.workers.supervisor import Supervisor
from tests.journeys.breaking_workers import Breaking
from tests.serving.conftest import packages, serving
from tests.serving.serving_folder import BODY, ServingFolder, Traffic, all_ready, ask, until

__all__ = ["packages", "serving"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PREDICT = "/models/m/predict"


@pytest.fixture
def breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Ways to break the workers that are started after this."""
    return Breaking(tmp_path / "breaking", monkeypatch)


def _releases(traffic: Traffic) -> set[int]:
    return {release for *_, release in traffic.answers}


def _failed(supervisor: Supervisor, version: int) -> bool:
    reports = supervisor.reports()
    return len(reports) == supervisor.workers and all(
        report.failed.get("m", {}).get("version") == version for report in reports
    )


def test_a_load_that_hangs_is_reported_and_other_models_are_followed_meanwhile(
    serving: ServingFolder, breaking: Breaking
):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1, load_timeout_s=4.0)
    breaking.break_load(serving.packages[2][0], "hang")
    with Traffic(supervisor.port) as traffic:
        one = ModelRoute(version=2, targets=(serving.target(2, 1.0), serving.target(1, 0.0)))
        routes.publish(serving.path, RouteFile(sequence=2, models={"m": one}))
        until(lambda: '"release_loaded"' in serving.log(), "the first", poll=supervisor.poll)
        other = ModelRoute(version=1, targets=(serving.target(3, 1.0),))
        routes.publish(serving.path, RouteFile(sequence=3, models={"m": one, "other": other}))
        until(lambda: supervisor.serves("other", 1), "the other model", poll=supervisor.poll)
        assert not _failed(supervisor, 2), "the deadline is not over"
        until(lambda: _failed(supervisor, 2), "the failure reported", poll=supervisor.poll)
        assert "did not load within 4 s" in supervisor.reports()[0].failed["m"]["error"]
        # What the control process does: back to the release before, which is in memory; and forward again.
        back = ModelRoute(version=3, targets=(serving.target(1, 1.0),))
        routes.publish(serving.path, RouteFile(sequence=4, models={"m": back, "other": other}))
        until(lambda: supervisor.serves("m", 3), "the way back", poll=supervisor.poll)
        routes.publish(
            serving.path,
            RouteFile(sequence=5, models={"m": ModelRoute(version=4, targets=(serving.target(3, 1.0),))}),
        )
        until(lambda: supervisor.serves("m", 4), "the next release", poll=supervisor.poll)
        traffic.more(poll=supervisor.poll)
    assert traffic.failures == []
    assert _releases(traffic) == {1, 3}
    assert supervisor.restarts == 0


def test_a_load_that_wants_too_much_memory_fails_and_the_worker_goes_on(serving: ServingFolder, breaking: Breaking):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    breaking.break_load(serving.packages[2][0], "memory")
    serving.route(2, live=2, warm=1)
    until(lambda: _failed(supervisor, 2), "the failure reported", poll=supervisor.poll)
    assert "MemoryError" in supervisor.reports()[0].failed["m"]["error"]
    assert json.loads(ask(supervisor.port, "POST", PREDICT, BODY)[2])["release"] == 1
    assert supervisor.restarts == 0


@pytest.mark.parametrize(("how", "deaths", "said"), [("segfault", 1, "SIGSEGV"), ("kill", 2, "SIGKILL")])
def test_a_load_that_kills_the_worker_is_not_begun_for_ever(
    serving: ServingFolder, breaking: Breaking, how: str, deaths: int, said: str
):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    breaking.break_load(serving.packages[2][0], how)
    serving.route(2, live=2, warm=1)
    until(lambda: _failed(supervisor, 2), "the failure reported", poll=supervisor.poll, seconds=30)
    assert said in supervisor.reports()[0].failed["m"]["error"]
    until(lambda: all_ready(supervisor), "the worker, with the release before", poll=supervisor.poll)
    assert json.loads(ask(supervisor.port, "POST", PREDICT, BODY)[2])["release"] == 1
    assert supervisor.restarts == deaths
    # A worker that is killed for another reason knows it still.
    serving.kill(supervisor.reports()[0].pid)
    until(lambda: supervisor.restarts == deaths + 1 and all_ready(supervisor), "the next", poll=supervisor.poll)
    assert _failed(supervisor, 2)
    # It is forgotten when no route names the release, and tried again when one does.
    serving.route(3, live=1)
    until(lambda: supervisor.serves("m", 3) and not marks.read(serving.path, 0), "forgotten", poll=supervisor.poll)
    breaking.mend(serving.packages[2][0])
    serving.route(4, live=2, warm=1)
    until(lambda: supervisor.serves("m", 4), "the release that was mended", poll=supervisor.poll)
    assert supervisor.restarts == deaths + 1


def test_of_two_workers_one_dies_of_a_load_and_the_other_goes_on(serving: ServingFolder, breaking: Breaking):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    breaking.break_load(serving.packages[2][0], "segfault")
    with Traffic(supervisor.port, threads=4) as traffic:
        serving.route(2, live=2, warm=1)
        until(lambda: _failed(supervisor, 2), "both report it", poll=supervisor.poll, seconds=30)
        until(lambda: all_ready(supervisor), "both ready", poll=supervisor.poll)
        traffic.more(poll=supervisor.poll)
    assert supervisor.restarts == 1
    assert len(traffic.failures) <= 4, traffic.failures
    assert _releases(traffic) == {1}


def test_a_worker_that_starts_while_the_route_is_broken_serves_what_was_served_last(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    model = serving.path / "packages" / serving.packages[2][0] / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    serving.route(2, live=2, warm=1)
    until(lambda: _failed(supervisor, 2), "the failure reported", poll=supervisor.poll)
    serving.kill(supervisor.reports()[0].pid)
    until(lambda: supervisor.restarts == 1 and all_ready(supervisor), "the next worker", poll=supervisor.poll)
    assert json.loads(ask(supervisor.port, "POST", PREDICT, BODY)[2])["release"] == 1
    (report,) = supervisor.reports()
    assert (report.versions, report.failed["m"]["version"]) == ({"m": 1}, 2)
    assert "model.onnx" in report.failed["m"]["error"]
    # And when there is nothing left of the route file.
    (serving.path / routes.ROUTE_FILE).write_bytes(b"\0" * 100)
    serving.kill(report.pid)
    until(lambda: supervisor.restarts == 2 and all_ready(supervisor), "one more", poll=supervisor.poll)
    assert json.loads(ask(supervisor.port, "POST", PREDICT, BODY)[2])["release"] == 1


def test_a_worker_whose_event_loop_stands_still_is_replaced(serving: ServingFolder, breaking: Breaking):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2, hung_s=3.0)
    hung = supervisor.reports()[0].pid
    with Traffic(supervisor.port, threads=2) as traffic:
        os.kill(hung, signal.SIGUSR2)
        until(lambda: supervisor.hung == 1, "it is noticed", poll=supervisor.poll)
        until(lambda: all_ready(supervisor), "both ready", poll=supervisor.poll)
        traffic.more(poll=supervisor.poll)
    assert len(traffic.failures) <= 2
    assert hung not in {report.pid for report in supervisor.reports()}
    assert (supervisor.restarts, routes.read_supervisor(serving.path).hung) == (1, 1)
    assert b"plusone_workers_hung_total 1" in ask(supervisor.port, "GET", "/metrics")[2]
    assert "gave no sign of life" in serving.log()
