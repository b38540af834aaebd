"""The traffic, against a small server of our own that misbehaves when it is told to."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from examples.demo.commands import free_ports
from examples.demo.measure import Answer
from examples.demo.traffic import Traffic


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.clients.add(self.client_address)
        what = json.loads(body)["rows"][0]["do"]
        if what == "drop":
            self.close_connection = True
            return
        text = json.dumps({"release": 7} if what == "answer" else {"error": {"code": "unavailable"}}).encode()
        self.send_response(200 if what == "answer" else 503)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        made.clients = set()  # type: ignore[attr-defined]  # the handler finds it there
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def send(port: int, script: list[str], *, requests: int, rate: float = 500.0) -> list[Answer]:
    bodies = [json.dumps({"rows": [{"do": what}]}).encode() for what in script]
    out = io.StringIO()
    url = f"http://127.0.0.1:{port}/models/m/predict"
    traffic = Traffic(url, bodies, out, rate=rate, connections=2)
    deadline = time.monotonic() + 60
    traffic.start()
    while out.getvalue().count("\n") < requests and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    traffic.stop()
    return [Answer(*json.loads(line)) for line in out.getvalue().splitlines()]


def test_every_request_is_written_down_with_the_release_that_answered(server: Any) -> None:
    answers = send(server.server_port, ["answer"], requests=50)
    assert len(answers) >= 50
    assert {(one.status, one.release, one.error, one.failed) for one in answers} == {(200, 7, "", False)}
    assert all(one.sent <= one.answered for one in answers)
    assert len(server.clients) <= 2, "connections are kept alive"


def test_a_dropped_connection_and_a_503_are_failed_requests_and_nothing_is_sent_twice(server: Any) -> None:
    answers = send(server.server_port, ["answer", "drop", "answer", "refuse"], requests=40)
    dropped = [one for one in answers if one.status == 0]
    refused = [one for one in answers if one.status == 503]
    assert abs(len(dropped) - len(answers) / 4) <= 2
    assert abs(len(refused) - len(answers) / 4) <= 2
    assert all(one.failed and one.error for one in dropped + refused)
    assert sum(one.failed for one in answers) == len(dropped) + len(refused)


def test_a_server_that_is_not_there_fails_every_request() -> None:
    answers = send(free_ports(1)[0], ["answer"], requests=10)
    assert len(answers) >= 10
    assert all(one.failed and one.status == 0 and "ConnectionRefused" in one.error for one in answers)


def test_requests_are_due_at_their_own_time(server: Any) -> None:
    """Not as fast as it goes: request i no sooner than i / rate after the first."""
    answers = sorted(send(server.server_port, ["answer"], requests=20, rate=200.0))
    assert all(one.sent - answers[0].sent >= place / 200.0 - 0.004 for place, one in enumerate(answers))
