"""One real worker, real HTTP."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from plusone.base.records import RouteFile
from plusone.serving.predicting import ASIDE_BYTES
from plusone.workers import routes
from plusone.workers.supervisor import Supervisor
from tests.serving.serving_folder import (
    BODY,
    CONSTANTS,
    FAILS_OVER_100,
    MAX_BODY_BYTES,
    ROW,
    ServingFolder,
    all_ready,
    ask,
    error_of,
    until,
)

PREDICT = "/models/m/predict"


@pytest.fixture(scope="module")
def shared_port(packages: dict[int, tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory):
    """The port of a worker that all examples of one property share."""
    folder = ServingFolder(tmp_path_factory.mktemp("shared") / "serving", packages)
    folder.route(1, live=1)
    supervisor = folder.start(workers=1)
    yield supervisor.port
    supervisor.stop()


def test_a_prediction_names_model_release_and_id(shared_port: int):
    ids: set[str] = set()
    for rows in (1, 3, 300):
        body = json.dumps({"rows": [ROW] * rows})
        status, headers, answer = ask(shared_port, "POST", PREDICT, body, {"content-type": "application/json"})
        value = json.loads(answer)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert list(value) == ["model", "release", "id", "predictions"]
        assert (value["model"], value["release"]) == ("m", 1)
        assert np.allclose(value["predictions"], np.ones(rows), atol=1e-6)
        ids.add(value["id"])
    assert len(ids) == 3
    assert {len(text) for text in ids} == {26}


def test_bodies_without_a_length_and_with_a_charset_are_read(shared_port: int):
    half = len(BODY) // 2
    parts = iter([BODY[:half], BODY[half:]])
    assert ask(shared_port, "POST", PREDICT, parts)[0] == 200
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/json ;x"):
        assert ask(shared_port, "POST", PREDICT, BODY, {"content-type": kind})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code", "says"),
    [
        ("POST", "/models/nope/predict", BODY, {}, 404, "not_found", "Served here: m"),
        ("GET", "/models/nope", None, {}, 404, "not_found", "Served here: m"),
        ("POST", "/elsewhere", b"x" * 100_000, {}, 404, "not_found", "/elsewhere"),
        ("GET", "/models/m/predict/", None, {}, 404, "not_found", "nothing at"),
        ("GET", PREDICT, None, {}, 405, "method_not_allowed", "expected POST"),
        ("DELETE", "/models/m", None, {}, 405, "method_not_allowed", "expected GET, HEAD"),
        ("POST", "/health/live", b"x", {}, 405, "method_not_allowed", "expected GET, HEAD"),
        ("POST", PREDICT, BODY, {"content-type": "text/csv"}, 415, "wrong_content_type", "text/csv"),
        ("POST", PREDICT, b"", {}, 422, "invalid_input", "JSON"),
        ("POST", PREDICT, b'{"rows":[', {}, 422, "invalid_input", "JSON"),
        ("POST", PREDICT, b'{"rows":[{"x":"a","z":1}]}', {}, 422, "invalid_input", "x"),
        ("POST", PREDICT, b'{"rows":[]}', {}, 422, "invalid_input", "at least one row"),
        ("POST", PREDICT, b"[" * 200_000, {}, 422, "invalid_input", "nested"),
        ("POST", PREDICT, b"x" * (MAX_BODY_BYTES + 1), {}, 413, "body_too_large", str(MAX_BODY_BYTES)),
        ("POST", PREDICT, b"x" * (8 * MAX_BODY_BYTES), {}, 413, "body_too_large", str(MAX_BODY_BYTES)),
    ],
)
def test_every_refusal_is_json_with_code_and_message(
    shared_port: int, method: str, path: str, body: Any, headers: dict[str, str], status: int, code: str, says: str
):
    answer = ask(shared_port, method, path, body, headers)
    error = error_of(answer)
    assert (answer[0], error["code"]) == (status, code)
    assert says in error["message"]
    if status == 405:
        assert answer[1]["allow"] == ("POST" if path == PREDICT else "GET, HEAD")


def test_a_body_without_a_length_is_bounded_while_it_is_read(shared_port: int):
    answer = ask(shared_port, "POST", PREDICT, (b"x" * 50_000 for _ in range(60)))
    assert (answer[0], error_of(answer)["code"]) == (413, "body_too_large")


def test_a_length_over_the_limit_is_refused_before_the_body_is_sent(shared_port: int):
    with socket.create_connection(("127.0.0.1", shared_port), timeout=60) as plain:
        plain.sendall(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\n\r\n" % PREDICT.encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_leaves_in_the_middle_is_no_error(one_worker: Supervisor, serving: ServingFolder):
    for head in (b"content-length: 500", b"transfer-encoding: chunked"):
        with socket.create_connection(("127.0.0.1", one_worker.port), timeout=60) as plain:
            plain.sendall(b"POST %b HTTP/1.1\r\nhost: x\r\n%b\r\n\r\n2\r\n{}" % (PREDICT.encode(), head))
    assert ask(one_worker.port, "POST", PREDICT, BODY)[0] == 200
    assert "prediction_failed" not in serving.log()


def test_models_are_described_with_an_example_that_works(shared_port: int):
    (listed,) = json.loads(ask(shared_port, "GET", "/models")[2])["models"]
    assert (listed["model"], listed["release"], listed["route_version"]) == ("m", 1, 1)
    described = json.loads(ask(shared_port, "GET", listed["at"])[2])
    assert [field["name"] for field in described["signature"]["fields"]] == ["x", "z"]
    example = described["example"]
    body = json.dumps(example["body"])
    assert ask(shared_port, example["method"], example["path"], body, example["headers"])[0] == 200


def test_health(shared_port: int):
    assert ask(shared_port, "GET", "/health/live")[0] == 200
    status, _, body = ask(shared_port, "GET", "/health/ready")
    assert (status, json.loads(body)["versions"]) == (200, {"m": 1})
    status, _, body = ask(shared_port, "HEAD", "/health/ready")
    assert (status, body) == (200, b"")


def test_readiness_says_why_not(serving: ServingFolder):
    supervisor = serving.start(workers=1, wait=False)
    # Without a route file a worker accepts at once.
    until(lambda: bool(supervisor.reports()), "a report")
    status, _, body = ask(supervisor.port, "GET", "/health/ready")
    assert (status, json.loads(body)["ready"]) == (503, False)
    assert "no route was published" in json.loads(body)["reason"]
    assert ask(supervisor.port, "GET", "/health/live")[0] == 200
    assert ask(supervisor.port, "POST", PREDICT, BODY)[0] == 503
    routes.publish(serving.path, RouteFile(sequence=1))
    until(lambda: b"names none" in ask(supervisor.port, "GET", "/health/ready")[2], "the reason to change")
    serving.route(2, live=1)
    until(lambda: supervisor.serves("m", 2), "version 2 served")
    assert ask(supervisor.port, "GET", "/health/ready")[0] == 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["rows", "x", "z", ""]), inner),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps({"rows": value}).encode()))
def test_no_body_gives_a_5xx(shared_port: int, body: bytes):
    assert ask(shared_port, "POST", PREDICT, body)[0] in (200, 422)


@settings(max_examples=40)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40), st.sampled_from(["GET", "POST", "PUT"])
)
def test_no_path_gives_a_5xx(shared_port: int, path: str, method: str):
    assert ask(shared_port, method, "/" + path.replace("#", ""))[0] < 500


def test_no_raw_bytes_end_the_worker(shared_port: int):
    for data in (
        b"\x00" * 100,
        b"POST /models/m/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 1\r\n\r\n1",
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", shared_port), timeout=60) as plain:
            plain.sendall(data)
            plain.shutdown(socket.SHUT_WR)
            assert b" 500 " not in plain.recv(200)
    assert ask(shared_port, "POST", PREDICT, BODY)[0] == 200


# --------------------------------------------------------------------------------------- models that fail, big bodies


def test_a_model_that_fails_is_a_500_with_an_id_that_the_log_has(serving: ServingFolder):
    serving.replace_graph(1, FAILS_OVER_100, CONSTANTS)
    serving.route(1, live=1)
    port = serving.start(workers=1).port
    bad = json.dumps({"rows": [{"x": 101.0, "z": 0.0}]}).encode()
    answer = ask(port, "POST", PREDICT, bad)
    error = error_of(answer)
    assert answer[0] == 500
    assert "Gather" not in error["message"]
    line = next(line for line in serving.log().splitlines() if error["details"]["id"] in line)
    assert json.loads(line)["event"] == "prediction_failed"
    assert "Gather" in json.loads(line)["error"]
    assert ask(port, "POST", PREDICT, BODY)[0] == 200


def test_small_requests_are_answered_while_big_ones_are(shared_port: int):
    big = json.dumps({"rows": [ROW] * 12_000}).encode()
    assert ASIDE_BYTES < len(big) < MAX_BODY_BYTES
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, shared_port, "POST", PREDICT, big) for _ in range(8)]
        small = [ask(shared_port, "POST", PREDICT, BODY)[0] for _ in range(20)]
        assert set(small) == {200}
        for answer in answers:
            assert len(json.loads(answer.result()[2])["predictions"]) == 12_000


@pytest.mark.slow
def test_metrics_add_up_across_workers_and_survive_kill_9(serving: ServingFolder):
    serving.route(1, live=1)
    supervisor = serving.start(workers=2)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(supervisor.port, "POST", PREDICT, BODY), range(80)))
    assert [answer for answer in answers if answer[0] != 200] == []
    assert ask(supervisor.port, "POST", PREDICT, b"{")[0] == 422

    def total(code: str) -> float:
        text = ask(supervisor.port, "GET", "/metrics")[2].decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return sum(s.value for s in samples if s.name == "plusone_requests_total" and s.labels["code"] == code)

    until(lambda: (total("200"), total("422")) == (80.0, 1.0), "the sums of both workers")
    for report in supervisor.reports():
        serving.kill(report.pid)
    # Both are up again, too: one that answers says of the other whether it is.
    until(lambda: supervisor.restarts == 2 and all_ready(supervisor), "restarts", poll=supervisor.poll)
    assert (total("200"), total("422")) == (80.0, 1.0)
    text = ask(supervisor.port, "GET", "/metrics")[2]
    assert b"plusone_worker_restarts_total 2" in text
    assert b'plusone_worker_up{slot="0"} 1' in text
