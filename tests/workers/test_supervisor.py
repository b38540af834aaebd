"""Real processes that are killed while real requests are sent."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from plusone.base.config import Serve
from plusone.base.errors import Conflict, UsageError
from plusone.workers import routes
from plusone.workers.supervisor import Supervisor, stop_workers
from tests.serving.serving_folder import BODY, ServingFolder, Traffic, all_ready, ask, until

PREDICT = "/models/m/predict"


@pytest.mark.slow
def test_swaps_and_rollbacks_under_load_fail_no_request(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    live = 1
    served: list[tuple[float, float, int]] = []
    with Traffic(supervisor.port) as traffic:
        for version, (release, before) in enumerate([(2, 1), (3, 2), (2, 3), (3, 2), (2, 3)], start=2):
            serving.route(version, live=release, warm=before)
            until(functools.partial(supervisor.serves, "m", version), f"version {version}")
            since = time.monotonic()
            live = release
            traffic.more()
            served.append((since, time.monotonic(), release))
    assert traffic.failures == []
    assert live == 2
    for since, upto, release in served:
        # Begun after every worker reported the version, answered before the next one was published.
        inside = [answer[2] for answer in traffic.answers if since < answer[0] and answer[1] < upto]
        assert set(inside) == {release}
    assert serving.log().count('"event":"release_loaded"') == 2 * 3


def test_a_broken_package_is_reported_and_the_old_release_goes_on(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    model = serving.path / "packages" / serving.packages[2][0] / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with Traffic(supervisor.port) as traffic:
        serving.route(2, live=2, warm=1)
        until(lambda: all(report.failed for report in supervisor.reports()), "the failure reported")
        traffic.more()
    assert traffic.failures == []
    assert {release for *_, release in traffic.answers} == {1}
    for report in supervisor.reports():
        assert (report.versions, report.failed["m"]["version"], report.ready) == ({"m": 1}, 2, True)
        assert "model.onnx" in report.failed["m"]["error"]


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_only_what_it_held_fails(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    with Traffic(supervisor.port, threads=4) as traffic:
        killed = supervisor.reports()[0].pid
        serving.kill(killed)
        until(lambda: supervisor.restarts == 1, "a restart", poll=supervisor.poll)
        until(lambda: all_ready(supervisor), "both ready", poll=supervisor.poll)
        traffic.more()
    # Each thread holds one connection: it loses at most that one.
    assert len(traffic.failures) <= 4
    assert all("Reset" in text or "Disconnected" in text or "BrokenPipe" in text for text in traffic.failures)
    assert killed not in {report.pid for report in supervisor.reports()}


@pytest.mark.slow
def test_connections_that_wait_for_a_killed_worker_are_answered_by_the_next(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    serving.kill(supervisor.reports()[0].pid)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(supervisor.port, "POST", PREDICT, BODY)[0])) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) == 4, "all answered", poll=supervisor.poll)
    for thread in threads:
        thread.join()
    assert answers == [200] * 4


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_tried_again_with_a_growing_pause(serving: ServingFolder, tmp_path: Path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    supervisor = Supervisor(serving.path, Serve(port=0), python=str(broken))
    serving.supervisors.append(supervisor)
    supervisor.start()
    began = time.monotonic()
    until(lambda: supervisor.restarts == 4, "four restarts", poll=supervisor.poll)
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4
    supervisor._python = sys.executable
    serving.route(1, live=1)
    until(lambda: all_ready(supervisor), "a worker in the end", poll=supervisor.poll)


@pytest.mark.slow
def test_a_worker_that_keeps_dying_costs_the_others_no_connection(serving: ServingFolder, tmp_path: Path):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    supervisor._python = str(broken)
    serving.kill(supervisor.reports()[0].pid)
    # The first death of a worker that lived for a while, and then that of the two that follow it.
    until(lambda: supervisor.restarts >= 3, "three restarts", poll=supervisor.poll)
    assert [ask(supervisor.port, "POST", PREDICT, BODY)[0] for _ in range(40)] == [200] * 40
    supervisor._python = sys.executable
    until(lambda: all_ready(supervisor), "both ready", poll=supervisor.poll)
    until(lambda: all(seat.listener for seat in supervisor._seats), "the new socket held", poll=supervisor.poll)
    assert len({seat.listener.getsockname() for seat in supervisor._seats if seat.listener}) == 1


@pytest.mark.slow
def test_a_port_that_something_else_listens_on_is_refused(serving: ServingFolder):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # which would let us bind beside it
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}") as caught:
            serving.start(workers=1, port=port)
    assert "plusone up --port" in caught.value.mend
    serving.route(1, live=1)
    serving.start(workers=1, port=port)
    with pytest.raises(Conflict, match="served by another"):
        Supervisor(serving.path, Serve(port=port)).start()
    with pytest.raises(Conflict):
        stop_workers(serving.path)
    with pytest.raises(UsageError, match="no-such-host"):
        Supervisor(serving.path / "other", Serve(host="no-such-host.invalid", port=0)).start()


def test_a_drain_answers_what_is_in_flight_and_ends_with_0(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    (process,) = serving.processes(supervisor)
    with socket.create_connection(("127.0.0.1", supervisor.port), timeout=60) as slow:
        head = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (PREDICT.encode(), len(BODY))
        slow.sendall(head + BODY[:5])
        until(lambda: '"started"' in serving.log(), "the log")
        ask(supervisor.port, "GET", "/health/live")
        process.send_signal(signal.SIGTERM)
        until(lambda: '"draining"' in serving.log(), "the drain to begin")
        slow.sendall(BODY[5:])
        answer = b""
        while part := slow.recv(1000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()
    assert process.wait(60) == 0
    assert [json.loads(line)["event"] for line in serving.log().splitlines()][-1] == "ended"


_SUPERVISE = """
import sys, time
from pathlib import Path
from plusone.base.config import Serve
from plusone.workers.supervisor import Supervisor
supervisor = Supervisor(Path(sys.argv[1]), Serve(port=0, workers=2))
supervisor.start()
print(supervisor.port, flush=True)
while True:
    supervisor.poll()
    time.sleep(0.02)
"""


@pytest.mark.slow
def test_workers_go_on_without_their_supervisor_and_the_next_one_takes_over_without_a_gap(serving: ServingFolder):
    serving.route(1, live=1)
    first = subprocess.Popen([sys.executable, "-c", _SUPERVISE, str(serving.path)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    port = int(first.stdout.readline())
    until(lambda: len([r for r in routes.read_reports(serving.path) if r.ready]) == 2, "both ready")
    old = {report.pid for report in routes.read_reports(serving.path)}
    with Traffic(port) as traffic:
        first.kill()
        first.wait()
        first.stdout.close()
        traffic.more()
        serving.route(2, live=2, warm=1)
        until(lambda: all(r.versions == {"m": 2} for r in routes.read_reports(serving.path)), "the swap without it")
        supervisor = serving.start(workers=2, port=port)
        until(lambda: not old & {r.pid for r in routes.read_reports(serving.path)}, "the old end", poll=supervisor.poll)
        until(lambda: all_ready(supervisor), "the new ready", poll=supervisor.poll)
        traffic.more(poll=supervisor.poll)
        assert supervisor.serves("m", 2)
    assert traffic.failures == []
    assert {release for *_, release in traffic.answers[-20:]} == {2}
    assert supervisor.restarts == 0


@pytest.mark.slow
def test_old_workers_stay_when_the_new_ones_cannot_load(serving: ServingFolder):
    serving.route(1, live=1)
    first = serving.start(workers=1)
    serving.abandon(first)
    (serving.path / "packages" / serving.packages[1][0] / "model.onnx").unlink()
    with Traffic(first.port) as traffic:
        second = serving.start(workers=1, port=first.port, wait=False)
        until(lambda: any(report.failed for report in second.reports()), "the failure", poll=second.poll)
        traffic.more(poll=second.poll)
    assert traffic.failures == []
    assert len(routes.read_reports(serving.path)) == 2
    # Once the old one is gone, the new one says what is wrong instead of letting callers wait.
    (old,) = [report for report in routes.read_reports(serving.path) if report.generation == first.generation]
    serving.kill(old.pid)
    until(lambda: second.poll() is None and not second._older, "the old one missed")
    answer = ask(first.port, "POST", PREDICT, BODY)
    assert answer[0] == 503
    assert b"model.onnx" in answer[2]


def test_workers_whose_supervisor_is_gone_can_be_ended(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    serving.abandon(supervisor)
    assert stop_workers(serving.path) == 2
    assert routes.read_reports(serving.path) == []
    assert stop_workers(serving.path) == 0


def test_a_full_log_is_moved_aside_while_the_worker_writes(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=1)
    log = serving.path / "logs" / "worker-0.log"
    os.truncate(log, 11 * 1024 * 1024)
    supervisor._logs_looked_at = 0.0
    supervisor.poll()
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size >= 11 * 1024 * 1024
    serving.route(2, live=2)
    until(lambda: '"route_loaded"' in log.read_text(), "the worker to write on")
    assert log.stat().st_size < 10_000
